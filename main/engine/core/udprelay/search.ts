/**
 * The search for a path to one peer through nodes that relay. Pure: messages and time come in, messages to send and what was
 * found come out.
 *
 *   start ─▶ allocate request to each relay, over DERP ──response──▶ call-me-maybe-via to the peer, handshake ──pong──▶ found
 *   call-me-maybe-via of the peer ─────────────────────────────────▶ handshake ──pong──▶ found
 *
 * One handshake a relay: an endpoint with a higher Lamport number takes its place, one with a lower is old news. A request
 * without an answer is sent once more after 3 s and given up after 10 s. What a peer or a relay can make us send is bounded.
 * Source: tailscale wgengine/magicsock/relaymanager.go @ de9ec7e, read 2026-08.
 */
import type { AddrPort } from '../../base/ip.ts'
import type { DiscoPublicKey, NodePublicKey } from '../../base/keys.ts'
import type { DiscoAllocateRequest, DiscoAllocateResponse, DiscoCallMeMaybeVia, DiscoRelayBind, PeerRelayEndpoint } from '../disco/message.ts'
import { Allowance } from '../../base/allowance.ts'
import type { UdpAddr } from '../path/types.ts'
import { discoPair, isPairOf, usableAddrs } from './endpoint.ts'
import { RelayHandshake } from './handshake.ts'

const ANSWER_PATIENCE_MS = 10_000
const ASK_AGAIN_MS = 3000
/** Relays asked in one search. */
const MAX_RELAYS = 5
const MAX_HANDSHAKES = 8

export type SearchOutput =
  | { readonly kind: 'allocate'; readonly relay: NodePublicKey; readonly message: DiscoAllocateRequest }
  | { readonly kind: 'call'; readonly message: DiscoCallMeMaybeVia }
  | { readonly kind: 'control'; readonly to: UdpAddr; readonly relayDisco: DiscoPublicKey; readonly message: DiscoRelayBind }
  | { readonly kind: 'ping'; readonly to: UdpAddr; readonly relayDisco: DiscoPublicKey; readonly pingId: number }
  | { readonly kind: 'found'; readonly addr: UdpAddr; readonly latencyMs: number }

export type SearchEvent =
  | { readonly kind: 'relay-asked'; readonly relays: number; readonly why: string }
  | { readonly kind: 'relay-silent'; readonly relay: NodePublicKey; readonly why: string }
  | { readonly kind: 'relay-offered'; readonly vni: number; readonly addrs: readonly AddrPort[]; readonly why: string }
  | { readonly kind: 'relay-refused'; readonly why: string }
  | { readonly kind: 'relay-bound'; readonly addr: UdpAddr; readonly why: string }
  | { readonly kind: 'relay-ready'; readonly addr: UdpAddr; readonly latencyMs: number; readonly why: string }
  | { readonly kind: 'relay-failed'; readonly vni: number; readonly why: string }

interface Asked {
  readonly generation: number
  readonly sentMs: number
  isRepeated: boolean
}

export interface SearchInput {
  readonly own: DiscoPublicKey
  readonly peer: DiscoPublicKey
  readonly allowLoopback: boolean
}

export class RelaySearch {
  readonly #input: SearchInput
  readonly #asked = new Map<NodePublicKey, Asked>()
  readonly #handshakes = new Map<DiscoPublicKey, RelayHandshake>()
  readonly #lamport = new Map<DiscoPublicKey, bigint>()
  readonly #calls = new Allowance(4, 2000)
  #generation = 0
  #output: SearchOutput[] = []
  #events: SearchEvent[] = []

  constructor(input: SearchInput) {
    this.#input = input
  }

  /** Whom it is for; another key of the peer wants another search. */
  get peer(): DiscoPublicKey {
    return this.#input.peer
  }

  /** Nothing is under way. */
  get isIdle(): boolean {
    return this.#asked.size === 0 && this.#handshakes.size === 0
  }

  /** Disco keys of the relays that we are shaking hands with. */
  relays(): Iterable<DiscoPublicKey> {
    return this.#handshakes.keys()
  }

