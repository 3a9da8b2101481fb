/**
 * Path finding for all peers: opens disco and STUN that the data plane hands up, has one path machine driven
 * for each peer (`peer-driver.ts`), and finds out our own addresses and home relay.
 *
 *   down   paths.setPath, underlay.sendUdp, relay.send          up   onEndpoints, onNetInfo, onPath, onHome
 *
 * Who may speak: a disco message counts only when its box opens with the disco key of a peer in the map; calls only when
 * they come over a relay from the node that owns that key. An answer is never longer than the question.
 * Source: tailscale wgengine/magicsock/magicsock.go (handleDiscoMessage) @ de9ec7e, read 2026-08.
 */
import { toHex } from '../base/bytes.ts'
import type { Env } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import type { AddrPort } from '../base/ip.ts'
import { isLoopbackIp, parseAddrPort } from '../base/ip.ts'
import type { DiscoPublicKey, NodePublicKey } from '../base/keys.ts'
import { discoKey, isZeroKey, nodeKey, PrivateKey, shortKey } from '../base/keys.ts'
import type { DiscoPing, DiscoPong } from '../core/disco/message.ts'
import type { NetcheckReport } from '../core/netcheck/report.ts'
import type { PathView, UdpAddr } from '../core/path/types.ts'
import type { MagicsockConfig } from '../core/plan/types.ts'
import { openGeneve } from '../core/udprelay/geneve.ts'
import { isStun } from '../core/stun/stun.ts'
import type { DerpMap } from '../core/tailcfg/types.ts'
import { AfterMove } from './after-move.ts'
import { DiscoChannel } from './disco-channel.ts'
import { DiscoSender } from './disco-sender.ts'
import { isOpenToStrangers } from './local-endpoints.ts'
import { hasLoopbackRelay } from './netcheck-targets.ts'
import { Netchecker } from './netchecker.ts'
import { OwnEndpoints } from './own-endpoints.ts'
import { PeerDriver } from './peer-driver.ts'
import { PeerTable, type PeerEntry } from './peer-table.ts'
import { PeerRelaying, splitUdpAddr } from './peer-relaying.ts'
import type { Endpoint, LocalInterface, MagicsockFacts, NetcheckPorts, Paths, PortMapping, Relay, RelaySockets, Resolve, Underlay } from './ports.ts'
import type { PingAnswer } from './sent-pings.ts'
import { SentPings } from './sent-pings.ts'

/** A pong's source field for a ping that came through a relay: this address, the region as port. */
const RELAY_IP = '127.3.3.40'
const RESTUN_MIN_MS = 20_000
const RESTUN_SPREAD_MS = 6000
/** Addresses older than this are looked up again before the peer is called with them. */
const ENDPOINTS_FRESH_MS = 27_000
/** The same after a path failed: our own NAT may have forgotten us. */
const ENDPOINTS_DOUBTED_MS = 3000
/** A full packet of the tunnel in its WireGuard message: 16 bytes of header, 16 of tag. */
const LARGEST_DATAGRAM_BYTES = 1280 + 32
/** Padding from which on a ping counts as one that tests what size gets through. */
const SIZED_PADDING_BYTES = 1000
const MAX_PING_BYTES = 65_467

export interface MagicsockDeps {
  readonly env: Env
  readonly underlay: Underlay
  readonly relay: Relay
  readonly paths: Paths
  readonly interfaces: () => readonly LocalInterface[]
  readonly resolve?: Resolve
  /** Absent: nobody is asked for ports. */
  readonly portMapping?: PortMapping
  readonly netcheck?: NetcheckPorts
  /** Absent: this node cannot relay for others. */
  readonly relaySockets?: RelaySockets
}

export interface MagicsockModes {
  readonly alwaysDerp: boolean
  readonly neverDirectUdp: boolean
}

