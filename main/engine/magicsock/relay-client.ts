/**
 * Finds paths through nodes that relay: one search a peer (core/udprelay), its messages sealed and sent, one timer for all.
 * What the peer answered through a session is handed to its path machine, which keeps it alive from there on.
 *
 *   down   allocate requests and calls over DERP, bind and answer to the relay, pings through its session
 *   up     allocate responses and calls from DERP, challenges and pings from UDP
 */
import type { Env } from '../base/env.ts'
import type { AddrPort } from '../base/ip.ts'
import type { DiscoPublicKey } from '../base/keys.ts'
import type { DiscoAllocateResponse, DiscoRelayBind, PeerRelayEndpoint } from '../core/disco/message.ts'
import type { UdpAddr } from '../core/path/types.ts'
import type { PeerRelayRules } from '../core/plan/peer-relays.ts'
import { NO_PEER_RELAYS } from '../core/plan/peer-relays.ts'
import { wrapGeneve } from '../core/udprelay/geneve.ts'
import type { SearchOutput } from '../core/udprelay/search.ts'
import { RelaySearch } from '../core/udprelay/search.ts'
import type { DiscoChannel } from './disco-channel.ts'
import type { PeerEntry, PeerTable } from './peer-table.ts'

export interface RelayClientDeps {
  readonly env: Env
  readonly peers: PeerTable
  readonly disco: DiscoChannel
  readonly sendUdp: (to: AddrPort, bytes: Uint8Array) => void
  /** Disco over the peer's DERP region. */
  readonly sendRelayed: (entry: PeerEntry, message: SearchMessage) => void
  /** A ping through a session; its pong comes back to `handlePong` with the same mark. */
  readonly sendPing: (entry: PeerEntry, to: UdpAddr, mark: RelayMark) => void
  readonly onFound: (entry: PeerEntry, addr: UdpAddr, latencyMs: number) => void
  readonly allowLoopback: () => boolean
  readonly isOff: () => boolean
}

type SearchMessage = Extract<SearchOutput, { kind: 'allocate' | 'call' }>['message']

/** Which ping of which handshake. */
export interface RelayMark {
  readonly relayDisco: DiscoPublicKey
  readonly vni: number
  readonly pingId: number
}

export class RelayClient {
  readonly #deps: RelayClientDeps
  readonly #env: Env
  #rules: PeerRelayRules = NO_PEER_RELAYS
  readonly #searches = new Map<PeerEntry, RelaySearch>()
  #cancelTimer: () => void = () => {}
  readonly counters = { relayUnexpected: 0, relayRefused: 0 }

  constructor(deps: RelayClientDeps) {
    this.#deps = deps
    this.#env = deps.env
  }

  /** Answers whether peers' chances of a relay are others now. */
  setRules(rules: PeerRelayRules): boolean {
    const before = this.#rules
    this.#rules = rules
    return before.noClient !== rules.noClient || before.relays.length > 0 !== rules.relays.length > 0
  }

  /** Nodes that relay for us, by their disco keys. */
  relays(): readonly PeerEntry[] {
    return this.#rules.relays.flatMap((key) => this.#deps.peers.get(key) ?? []).filter((entry) => entry.config.disco !== undefined && entry.config.homeDerp !== 0)
  }

  /** Whether it makes sense to look for a relay to that peer. */
  hasRelayFor(entry: PeerEntry): boolean {
    return this.#maySearch(entry) && this.#rules.relays.length > 0
  }

