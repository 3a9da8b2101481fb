/**
 * Relays for others on a UDP port of its own, when a person offers it: answers requests for sessions that come over DERP from
 * nodes that the server's grants let ask, shakes hands with both ends, and tells the packet thread which two addresses to
 * forward between (core/udprelay/server.ts decides; native/packet-loop/src/peer_relay.rs moves).
 *
 *   off ──setWanted({ port })──▶ on: sockets open, own addresses asked of STUN servers ──undefined, or forbidden──▶ off
 *
 * Its disco key is another at each start, and is in no map: nodes learn it from the session that they are given.
 */
import { toHex } from '../base/bytes.ts'
import type { Env } from '../base/env.ts'
import { isDecodeError } from '../base/errors.ts'
import type { AddrPort } from '../base/ip.ts'
import { formatAddrPort, isIp4, parseAddrPort, parseIp } from '../base/ip.ts'
import { discoKey, PrivateKey } from '../base/keys.ts'
import { DiscoKeys, discoSender, looksLikeDisco } from '../core/disco/envelope.ts'
import type { DiscoAllocateRequest, DiscoAllocateResponse } from '../core/disco/message.ts'
import { decodeDisco, encodeDisco } from '../core/disco/message.ts'
import { Allowance } from '../base/allowance.ts'
import type { PeerRelayRules } from '../core/plan/peer-relays.ts'
import { NO_PEER_RELAYS } from '../core/plan/peer-relays.ts'
import type { RelayServerWish } from '../core/plan/types.ts'
import { decodeStunResponse, encodeStunRequest, isStun, STUN_DEFAULT_PORT, STUN_TX_ID_BYTES } from '../core/stun/stun.ts'
import type { DerpMap } from '../core/tailcfg/types.ts'
import { MAX_RELAY_ADDRS } from '../core/udprelay/endpoint.ts'
import { openGeneve, wrapGeneve } from '../core/udprelay/geneve.ts'
import type { RelayServerOutput } from '../core/udprelay/server.ts'
import { RelayServerSessions } from '../core/udprelay/server.ts'
import { localEndpoints } from './local-endpoints.ts'
import type { PeerEntry } from './peer-table.ts'
import type { LocalInterface, RelaySockets, Resolve } from './ports.ts'

const SWEEP_MS = 10_000
/** Our address as others see it may change: asked again when a session is wanted. */
const LOOK_AGAIN_MS = 30_000
const MAX_STUN_SERVERS = 6
const MAX_STATIC = 6

export interface RelayServerDeps {
  readonly env: Env
  readonly sockets: RelaySockets
  readonly interfaces: () => readonly LocalInterface[]
  readonly resolve: Resolve | undefined
  /** Over DERP to the node that asked. */
  readonly reply: (entry: PeerEntry, message: DiscoAllocateResponse) => void
}

/** One session as a person sees it. */
export interface RelaySessionView {
  readonly vni: number
  readonly clients: readonly { readonly disco: string; readonly addr: string | undefined; readonly packets: number; readonly bytes: number }[]
}

interface Running {
  readonly port: number
  readonly keys: DiscoKeys
  readonly sessions: RelayServerSessions
  cancelSweep: () => void
}

export class RelayServer {
  readonly #deps: RelayServerDeps
  readonly #env: Env
  #wish: RelayServerWish | undefined
  #rules: PeerRelayRules = NO_PEER_RELAYS
  #derpMap: DerpMap = { Regions: {} }
  #isUp = false
  #running: Running | undefined
  /** As STUN servers see the relay's socket, by family. */
  readonly #seen = new Map<4 | 6, AddrPort>()
  readonly #asked = new Set<string>()
  #lookedMs = Number.NEGATIVE_INFINITY
  #asks = new WeakMap<PeerEntry, Allowance>()
  readonly counters = { relayAllocated: 0, relayNotAllowed: 0, relayFull: 0, relayServerGarbage: 0 }

  constructor(deps: RelayServerDeps) {
    this.#deps = deps
    this.#env = deps.env
  }

  /** The UDP port in use; undefined while this node does not relay. */
  get port(): number | undefined {
    return this.#running?.port
  }

  setWanted(wish: RelayServerWish | undefined, rules: PeerRelayRules, derpMap: DerpMap): void {
    const before = this.#wish
    this.#wish = wish
    this.#rules = rules
    this.#derpMap = derpMap
    if (before?.port !== wish?.port) this.#stop('another port is wanted')
    this.#settle()
  }

