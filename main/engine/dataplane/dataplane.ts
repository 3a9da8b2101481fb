/**
 * The data plane as the engine sees it: tables down, facts up. The packets themselves stay in the native packet thread.
 *
 *   stopped → running (start) → stopped (stop) | failed (the packet thread died: onFailed, calls throw)
 *
 * Wanted tables are kept here and only their difference is sent. Facts come in batches: one wake-up, then `drain` until it is
 * dry; a long backlog is read in slices, so that the event loop breathes. Descriptors in records become sockets here.
 */
import { Socket } from 'node:net'
import type { Env } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import type { ErrorCode } from '../base/errors.ts'
import { formatAddrPort, type AddrPort } from '../base/ip.ts'
import { keyBytes } from '../base/keys.ts'
import type { DiscoPublicKey, NodePublicKey, PrivateKey } from '../base/keys.ts'
import type { Path } from '../core/path/types.ts'
import type { DataplaneConfig } from '../core/plan/types.ts'
import type { DataplaneFacts, ForwardCount, Native, PeerStats, Plane, ProxyAnswer, ServedFlows, TunDevice } from './ports.ts'
import { eachRecord } from './records.ts'
import { parseRelayCounts } from './relay-counts.ts'
import type { NativeRecord } from './records.ts'
import { parseServed, parseStats, parseStatsOf } from './stats.ts'
import { diffTables, encodeTables } from './tables.ts'

const MTU = 1280
const DRAIN_BYTES = 256 << 10
/** Batches read before the event loop gets a turn. */
const DRAINS_A_TURN = 8
/** The packet thread forgets a ping after so long. */
const PING_PATIENCE_MS = 10_000
const PROXY_KINDS = { socks5: 0, http: 1, both: 2 } as const
const DIAL_CODES: Readonly<Record<string, ErrorCode>> = { 'timed-out': 'timeout', blocked: 'access-denied', refused: 'connection-refused', cancelled: 'aborted' }
const REFUSALS = { 'no-such-host': 2, 'not-allowed': 3, unreachable: 4 } as const

interface Waiting<T> {
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
}

type Pong = { latencyMs: number; peerApiPort?: number }

export class Dataplane {
  readonly #env: Env
  readonly #native: Native
  readonly #buffer = new Uint8Array(DRAIN_BYTES)
  #plane: Plane | undefined
  #facts: DataplaneFacts | undefined
  #config: DataplaneConfig | undefined
  #discoKey: DiscoPublicKey | undefined
  #device: TunDevice | undefined
  #onTunGone: ((why: string) => void) | undefined
  #nextId = 1
  readonly #dials = new Map<number, Waiting<Socket>>()
  readonly #pings = new Map<number, Waiting<Pong>>()
  readonly #exchanges = new Map<number, Waiting<Uint8Array>>()

  constructor(deps: { env: Env; native: Native }) {
    this.#env = deps.env
    this.#native = deps.native
  }

  /** Binds UDP for both families (a taken port gives any) and starts the packet thread; throws EngineError. */
  start(options: { port: number; bindLoopbackOnly?: boolean }, facts: DataplaneFacts): { port: number } {
    this.#facts = facts
    this.#config = undefined
    this.#plane = this.#native.startPlane(
      {
        port: options.port,
        loopbackOnly: options.bindLoopbackOnly ?? false,
        dontFragment: false,
        mtu: MTU,
        seed: this.#env.random.unit(),
      },
      () => this.#drain(),
    )
    if (this.#discoKey) this.#plane.setDiscoKey(keyBytes(this.#discoKey))
    const port = this.#plane.port()
    this.#env.journal.add({ part: 'dataplane', kind: 'started', port, why: port === options.port ? 'on the wanted port' : 'on any port' })
    this.#env.log.part('dataplane').info(`stopped → running (UDP port ${port})`)
    return { port }
  }