export class Magicsock {
  /** Paths through peer relays, and the relay that this node is for others. */
  readonly relaying: PeerRelaying
  readonly #deps: MagicsockDeps
  readonly #env: Env
  readonly #peers = new PeerTable()
  readonly #disco: DiscoChannel
  readonly #sent: SentPings
  readonly #sender: DiscoSender
  readonly #netchecker: Netchecker
  readonly #driver: PeerDriver
  #facts: MagicsockFacts | undefined
  #nodeKey: NodePublicKey | undefined
  #port = 0
  #derpMap: DerpMap = { Regions: {} }
  #relaysOnLoopback = false
  /** The map names no relay at all, so no look at the network will come before our addresses are told. */
  #isRelayless = false
  #modes: MagicsockModes = { alwaysDerp: false, neverDirectUdp: false }
  #endpoints: readonly Endpoint[] = []
  #isOpen = false
  readonly #own = new OwnEndpoints()
  #cancelRestun: (() => void) | undefined
  /** Peers to call again once our addresses are fresh. */
  readonly #callsWaiting = new Set<PeerEntry>()
  readonly #afterMove: AfterMove

  constructor(deps: MagicsockDeps) {
    this.#deps = deps
    this.#env = { ...deps.env, log: deps.env.log.part('magicsock') }
    this.#disco = new DiscoChannel(deps.env.random, this.#peers, PrivateKey.fromRandom(deps.env.random.bytes(32)), (key) => this.relaying.client.isRelay(key))
    this.relaying = new PeerRelaying({
      env: this.#env,
      underlay: deps.underlay,
      peers: this.#peers,
      disco: this.#disco,
      sockets: deps.relaySockets,
      interfaces: deps.interfaces,
      resolve: deps.resolve,
      sendRelayed: (entry, message) => this.#sender.overRelay(entry, entry.config.homeDerp || entry.heardRegion, message),
      sendPing: (entry, to, mark) => this.#sender.ping(entry, splitUdpAddr(to), undefined, 0, mark),
      onFound: (entry, addr, latencyMs) => this.#driver.drive(entry, (machine, nowMs) => machine.handlePeerRelay(nowMs, addr, latencyMs)),
      allowLoopback: () => this.#allowLoopback(),
      isOff: () => this.#modes.alwaysDerp,
    })
    this.#sent = new SentPings(deps.env.clock)
    this.#sender = new DiscoSender({ env: this.#env, disco: this.#disco, sent: this.#sent, underlay: deps.underlay, relay: deps.relay, nodeKey: () => this.#nodeKey })
    this.#driver = new PeerDriver({
      env: this.#env,
      paths: deps.paths,
      sendPing: (entry, to, pingId, sized) => this.#sender.ping(entry, splitUdpAddr(to), pingId, sized ? LARGEST_DATAGRAM_BYTES : 0),
      call: (entry, region, isDoubtful) => this.#call(entry, region, isDoubtful),
      isUdpOff: () => this.#modes.alwaysDerp,
      isDirectOff: () => this.#isDirectOff(),
      hasPeerRelay: (entry) => this.relaying.client.hasRelayFor(entry),
      findPeerRelay: (entry, why) => this.relaying.client.find(entry, why),
      allowLoopback: () => this.#allowLoopback(),
      isOpen: () => this.#isOpen,
      onPath: (view) => this.#facts?.onPath(view),
    })
    this.#afterMove = new AfterMove({
      env: this.#env,
      activePeers: () => this.#driver.activePeers,
      endpoints: () => this.#endpoints,
      call: (entry, region, endpoints, why) => this.#sendCall(entry, region, why, endpoints),
      lookAgain: (why) => {
        this.#own.forget()
        this.#check(false, why, true)
      },
    })
    this.#netchecker = new Netchecker(
      {
        env: this.#env,
        underlay: deps.underlay,
        interfaces: deps.interfaces,
        resolve: deps.resolve,
        ports: deps.netcheck ?? {},
        isReady: () => this.#nodeKey !== undefined && this.#port !== 0,
        heardAtMs: (region) => deps.relay.heardAtMs?.(region),
      },
      {
        onReport: () => this.#addressesFresh(),
        onNetInfo: (info) => this.#facts?.onNetInfo(info),
        onHome: (region) => {
          deps.relay.setHome(region)
          this.#facts?.onHome(region)
        },
      },
    )
  }

  get discoKey(): DiscoPublicKey {
    return this.#disco.publicKey
  }

  /** Ours from here on. Kept over a restart, peers answer at once, before the server has told them anything. */
  setDiscoKey(key: PrivateKey): void {
    if (this.#disco.setOwn(key)) this.relaying.client.reset()
    this.#deps.paths.setDiscoKey?.(this.#disco.publicKey)
  }

  start(facts: MagicsockFacts): void {
    this.#facts = facts
  }

  /** The UDP port that the data plane got; 0 = none. `isFixed`: it is the one that a person chose. */
  setPort(port: number, isFixed = true): void {
    if (port === this.#port) return
    this.#port = port
    this.#own.setPort(port, isFixed)
    this.#wantMapping()
    if (this.#mayTell) this.#publish()
    this.#check(true, 'the UDP port is another', true)
  }

  /** undefined: every datagram is dropped and nothing is looked for. */
  setNodeKey(key: NodePublicKey | undefined): void {
    if (key === this.#nodeKey) return
    this.#nodeKey = key
    this.#wantMapping()
    this.#netchecker.setNodeSeed(key ?? '')
    this.relaying.setUp(key !== undefined)
    this.#check(true, 'there is a node key')
  }

  setModes(modes: MagicsockModes): void {
    if (modes.alwaysDerp === this.#modes.alwaysDerp && modes.neverDirectUdp === this.#modes.neverDirectUdp) return
    this.#modes = modes
    for (const entry of this.#peers.values()) this.#driver.tellFacts(entry)
  }

  /** Addresses ("ip:port") that a person says we are reached at; told as they are. */
  setStaticEndpoints(all: readonly string[]): void {
    if (JSON.stringify(all) === JSON.stringify(this.#own.explicit)) return
    this.#own.explicit = all
    if (this.#mayTell) this.#publish()
  }

  /** Our address at the router; undefined = it gives none. */
  onPortMapping(external: AddrPort | undefined): void {
    this.#own.portMapped = external
    this.onPortMapServices()
    if (this.#mayTell) this.#publish()
  }

  /** What the router offers was found out, or whether a mapping of ours stands. */
  onPortMapServices(): void {
    const found = this.#deps.portMapping?.services()
    this.#netchecker.setPortMap({ upnp: found?.upnp, pmp: found?.pmp, pcp: found?.pcp, mapped: this.#own.portMapped !== undefined })
  }

  /** All peers and relays as they should be known. */
  setConfig(config: MagicsockConfig): void {
    const nowMs = this.#env.clock.nowMs()
    const isNewMap = config.derpMap !== this.#derpMap && JSON.stringify(config.derpMap) !== JSON.stringify(this.#derpMap)
    this.#derpMap = config.derpMap
    const loopbackBefore = this.#allowLoopback()
    if (isNewMap) this.#relaysOnLoopback = hasLoopbackRelay(config.derpMap)
    const { added, changed, removed } = this.#peers.set(nowMs, config.peers)
    for (const entry of removed) this.#forget(entry)
    if (removed.length > 0) this.#disco.retainKnown()
    const relaysChanged = this.relaying.setConfig(config)
    const again = loopbackBefore === this.#allowLoopback() && !relaysChanged ? [...added, ...changed] : this.#peers.values()
    for (const entry of again) this.#driver.tellFacts(entry)
    const wasRelayless = this.#isRelayless
    this.#isRelayless = Object.keys(config.derpMap.Regions).length === 0
    if (!isNewMap && this.#isRelayless === wasRelayless) return
    this.#netchecker.setMap(config.derpMap)
    this.#netchecker.keepHome(config.lastHome ?? 0)
    this.#check(true, 'the relay map is new', true)
  }

  /** A datagram from our UDP sockets that is not WireGuard, owned from here on. */
  handleDatagram(from: AddrPort, bytes: Uint8Array): void {
    if (isStun(bytes)) {
      if (!this.#netchecker.handleStun(bytes)) this.#disco.counters.stunUnexpected++
      return
    }
    const geneve = openGeneve(bytes)
    const opened = this.#open(geneve?.payload ?? bytes)
    if (!opened) return
    const { sender, message } = opened
    const at = geneve ? { ...from, vni: geneve.vni } : from
    if (message.kind === 'ping') this.#handleUdpPing(at, sender, message)
    else if (message.kind === 'pong') this.#handlePong(sender, message, geneve ? 'peer-relay' : 'direct')
    else if (!geneve?.isControl || !this.relaying.handleControl(from, geneve.vni, sender, message)) this.#disco.counters.discoRefused++
  }

  /** A disco packet from a relay, borrowed until return. */
  handleRelayed(region: number, from: NodePublicKey, bytes: Uint8Array): void {
    const entry = this.#peers.get(from)
    const opened = entry && this.#open(bytes)
    if (!entry || !opened) {
      if (!entry) this.#disco.counters.discoUnknownSender++
      return
    }
    const { sender, message } = opened
    if (sender !== entry.config.disco) {
      this.#disco.counters.discoRefused++
      return
    }
    this.#driver.noteHeard(entry, region)
    switch (message.kind) {
      case 'ping':
        if (this.#disco.isRepeated(entry, message)) return
        this.#sender.overRelay(entry, region, { kind: 'pong', txId: message.txId, src: { ip: RELAY_IP, port: region } })
        return
      case 'pong':
        this.#handlePong(sender, message, 'relay')
        return
      case 'call-me-maybe':
        this.#env.journal.add({ part: 'disco', kind: 'call-me-maybe-in', why: 'the peer wants a direct path', peer: from, region, count: message.endpoints.length })
        if (this.#isDirectOff()) this.#disco.counters.discoSwitchedOff++
        else this.#driver.drive(entry, (machine, nowMs) => machine.handleCallMeMaybe(nowMs, message.endpoints))
        return
      case 'call-me-maybe-via':
      case 'bind-relay':
      case 'bind-relay-challenge':
      case 'bind-relay-answer':
      case 'allocate-relay-request':
      case 'allocate-relay-response':
        if (!this.relaying.handleRelayed(entry, message)) this.#disco.counters.discoRefused++
    }
  }

  /** The peer that path finding met at an address; undefined: nobody, or it has not looked. */
  peerAt(addr: AddrPort): NodePublicKey | undefined {
    for (const { machine, config } of this.#peers.values()) if (machine?.knows(addr)) return config.key
    return undefined
  }

  /** Edges from the data plane. */
  handlePeerActivity(peer: NodePublicKey, kind: 'sending' | 'receiving' | 'idle'): void {
    const entry = this.#peers.get(peer)
    if (!entry) return
    const heardAt = this.#deps.relay.routeOf(peer)
    if (heardAt !== undefined) this.#driver.noteHeard(entry, heardAt)
    this.#driver.handleActivity(entry, kind)
    this.#restunWhileActive()
  }

  /** Only 'unreachable' says something about a path. */
  handleSendError(to: AddrPort, code: string): void {
    if (code !== 'unreachable') return
    this.#driver.handleUnreachable(this.#peers.values(), to)
    this.#netchecker.handleUnreachable(to)
  }

  handlePeerGone(region: number, peer: NodePublicKey): void {
    const entry = this.#peers.get(peer)
    if (entry) this.#driver.handlePeerGone(entry, region)
  }

  /**
   * `major`: addresses or default routes are others; nothing that was proven holds. `isSamePlace`: only time has passed, so
   * what was proven is doubted and used beside the relay until it has answered or not.
   */
  handleNetworkChange(why: string, major: boolean, isSamePlace = false): void {
    if (major && !isSamePlace) this.#own.forget()
    this.#env.journal.add({ part: 'magicsock', kind: 'network-change', why, major })
    if (major) this.#afterMove.handleMove()
    for (const entry of this.#peers.values()) {
      if (entry.machine) this.#driver.drive(entry, (machine, nowMs) => machine.handleNetworkChange(nowMs, why, major, isSamePlace))
    }
    if (major) this.relaying.handleNetworkChange()
    this.#deps.relay.handleNetworkChange?.(why)
    this.#check(major, why, major)
  }

  /** A peer told its disco key inside the tunnel: authentic, and newer than what a server that is away can say. */
  handleTsmpDiscoKey(peer: NodePublicKey, raw32: Uint8Array): void {
    const entry = this.#peers.get(peer)
    const disco = discoKey(raw32)
    if (!entry || entry.config.wireGuardOnly === true || isZeroKey(disco) || !this.#peers.tellDisco(entry, disco)) return
    this.#env.journal.add({ part: 'disco', kind: 'key-told', why: 'the peer told another disco key than the map does', peer, disco: shortKey(disco) })
    this.#env.log.info(`peer ${entry.config.id}: another disco key, told by itself`)
    this.#driver.tellFacts(entry)
    if (entry.machine) this.#driver.drive(entry, (machine, nowMs) => machine.handleKeyChange(nowMs))
  }

  /** Disco keys in use, by node key. */
  discoKeys(): ReadonlyMap<NodePublicKey, DiscoPublicKey> {
    return new Map([...this.#peers.values()].flatMap(({ config }) => (config.disco === undefined ? [] : [[config.key, config.disco] as const])))
  }

  /** The connections to relays: a home that is lost may have to move. */
  handleRelayState(region: number, state: 'connecting' | 'connected' | 'lost'): void {
    if (state === 'connected') this.#afterMove.handleRelayOpened(region)
    this.#netchecker.handleRelayState(region, state)
  }

  /** Looks at the network and keeps the home relay. */
  get netchecker(): Netchecker {
    return this.#netchecker
  }

  /**
   * Round trip of one disco ping, `sizeBytes` of its datagram without IP and UDP headers (0 = as small as it is). Starts looking for a direct
   * path. Rejects with no-such-peer, not-supported, timeout.
   */
  ping(peer: NodePublicKey, sizeBytes: number, timeoutMs: number): Promise<PingAnswer> {
    const entry = this.#peers.get(peer)
    if (!entry) return Promise.reject(new EngineError('no-such-peer', 'there is no such peer in the network map'))
    if (entry.config.disco === undefined) return Promise.reject(new EngineError('not-supported', 'the peer cannot be pinged this way'))
    if (sizeBytes > MAX_PING_BYTES) return Promise.reject(new EngineError('bad-argument', `a ping has at most ${MAX_PING_BYTES} bytes`))
    return this.#sent.ask(entry, sizeBytes, timeoutMs, () => {
      this.#driver.drive(entry, (machine, nowMs) => machine.handlePingRequest(nowMs))
      this.#sender.askPing(entry, sizeBytes)
    })
  }

  paths(): ReadonlyMap<NodePublicKey, PathView> {
    return new Map([...this.#peers.values()].map((entry) => [entry.config.key, this.#driver.view(entry)]))
  }

  /** The path of one peer; undefined when it is not one of ours. */
  pathTo(peer: NodePublicKey): PathView | undefined {
    const entry = this.#peers.get(peer)
    return entry && this.#driver.view(entry)
  }

  /** A report that starts now; `full`: of every region. */
  async netcheck(full = true): Promise<NetcheckReport> {
    const [report, found] = await Promise.all([this.#netchecker.report(full), this.#deps.portMapping?.probe('a report was asked for')])
    const why = this.#deps.portMapping?.why
    return { ...report, ...found, ...(why === undefined ? {} : { portMapping: { external: this.#own.portMapped, why } }) }
  }

  /** This machine's own network, as far as it was looked at. */
  network(): { readonly report: NetcheckReport | undefined; readonly interfaces: readonly LocalInterface[] } {
    return { report: this.#netchecker.lastReport, interfaces: this.#deps.interfaces() }
  }

  counters(): Record<string, number> {
    return { ...this.#disco.counters, ...this.relaying.counters() }
  }

  stop(): void {
    this.#nodeKey = undefined
    this.#driver.stop()
    this.relaying.stop()
    this.#cancelRestun?.()
    this.#netchecker.stop()
    this.#afterMove.stop()
    this.#sent.drop(undefined, () => new EngineError('aborted', 'the engine is stopping'))
  }

  /** A disco message of any peer, while we are somebody ourselves. */
  #open(bytes: Uint8Array): ReturnType<DiscoChannel['open']> {
    if (this.#nodeKey !== undefined) return this.#disco.open(bytes)
    this.#disco.counters.discoNoKey++
    return undefined
  }

  #handleUdpPing(from: UdpAddr, sender: DiscoPublicKey, ping: DiscoPing): void {
    if (from.vni === undefined ? this.#isDirectOff() : this.#modes.alwaysDerp) {
      this.#disco.counters.discoSwitchedOff++
      return
    }
    const sharing = this.#peers.withDisco(sender)
    // A relay itself has nothing to ping us for.
    if (sharing.length === 0) this.#disco.counters.discoRefused++
    if (sharing.length === 0 || this.#disco.isRepeated(sharing[0]!, ping)) return
    const named = ping.nodeKey && nodeKey(ping.nodeKey)
    const entry = named === undefined ? (sharing.length === 1 ? sharing[0] : undefined) : sharing.find((one) => one.config.key === named)
    const isSized = ping.paddingBytes >= SIZED_PADDING_BYTES
    if (entry?.machine?.answersPing(from, isSized) === false) {
      this.#disco.counters.discoPongWithheld++
      return
    }
    const pong = this.#disco.seal(sender, { kind: 'pong', txId: ping.txId, src: from })
    if (pong) this.#sender.toAddr(from, pong)
    if (entry && from.vni !== undefined) this.relaying.client.handlePing(entry, from)
    else if (entry) this.#driver.drive(entry, (machine, nowMs) => machine.handlePing(nowMs, from, isSized))
  }

  #handlePong(sender: DiscoPublicKey, pong: DiscoPong, cameBy: PingAnswer['via']['kind']): void {
    const ping = this.#sent.take(toHex(pong.txId))
    if (!ping || ping.entry.config.disco !== sender || ping.via.kind !== cameBy) {
      this.#disco.counters.discoUnexpectedPong++
      return
    }
    const nowMs = this.#env.clock.nowMs()
    if (cameBy === 'relay') ping.entry.relayed = { latencyMs: nowMs - ping.sentMs, atMs: nowMs }
    if (ping.via.kind === 'direct') this.#afterMove.handlePong(ping.entry, ping.via.addr, pong.src)
    this.#sent.answer(ping, nowMs - ping.sentMs)
    const { pingId, mark } = ping
    if (mark) this.relaying.client.handlePong(ping.entry, mark)
    if (pingId !== undefined) this.#driver.drive(ping.entry, (machine, nowMs) => machine.handlePong(nowMs, pingId))
  }

  /** Tells the peer our addresses over its relay; stale ones are told and, after a look, told again. */
  #call(entry: PeerEntry, region: number, isDoubtful: boolean): void {
    const ageMs = this.#env.clock.nowMs() - this.#netchecker.lastRunMs
    const isStale = ageMs > (isDoubtful ? ENDPOINTS_DOUBTED_MS : ENDPOINTS_FRESH_MS)
    if (isStale || this.#netchecker.isRunning) this.#callsWaiting.add(entry)
    if (isStale) this.#check(false, isDoubtful ? 'a direct path failed, so our addresses may be others' : 'a peer is called and our addresses are old')
    if (this.#endpoints.length > 0) this.#sendCall(entry, region)
  }

  #sendCall(entry: PeerEntry, region: number, why = 'no direct path yet', all = this.#endpoints): void {
    const endpoints = all.map((one) => parseAddrPort(one.addr)!).slice(0, 60)
    this.#env.journal.add({ part: 'disco', kind: 'call-me-maybe-out', why, peer: entry.config.key, region, count: endpoints.length })
    this.#sender.overRelay(entry, region, { kind: 'call-me-maybe', endpoints })
  }

  /** A netcheck settled or ended. */
  #addressesFresh(): void {
    const changed = this.#publish()
    this.#afterMove.handleAddresses()
    const waiting = [...this.#callsWaiting]
    this.#callsWaiting.clear()
    if (!changed) return
    for (const entry of waiting) {
      const path = entry.path
      if ('region' in path && this.#peers.get(entry.config.key) === entry) this.#sendCall(entry, path.region)
    }
  }

  /** Tells our addresses when they are others than before. */
  #publish(): boolean {
    if (this.#port === 0) return false
    const endpoints = this.#own.list(this.#env.clock.nowMs(), this.#netchecker.lastReport, this.#deps.interfaces())
    if (JSON.stringify(endpoints) === JSON.stringify(this.#endpoints)) return false
    const loopbackBefore = this.#allowLoopback()
    const openBefore = this.#isOpen
    this.#endpoints = endpoints
    this.#isOpen = isOpenToStrangers(endpoints, this.#deps.interfaces())
    this.#env.journal.add({ part: 'magicsock', kind: 'endpoints', why: 'our addresses changed', endpoints })
    this.#env.log.info(`endpoints changed (${endpoints.length} known)`)
    if (loopbackBefore !== this.#allowLoopback() || openBefore !== this.#isOpen) for (const entry of this.#peers.values()) this.#driver.tellFacts(entry)
    this.#facts?.onEndpoints(endpoints)
    return true
  }

  /** Addresses are told once somebody outside has seen us, or nobody will. */
  get #mayTell(): boolean {
    return this.#netchecker.lastReport !== undefined || this.#isRelayless
  }

  /** A netcheck, when there is what it takes. */
  #check(full: boolean, why: string, fresh = false): void {
    if (this.#nodeKey === undefined || this.#port === 0) return
    this.#deps.portMapping?.want(why)
    if (this.#isRelayless) this.#publish()
    else this.#netchecker.start(full, why, fresh)
  }

  /** Nobody is reached who has no key. */
  #wantMapping(): void {
    this.#deps.portMapping?.setPort(this.#nodeKey === undefined ? 0 : this.#port)
  }

  /** NAT mappings live by use and our address may change: looks again while there is traffic. */
  #restunWhileActive(): void {
    if (this.#driver.activeCount === 0) {
      this.#cancelRestun?.()
      this.#cancelRestun = undefined
      return
    }
    this.#cancelRestun ??= this.#env.clock.after(RESTUN_MIN_MS + this.#env.random.unit() * RESTUN_SPREAD_MS, () => {
      this.#cancelRestun = undefined
      this.#check(false, 'there is traffic')
      this.#restunWhileActive()
    })
  }

  #isDirectOff(): boolean {
    return this.#modes.alwaysDerp || this.#modes.neverDirectUdp
  }

  /** On a machine that holds a whole tailnet (tests, the demo) peers are on loopback, and so are the relays. */
  #allowLoopback(): boolean {
    return this.#relaysOnLoopback || this.#endpoints.some((one) => isLoopbackIp(parseAddrPort(one.addr)!.ip))
  }

  #forget(entry: PeerEntry): void {
    this.#driver.forget(entry)
    this.relaying.client.forget(entry)
    this.#callsWaiting.delete(entry)
    this.#sent.drop(entry, () => new EngineError('no-such-peer', 'the peer left the network map'))
    this.#restunWhileActive()
  }

}