  /** The node is somebody in a network, or no longer. */
  setUp(isUp: boolean): void {
    this.#isUp = isUp
    this.#settle()
  }

  handleNetworkChange(): void {
    this.#seen.clear()
    this.#lookedMs = Number.NEGATIVE_INFINITY
    this.#lookAgain()
  }

  /** A request came over DERP from that node, whose disco key was checked. */
  handleAllocate(entry: PeerEntry, message: DiscoAllocateRequest): void {
    const running = this.#running
    const { config } = entry
    const allowance = this.#asks.get(entry) ?? new Allowance(20, 500)
    this.#asks.set(entry, allowance)
    const mayAsk = running && this.#rules.clients.has(config.key) && config.disco !== undefined && message.clients.includes(config.disco)
    const nowMs = this.#env.clock.nowMs()
    if (!mayAsk || !allowance.take(nowMs)) {
      this.counters.relayNotAllowed++
      return
    }
    this.#lookAgain()
    const addrs = this.#addrs(running.port)
    const endpoint = running.sessions.allocate(nowMs, message.clients[0], message.clients[1], addrs)
    const refusal = addrs.length === 0 ? 'no address of ours is known' : typeof endpoint === 'string' ? endpoint : undefined
    if (typeof endpoint === 'string' || refusal !== undefined) {
      this.counters.relayFull++
      this.#env.journal.add({ part: 'relay-server', kind: 'refused', why: `no session to be had: ${refusal}`, peer: config.key })
      return
    }
    this.counters.relayAllocated++
    this.#drain(running)
    this.#deps.reply(entry, { kind: 'allocate-relay-response', generation: message.generation, endpoint })
  }