  /** Ends the packet thread and everything that waits for it. */
  stop(): void {
    const plane = this.#plane
    if (!plane) return
    this.#plane = undefined
    this.#device = undefined
    plane.stop()
    this.#failWaiting('aborted', 'the data plane was stopped')
    this.#env.journal.add({ part: 'dataplane', kind: 'stopped' })
    this.#env.log.part('dataplane').info('running → stopped (asked to)')
  }

  /** Our node key; another one, or none, ends every session. */
  setPrivateKey(key: PrivateKey | undefined): void {
    this.#running().setPrivateKey(key?.bytes())
  }

  /** The whole wanted tables. A new filter is in force, open flows included, before packets that come after it are judged. */
  setConfig(config: DataplaneConfig): 'changed' | 'unchanged' {
    const delta = diffTables(this.#config, config)
    this.#config = config
    if (!delta) return 'unchanged'
    this.#running().setTables(encodeTables(delta))
    const { upserts, removes, filter } = delta
    this.#env.journal.add({
      part: 'dataplane', kind: 'tables', upserted: upserts.length, removed: removes.length, filterRules: filter?.matches.length,
    })
    return 'changed'
  }

  /** Which way a peer's packets go from here on. */
  setPath(peer: NodePublicKey, path: Path): void {
    const addr = 'addr' in path ? path.addr : { ip: '0.0.0.0', port: 0 }
    const region = 'region' in path ? path.region : 0
    const vni = ('vni' in path ? path.vni : undefined) ?? 0
    const kind = { none: 0, direct: 1, 'peer-relay': 1, relay: 2, both: 3 }[path.kind]
    this.#running().setPath(keyBytes(peer), kind, addr.ip, addr.port, vni, region)
  }

  /** One datagram from our UDP sockets; lost when the data plane is not running or far behind. */
  sendUdp(to: AddrPort, bytes: Uint8Array): void {
    this.#plane?.sendUdp(to.ip, to.port, bytes)
  }

  /** Whole RecvPacket frames of a relay, WireGuard only. */
  injectRelayFrames(region: number, frames: Uint8Array): void {
    this.#plane?.relayFrames(region, frames)
  }

  /** Opens a proxy; throws EngineError('address-in-use'). */
  listenProxy(kind: 'socks5' | 'http' | 'both', addr: AddrPort): AddrPort {
    try {
      return this.#running().listenProxy(PROXY_KINDS[kind], addr.ip, addr.port)
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      throw new EngineError(error.code, `cannot listen on ${formatAddrPort(addr)} for the proxy: ${error.message}`, { cause: error })
    }
  }

  /** The decision on a ProxyRequest; an unknown or late id is ignored. */
  answerProxy(id: number, answer: ProxyAnswer): void {
    const plane = this.#plane
    if (answer.kind === 'engine') plane?.answerProxyEngine(id, answer.to.ip, answer.to.port)
    else if (answer.kind === 'refuse') plane?.answerProxy(id, REFUSALS[answer.code], [], 0, answer.message)
    else plane?.answerProxy(id, answer.kind === 'tunnel' ? 0 : 1, answer.addresses, answer.port, '')
  }

  /** Closes a proxy; its connections stay. */
  closeProxy(addr: AddrPort): void {
    this.#plane?.closeProxy(addr.ip, addr.port)
  }

  /** What HTTP proxies have as /proxy.pac, at most 64 KiB; undefined = nothing. */
  setPac(pac: string | undefined): void {
    this.#plane?.setPac(pac)
  }

  /** Opens a loopback port whose connections ask with `id` where they lead to; port 0 = any. Throws EngineError. */
  listenForward(id: number, proto: 'tcp' | 'udp', addr: AddrPort): AddrPort {
    return this.#running().listenForward(id, proto === 'udp', addr.ip, addr.port)
  }

  /** Closes a forward and every connection by it. */
  closeForward(id: number): void {
    this.#plane?.closeForward(id)
  }

  forwardCounts(): readonly ForwardCount[] {
    return this.#plane?.forwardCounts() ?? []
  }

  /** The answer to an engine datagram; a late or second one is ignored. */
  answerDatagram(id: number, bytes: Uint8Array): void {
    this.#plane?.answerDatagram(id, bytes)
  }

  /**
   * What was decided for clients of proxies and forwards counts no more: connections past the tunnel are reset, and every
   * destination of datagrams is asked for anew.
   */
  forgetDecisions(): void {
    this.#plane?.forgetDecisions()
  }

  /** The TCP port of our addresses whose streams come up as `onInboundStream`, told in TSMP pongs too; 0 = none. Other ports lead to the loopback interface. */
  setPeerApiPort(port: number): void {
    this.#running().setEnginePorts(port === 0 ? [] : [port])
  }

  /** TCP through the tunnel; rejects with EngineError. */
  dial(ip: string, port: number, timeoutMs: number): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++
      this.#running().dial(id, ip, port, timeoutMs)
      this.#dials.set(id, { resolve, reject })
    })
  }

  /** One datagram through the tunnel, and the first answer from that very place; rejects with EngineError('timeout') when there is none. */
  udpExchange(ip: string, port: number, bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++
      this.#running().exchangeUdp(id, ip, port, bytes, timeoutMs)
      this.#exchanges.set(id, { resolve, reject })
    })
  }

  /** Round trip to a peer's stack; rejects with EngineError('timeout') when no answer comes. */
  ping(kind: 'tsmp' | 'icmp', ip: string, sizeBytes: number, timeoutMs: number): Promise<Pong> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++
      this.#running().ping(id, kind === 'icmp', ip, sizeBytes)
      const late = (): void => {
        if (this.#pings.delete(id)) reject(new EngineError('timeout', `no answer from ${ip} within ${timeoutMs} ms`))
      }
      const cancel = this.#env.clock.after(Math.min(timeoutMs, PING_PATIENCE_MS), late)
      this.#pings.set(id, {
        resolve: (pong) => {
          cancel()
          resolve(pong)
        },
        reject: (error) => {
          cancel()
          reject(error)
        },
      })
    })
  }

  stats(): ReadonlyMap<NodePublicKey, PeerStats> {
    return this.#plane ? parseStats(this.#plane.stats()) : new Map()
  }

  statsOf(peer: NodePublicKey): PeerStats | undefined {
    return this.#plane && parseStatsOf(this.#plane.stats(), peer)
  }

  /** Flows of others to other machines that are open now. */
  served(): readonly ServedFlows[] {
    return this.#plane ? parseServed(this.#plane.served()) : []
  }

  /** The end of onEchoWanted: whether the destination answered. */
  answerEcho(id: number, answered: boolean): void {
    this.#plane?.answerEcho(id, answered)
  }

  counters(): Record<string, number> {
    return this.#plane?.counters() ?? {}
  }

  /** Which tunnel address stands behind a loopback source of an inbound flow. */
  flowOwner(proto: 'tcp' | 'udp', local: AddrPort): AddrPort | undefined {
    return this.#plane?.flowOwner(proto === 'tcp' ? 6 : 17, local.ip, local.port)
  }

  /** New UDP sockets, on the first of `ports` that is free, else on any; the port that it became. */
  rebind(ports: readonly number[]): number {
    return this.#running().rebind(ports)
  }

  /** Our disco key as peers learn it inside the tunnel; undefined = they do not. */
  setDiscoKey(key: DiscoPublicKey | undefined): void {
    if (key === this.#discoKey) return
    this.#discoKey = key
    this.#plane?.setDiscoKey(key && keyBytes(key))
  }

  /** Opens the sockets on which this node relays for others; the port that they got. Throws EngineError. */
  relayListen(port: number): number {
    return this.#running().relayListen(port)
  }

  relayClose(): void {
    this.#plane?.relayClose()
  }

  /** Forwards between two addresses in a session from here on; an end that is not bound yet gets nothing. */
  relayBind(vni: number, a: AddrPort | undefined, b: AddrPort | undefined): void {
    this.#plane?.relayBind(vni, a?.ip ?? '', a?.port ?? 0, b?.ip ?? '', b?.port ?? 0)
  }

  relayForget(vni: number): void {
    this.#plane?.relayForget(vni)
  }

  /** One datagram from the relay's sockets; lost when the data plane is not running or far behind. */
  relaySend(to: AddrPort, bytes: Uint8Array): void {
    this.#plane?.relaySend(to.ip, to.port, bytes)
  }

  relaySessions(): ReturnType<typeof parseRelayCounts> {
    return this.#plane ? parseRelayCounts(this.#plane.relaySessions()) : new Map()
  }

  /** Makes the tunnel's device: not up, without addresses. Sessions, paths and flows stay. Throws EngineError. */
  openTun(want: { readonly name: string; readonly mtu: number }): TunDevice {
    const device = this.#running().openTun(want.name, want.mtu)
    this.#device = device
    const offloads = [device.tcpOffload && 'TCP', device.udpOffload && 'UDP'].filter(Boolean).join(' and ')
    this.#env.journal.add({ part: 'dataplane', kind: 'tun-opened', device: device.name, index: device.index, why: `offloads: ${offloads || 'none'}` })
    this.#env.log.part('dataplane').info(`no device → ${device.name} (offloads: ${offloads || 'none'})`)
    return device
  }

  /** The device is gone when this returns; nothing happens where there is none. */
  closeTun(): void {
    if (!this.#plane) return
    this.#plane.closeTun()
    if (!this.#device) return
    this.#device = undefined
    this.#env.journal.add({ part: 'dataplane', kind: 'tun-closed', why: 'asked to' })
    this.#env.log.part('dataplane').info('device → no device (asked to)')
  }

  /** Who passes on what peers send to other machines, while there is a device. */
  setForwarding(by: 'system' | 'engine'): void {
    this.#running().setForwarding(by === 'system')
  }

  /** Marks the packet sockets, and all that replace them; undefined = no mark. Throws EngineError('access-denied' | 'not-supported'). */
  setMark(mark: number | undefined): void {
    this.#running().setMark(mark)
  }

  /** One listener that hears of the device's end, beside the facts. */
  onTunGone(call: (why: string) => void): void {
    this.#onTunGone = call
  }

  get isRunning(): boolean {
    return this.#plane !== undefined
  }

  get hasTun(): boolean {
    return this.#device !== undefined
  }

  #running(): Plane {
    if (!this.#plane) throw new EngineError('native-failed', 'the data plane is not running')
    return this.#plane
  }

  #drain(): void {
    for (let i = 0; i < DRAINS_A_TURN; i++) {
      const length = this.#plane?.drain(this.#buffer) ?? 0
      if (length === 0) return
      eachRecord(this.#buffer, length, (record) => this.#handle(record))
    }
    setImmediate(() => this.#drain())
  }

  #handle(record: NativeRecord): void {
    const facts = this.#facts
    if (!facts) return
    switch (record.kind) {
      case 'unclaimed':
        return facts.onUnclaimed(record.from, record.bytes)
      case 'relay-frames':
        return facts.onRelayFrames(record.region, record.frames)
      case 'activity':
        return facts.onPeerActivity(record.peer, record.activity)
      case 'handshake':
        return facts.onHandshake(record.peer)
      case 'unknown-peer':
        return facts.onUnknownPeer(record.key)
      case 'direct-proof':
        return facts.onDirectProof?.(record.peer, record.from)
      case 'stray':
        return facts.onStray?.(record.from)
      case 'send-error':
        return facts.onSendError(record.to, record.code)
      case 'proxy-request':
        return facts.onProxyRequest({ id: record.id, via: record.via, host: record.host, port: record.port })
      case 'inbound-stream':
        return facts.onInboundStream({ socket: socketOf(record.fd), from: record.from, to: record.to })
      case 'forward-request':
        return facts.onForwardRequest?.({ id: record.id, forward: record.forward, from: record.from })
      case 'forward-failed':
        return facts.onForwardFailed?.(record.forward, record.code)
      case 'engine-datagram':
        return facts.onEngineDatagram?.({ id: record.id, from: record.from, to: record.to, bytes: record.bytes })
      case 'rejected':
        return facts.onRejected(record.reject)
      case 'unanswered':
        return facts.onUnanswered?.(record.to)
      case 'tun-gone':
        return this.#tunGone(record.why)
      case 'no-route':
        return facts.onNoRoute?.({ proto: record.proto, from: record.from, to: record.to })
      case 'relay-control':
        return facts.onRelayControl?.(record.from, record.bytes)
      case 'disco-key':
        return facts.onTsmpDiscoKey(record.peer, record.disco)
      case 'exchanged':
        return this.#exchanged(record)
      case 'echo-wanted':
        return facts.onEchoWanted ? facts.onEchoWanted(record.id, record.to) : this.answerEcho(record.id, false)
      case 'dial-done':
        return this.#dialDone(record)
      case 'pong':
      case 'ping-failed':
        return this.#pingDone(record)
      case 'failed':
        return this.#failed(record.code, record.message)
    }
  }

  #dialDone({ id, fd, code }: Extract<NativeRecord, { kind: 'dial-done' }>): void {
    const waiting = this.#dials.get(id)
    this.#dials.delete(id)
    if (fd < 0) {
      waiting?.reject(new EngineError(DIAL_CODES[code] ?? 'io', `dial through the tunnel: ${code}`))
      return
    }
    const socket = socketOf(fd)
    if (waiting) waiting.resolve(socket)
    else socket.destroy()
  }

  #exchanged({ id, answer }: Extract<NativeRecord, { kind: 'exchanged' }>): void {
    const waiting = this.#exchanges.get(id)
    this.#exchanges.delete(id)
    if (answer) waiting?.resolve(answer)
    else waiting?.reject(new EngineError('timeout', 'no answer came through the tunnel'))
  }

  #pingDone(record: Extract<NativeRecord, { kind: 'pong' | 'ping-failed' }>): void {
    const waiting = this.#pings.get(record.id)
    this.#pings.delete(record.id)
    if (record.kind === 'ping-failed') {
      waiting?.reject(new EngineError('timeout', 'the ping could not be sent or had no answer'))
      return
    }
    const { latencyMs, peerApiPort } = record
    waiting?.resolve(peerApiPort === undefined ? { latencyMs } : { latencyMs, peerApiPort })
  }

  #tunGone(why: string): void {
    this.#env.journal.add({ part: 'dataplane', kind: 'tun-gone', why })
    this.#env.log.part('dataplane').warn(`device → gone (${why})`)
    this.#facts?.onTunGone?.(why)
    this.#onTunGone?.(why)
  }

  #failed(code: string, message: string): void {
    this.#failWaiting('native-failed', message)
    this.#env.journal.add({ part: 'dataplane', kind: 'failed', code, why: message })
    this.#env.log.part('dataplane').error(`running → failed (${message})`)
    this.#facts?.onFailed(code, message)
  }

  #failWaiting(code: 'aborted' | 'native-failed', message: string): void {
    const waiting = [...this.#dials.values(), ...this.#pings.values(), ...this.#exchanges.values()]
    this.#dials.clear()
    this.#exchanges.clear()
    this.#pings.clear()
    for (const one of waiting) one.reject(new EngineError(code, message))
  }
}

/** A stream over a descriptor that is ours from here on. */
function socketOf(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: true })
}