  /** Asks relays for a session; those that are being asked already are left alone. */
  start(nowMs: number, relays: readonly NodePublicKey[], why: string): void {
    const fresh = relays.filter((relay) => !this.#asked.has(relay)).slice(0, MAX_RELAYS)
    if (fresh.length === 0) return
    for (const relay of fresh) {
      const asked: Asked = { generation: this.#nextGeneration(), sentMs: nowMs, isRepeated: false }
      this.#asked.set(relay, asked)
      this.#ask(relay, asked)
    }
    this.#events.push({ kind: 'relay-asked', relays: fresh.length, why })
  }

  /** The answer of a relay. False when it answers nothing that we asked. */
  handleAllocated(nowMs: number, relay: NodePublicKey, message: DiscoAllocateResponse): boolean {
    const asked = this.#asked.get(relay)
    if (!asked || asked.generation !== message.generation || !isPairOf(message.endpoint.clients, this.#input.own, this.#input.peer)) return false
    this.#asked.delete(relay)
    if (this.#begin(nowMs, message.endpoint, 'the relay offers a session')) this.#output.push({ kind: 'call', message: { kind: 'call-me-maybe-via', endpoint: message.endpoint } })
    return true
  }

  /** The peer found a relay: the sender was checked by the caller. False when it asks too often or for nonsense. */
  handleCall(nowMs: number, endpoint: PeerRelayEndpoint): boolean {
    return this.#calls.take(nowMs) && this.#begin(nowMs, endpoint, 'the peer named a session')
  }

  handleChallenge(nowMs: number, from: AddrPort, vni: number, relayDisco: DiscoPublicKey, message: DiscoRelayBind): boolean {
    const handshake = this.#handshakes.get(relayDisco)
    if (!handshake?.handleChallenge(nowMs, from, vni, message)) return false
    this.#events.push({ kind: 'relay-bound', addr: { ...from, vni }, why: 'the relay answered there first' })
    this.#collect(relayDisco, handshake)
    return true
  }

  /** The peer's ping came through a session. */
  handlePing(nowMs: number, from: UdpAddr): void {
    for (const [relayDisco, handshake] of this.#handshakes) {
      if (handshake.endpoint.vni !== from.vni) continue
      handshake.handlePing(nowMs, from)
      this.#collect(relayDisco, handshake)
    }
  }

  /** The peer's answer to a ping of ours came through the session of that relay. */
  handlePong(nowMs: number, relayDisco: DiscoPublicKey, vni: number, pingId: number): void {
    const handshake = this.#handshakes.get(relayDisco)
    const latencyMs = handshake?.endpoint.vni === vni ? handshake.handlePong(nowMs, pingId) : undefined
    if (latencyMs === undefined) return
    const addr = { ...handshake!.at!, vni }
    this.#handshakes.delete(relayDisco)
    this.#events.push({ kind: 'relay-ready', addr, latencyMs, why: 'the peer answered through the session' })
    this.#output.push({ kind: 'found', addr, latencyMs })
  }

  nextTimeoutMs(): number | undefined {
    let nextMs = Number.POSITIVE_INFINITY
    for (const { sentMs, isRepeated } of this.#asked.values()) nextMs = Math.min(nextMs, sentMs + (isRepeated ? ANSWER_PATIENCE_MS : ASK_AGAIN_MS))
    for (const handshake of this.#handshakes.values()) nextMs = Math.min(nextMs, handshake.nextTimeoutMs())
    return nextMs === Number.POSITIVE_INFINITY ? undefined : nextMs
  }

  handleTimeout(nowMs: number): void {
    for (const [relay, asked] of this.#asked) {
      if (nowMs - asked.sentMs >= ANSWER_PATIENCE_MS) {
        this.#asked.delete(relay)
        this.#events.push({ kind: 'relay-silent', relay, why: 'the relay did not answer our request in 10 s' })
      } else if (!asked.isRepeated && nowMs - asked.sentMs >= ASK_AGAIN_MS) {
        asked.isRepeated = true
        this.#ask(relay, asked)
      }
    }
    for (const [relayDisco, handshake] of this.#handshakes) {
      if (handshake.handleTimeout(nowMs)) this.#collect(relayDisco, handshake)
      else {
        this.#handshakes.delete(relayDisco)
        const why = handshake.at ? 'the relay answered, the peer did not' : 'the relay answered at none of its addresses'
        this.#events.push({ kind: 'relay-failed', vni: handshake.endpoint.vni, why })
      }
    }
  }

  takeOutput(): SearchOutput[] {
    const out = this.#output
    this.#output = []
    return out
  }

  takeEvents(): SearchEvent[] {
    const out = this.#events
    this.#events = []
    return out
  }

  #nextGeneration(): number {
    this.#generation = (this.#generation % 0xffffffff) + 1
    return this.#generation
  }

  #ask(relay: NodePublicKey, { generation }: Asked): void {
    const clients = discoPair(this.#input.own, this.#input.peer)
    this.#output.push({ kind: 'allocate', relay, message: { kind: 'allocate-relay-request', clients, generation } })
  }

  #begin(nowMs: number, endpoint: PeerRelayEndpoint, why: string): boolean {
    const { own, peer, allowLoopback } = this.#input
    const addrs = usableAddrs(endpoint, own, peer, allowLoopback)
    const known = this.#handshakes.get(endpoint.server)
    const newest = this.#lamport.get(endpoint.server) ?? -1n
    const fault =
      addrs.length === 0 ? 'the session that was named cannot be one' : endpoint.lamportId < newest ? 'a newer session on that relay is known' : this.#handshakes.size >= MAX_HANDSHAKES && !known ? 'too many sessions at once' : undefined
    if (fault !== undefined) {
      this.#events.push({ kind: 'relay-refused', why: fault })
      return false
    }
    // Both ends ask the same relay at the same time and are given the same session.
    if (known && endpoint.lamportId === known.endpoint.lamportId && endpoint.vni === known.endpoint.vni) return true
    this.#remember(endpoint)
    const handshake = new RelayHandshake(nowMs, { endpoint, addrs, peer, generation: this.#nextGeneration() })
    this.#handshakes.set(endpoint.server, handshake)
    this.#events.push({ kind: 'relay-offered', vni: endpoint.vni, addrs, why })
    this.#collect(endpoint.server, handshake)
    return true
  }

  #remember({ server, lamportId }: PeerRelayEndpoint): void {
    this.#lamport.delete(server)
    this.#lamport.set(server, lamportId)
    if (this.#lamport.size > 4 * MAX_HANDSHAKES) this.#lamport.delete(this.#lamport.keys().next().value!)
  }

  #collect(relayDisco: DiscoPublicKey, handshake: RelayHandshake): void {
    const { vni } = handshake.endpoint
    for (const output of handshake.takeOutput()) {
      const to = { ...output.to, vni }
      if (output.kind === 'control') this.#output.push({ kind: 'control', to, relayDisco, message: output.message })
      else this.#output.push({ kind: 'ping', to, relayDisco, pingId: output.pingId })
    }
  }
}