  /** A datagram for the relay itself, from its sockets. */
  handleDatagram(from: AddrPort, bytes: Uint8Array): void {
    const running = this.#running
    if (!running) return
    if (isStun(bytes)) {
      this.#handleStun(bytes)
      return
    }
    const geneve = openGeneve(bytes)
    const sender = geneve?.isControl && looksLikeDisco(geneve.payload) ? discoKey(discoSender(geneve.payload)) : undefined
    // Only a client of that session is worth a key agreement.
    if (!geneve || sender === undefined || !running.sessions.hasClient(geneve.vni, sender)) {
      this.counters.relayServerGarbage++
      return
    }
    const plain = running.keys.open(sender, geneve.payload)
    const message = isDecodeError(plain) ? plain : decodeDisco(plain)
    if (isDecodeError(message) || (message.kind !== 'bind-relay' && message.kind !== 'bind-relay-answer')) {
      this.counters.relayServerGarbage++
      return
    }
    running.sessions.handleControl(this.#env.clock.nowMs(), from, geneve.vni, sender, message)
    this.#drain(running)
  }

  sessions(): readonly RelaySessionView[] {
    const running = this.#running
    if (!running) return []
    const counts = this.#deps.sockets.relaySessions()
    return [...running.sessions.sessions()].map(({ vni, ends }) => ({
      vni,
      clients: ends.map(({ disco, bound }, i) => ({ disco, addr: bound && formatAddrPort(bound), packets: counts.get(vni)?.[i]?.packets ?? 0, bytes: counts.get(vni)?.[i]?.bytes ?? 0 })),
    }))
  }

  counts(): Record<string, number> {
    return { ...this.counters, ...this.#running?.sessions.counters, relaySessions: this.#running?.sessions.size ?? 0 }
  }

  stop(): void {
    this.#isUp = false
    this.#settle()
  }

  #settle(): void {
    const wanted = this.#isUp && this.#wish !== undefined && !this.#rules.noServer
    if (wanted && !this.#running) this.#start(this.#wish!)
    else if (!wanted) this.#stop(this.#rules.noServer ? 'the server of the network forbids it' : 'it is not offered')
  }

  #start(wish: RelayServerWish): void {
    const own = PrivateKey.fromRandom(this.#env.random.bytes(32))
    let port: number
    try {
      port = this.#deps.sockets.relayListen(wish.port)
    } catch (error) {
      this.#env.journal.add({ part: 'relay-server', kind: 'failed', why: `its port cannot be opened: ${error instanceof Error ? error.message : String(error)}`, port: wish.port })
      this.#env.log.warn('cannot relay for others: the port cannot be opened', { port: wish.port })
      return
    }
    const sessions = new RelayServerSessions(this.#env.clock.nowMs(), { own: discoKey(own.publicBytes()), random: (count) => this.#env.random.bytes(count) })
    this.#running = { port, keys: new DiscoKeys(own), sessions, cancelSweep: () => {} }
    this.#env.journal.add({ part: 'relay-server', kind: 'started', why: 'a person offers it', port, wanted: wish.port })
    this.#env.log.info(`relays for others on UDP port ${port}`)
    this.#lookAgain()
  }

  #stop(why: string): void {
    const running = this.#running
    if (!running) return
    this.#running = undefined
    running.cancelSweep()
    this.#deps.sockets.relayClose()
    this.#seen.clear()
    this.#lookedMs = Number.NEGATIVE_INFINITY
    this.#env.journal.add({ part: 'relay-server', kind: 'stopped', why, port: running.port })
    this.#env.log.info(`relays for others no longer (${why})`)
  }

  #drain(running: Running): void {
    for (const event of running.sessions.takeEvents()) this.#env.journal.add({ part: 'relay-server', ...event })
    for (const output of running.sessions.takeOutput()) this.#carryOut(running, output)
    running.cancelSweep()
    running.cancelSweep = running.sessions.size === 0 ? () => {} : this.#env.clock.after(SWEEP_MS, () => this.#sweep(running))
  }

  #sweep(running: Running): void {
    const idle = new Map([...this.#deps.sockets.relaySessions()].map(([vni, [a, b]]) => [vni, [a.idleMs, b.idleMs] as const]))
    running.sessions.sweep(this.#env.clock.nowMs(), idle)
    this.#drain(running)
    running.keys.retain((disco) => [...running.sessions.sessions()].some(({ clients }) => clients.includes(disco)))
  }

  #carryOut(running: Running, output: RelayServerOutput): void {
    const { sockets } = this.#deps
    switch (output.kind) {
      case 'control': {
        const sealed = running.keys.seal(output.client, this.#env.random.bytes(24), encodeDisco(output.message))
        if (sealed) sockets.relaySend(output.to, wrapGeneve(output.message.vni, true, sealed))
        return
      }
      case 'bind':
        sockets.relayBind(output.vni, output.ends[0], output.ends[1])
        return
      case 'forget':
        sockets.relayForget(output.vni)
    }
  }

  /** Where this relay is reached, what a person said first. */
  #addrs(port: number): readonly AddrPort[] {
    const said = (this.#wish?.staticEndpoints ?? []).slice(0, MAX_STATIC)
    const local = localEndpoints(undefined, this.#deps.interfaces(), port).map(({ addr }) => parseAddrPort(addr)!)
    const all = new Map([...said, ...this.#seen.values(), ...local].map((addr) => [formatAddrPort(addr), addr]))
    return [...all.values()].slice(0, MAX_RELAY_ADDRS)
  }

  /** Asks STUN servers how the relay's socket is seen, unless that was done a moment ago. */
  #lookAgain(): void {
    const nowMs = this.#env.clock.nowMs()
    if (!this.#running || nowMs - this.#lookedMs < LOOK_AGAIN_MS) return
    this.#lookedMs = nowMs
    this.#asked.clear()
    void this.#askStun()
  }

  async #askStun(): Promise<void> {
    const nodes = Object.values(this.#derpMap.Regions).flatMap((region) => region.Nodes?.slice(0, 1) ?? []).filter((node) => (node.STUNPort ?? 0) >= 0)
    for (const node of nodes.slice(0, MAX_STUN_SERVERS)) {
      const literals = [node.IPv4, node.IPv6, node.HostName].filter((text): text is string => text !== undefined && parseIp(text) !== undefined)
      const ips = literals.length > 0 ? literals : ((await this.#deps.resolve?.(node.HostName).catch(() => [])) ?? [])
      for (const ip of new Set(ips)) {
        if (!this.#running) return
        const txId = this.#env.random.bytes(STUN_TX_ID_BYTES)
        this.#asked.add(toHex(txId))
        this.#deps.sockets.relaySend({ ip, port: node.STUNPort || STUN_DEFAULT_PORT }, encodeStunRequest(txId))
      }
    }
  }

  #handleStun(bytes: Uint8Array): void {
    const answer = decodeStunResponse(bytes)
    if (isDecodeError(answer) || !this.#asked.delete(toHex(answer.txId))) {
      this.counters.relayServerGarbage++
      return
    }
    this.#seen.set(isIp4(answer.mapped.ip) ? 4 : 6, answer.mapped)
  }
}