  /** Whether a handshake with a relay of that disco key is under way. */
  isRelay(disco: DiscoPublicKey): boolean {
    for (const search of this.#searches.values()) for (const relay of search.relays()) if (relay === disco) return true
    return false
  }

  /** Asks the relays for sessions with the peer. */
  find(entry: PeerEntry, why: string): void {
    const relays = this.relays().filter((relay) => relay !== entry)
    if (!this.#maySearch(entry) || relays.length === 0) return
    this.#drive(entry, (search, nowMs) => search.start(nowMs, relays.map(({ config }) => config.key), why))
  }

  /** A relay's answer came over DERP from that node, whose disco key was checked. */
  handleAllocated(from: PeerEntry, message: DiscoAllocateResponse): void {
    const { clients } = message.endpoint
    for (const peerDisco of clients) {
      if (peerDisco === this.#deps.disco.publicKey) continue
      for (const entry of this.#deps.peers.withDisco(peerDisco)) {
        if (!this.#searches.has(entry)) continue
        let isOurs = false
        this.#drive(entry, (search, nowMs) => (isOurs = search.handleAllocated(nowMs, from.config.key, message)))
        if (isOurs) return
      }
    }
    this.counters.relayUnexpected++
  }

  /** The peer named a session, over DERP. */
  handleCall(entry: PeerEntry, endpoint: PeerRelayEndpoint): void {
    if (!this.#maySearch(entry)) {
      this.counters.relayRefused++
      return
    }
    this.#env.journal.add({ part: 'disco', kind: 'call-me-maybe-via-in', why: 'the peer found a relay', peer: entry.config.key, count: endpoint.addrs.length })
    this.#drive(entry, (search, nowMs) => {
      if (!search.handleCall(nowMs, endpoint)) this.counters.relayRefused++
    })
  }

  /** A message of a relay itself, sealed with the key of a handshake. */
  handleControl(from: AddrPort, vni: number, relayDisco: DiscoPublicKey, message: DiscoRelayBind): void {
    for (const [entry, search] of this.#searches) {
      if (message.kind !== 'bind-relay-challenge' || ![...search.relays()].includes(relayDisco)) continue
      let isOurs = false
      this.#drive(entry, (one, nowMs) => (isOurs = one.handleChallenge(nowMs, from, vni, relayDisco, message)))
      if (isOurs) return
    }
    this.counters.relayUnexpected++
  }

  /** The peer's ping came through a session. */
  handlePing(entry: PeerEntry, from: UdpAddr): void {
    if (this.#searches.has(entry)) this.#drive(entry, (search, nowMs) => search.handlePing(nowMs, from))
  }

  /** The pong to a ping of ours came. */
  handlePong(entry: PeerEntry, { relayDisco, vni, pingId }: RelayMark): void {
    if (this.#searches.has(entry)) this.#drive(entry, (search, nowMs) => search.handlePong(nowMs, relayDisco, vni, pingId))
  }

  forget(entry: PeerEntry): void {
    this.#searches.delete(entry)
  }

  /** Another disco key of ours, or none: nothing under way is worth anything. */
  reset(): void {
    this.#cancelTimer()
    this.#searches.clear()
  }

  #maySearch(entry: PeerEntry): boolean {
    return entry.config.canPeerRelay === true && entry.config.disco !== undefined && !entry.config.expired && !this.#rules.noClient && !this.#deps.isOff()
  }

  #drive(entry: PeerEntry, handle: (search: RelaySearch, nowMs: number) => void): void {
    const known = this.#searches.get(entry)
    const isCurrent = known?.peer === entry.config.disco
    const search = isCurrent ? known! : new RelaySearch({ own: this.#deps.disco.publicKey, peer: entry.config.disco!, allowLoopback: this.#deps.allowLoopback() })
    if (!isCurrent) this.#searches.set(entry, search)
    handle(search, this.#env.clock.nowMs())
    for (const event of search.takeEvents()) this.#env.journal.add({ part: 'path', peer: entry.config.key, ...event })
    for (const output of search.takeOutput()) this.#carryOut(entry, output)
    this.#schedule()
  }

  #carryOut(entry: PeerEntry, output: SearchOutput): void {
    switch (output.kind) {
      case 'allocate': {
        const relay = this.#deps.peers.get(output.relay)
        if (relay) this.#deps.sendRelayed(relay, output.message)
        return
      }
      case 'call':
        this.#deps.sendRelayed(entry, output.message)
        return
      case 'control': {
        const sealed = this.#deps.disco.seal(output.relayDisco, output.message)
        if (sealed) this.#deps.sendUdp(output.to, wrapGeneve(output.to.vni!, true, sealed))
        return
      }
      case 'ping':
        this.#deps.sendPing(entry, output.to, { relayDisco: output.relayDisco, vni: output.to.vni!, pingId: output.pingId })
        return
      case 'found':
        this.#deps.onFound(entry, output.addr, output.latencyMs)
    }
  }

  /** One timer for all searches. */
  #schedule(): void {
    this.#cancelTimer()
    let atMs = Number.POSITIVE_INFINITY
    for (const search of this.#searches.values()) atMs = Math.min(atMs, search.nextTimeoutMs() ?? Number.POSITIVE_INFINITY)
    if (atMs === Number.POSITIVE_INFINITY) return
    this.#cancelTimer = this.#env.clock.after(Math.max(0, atMs - this.#env.clock.nowMs()), () => {
      const nowMs = this.#env.clock.nowMs()
      for (const [entry, search] of this.#searches) {
        if ((search.nextTimeoutMs() ?? Number.POSITIVE_INFINITY) <= nowMs) this.#drive(entry, (one, at) => one.handleTimeout(at))
      }
      this.#schedule()
    })
  }
}
