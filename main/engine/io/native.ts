/**
 * The door to the native add-on: finds, loads and types it. The only file that imports it.
 *
 * The add-on lies at native/bowline.<platform>-<arch>.node, in this checkout or beside a bundle. Its errors are texts
 * "code: sentence" and leave here as EngineError. Buffers given to it are borrowed until the call returns.
 */
import { createRequire } from 'node:module'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EngineError } from '../base/errors.ts'
import type { ErrorCode } from '../base/errors.ts'

export interface NativeAddress {
  readonly ip: string
  readonly port: number
}

export interface PlaneOptions {
  /** 0, or one that is taken, gives any. */
  readonly port: number
  readonly loopbackOnly: boolean
  readonly dontFragment: boolean
  /** SO_MARK, Linux only. */
  readonly mark?: number
  /** Largest inner packet, bytes. */
  readonly mtu: number
  /** Any random number. */
  readonly seed: number
}

/** One packet thread. Commands return at once and run in order, unless they give an answer. */
export interface NativePlane {
  port(): number
  /** Copies whole records into `out` (128 KiB or more) and returns how many bytes. */
  drain(out: Uint8Array): number
  setPrivateKey(key: Uint8Array | undefined): void
  setTables(message: Uint8Array): void
  setEnginePorts(ports: readonly number[]): void
  setPath(peer: Uint8Array, kind: number, ip: string, port: number, vni: number, region: number): void
  sendUdp(ip: string, port: number, datagram: Uint8Array): void
  relayFrames(region: number, frames: Uint8Array): void
  listenProxy(kind: number, ip: string, port: number): NativeAddress
  answerProxy(id: number, kind: number, addresses: readonly string[], port: number, message: string): void
  answerProxyEngine(id: number, ip: string, port: number): void
  closeProxy(ip: string, port: number): boolean
  setPac(pac: string | undefined): void
  listenForward(id: number, udp: boolean, ip: string, port: number): NativeAddress
  closeForward(id: number): boolean
  forwardCounts(): readonly { readonly id: number; readonly open: number; readonly total: number }[]
  answerDatagram(id: number, bytes: Uint8Array): void
  exchangeUdp(id: number, ip: string, port: number, datagram: Uint8Array, timeoutMs: number): void
  forgetDecisions(): void
  dial(id: number, ip: string, port: number, timeoutMs: number): void
  ping(id: number, icmp: boolean, ip: string, sizeBytes: number): void
  answerEcho(id: number, answered: boolean): void
  served(): Uint8Array
  stats(): Uint8Array
  counters(): Record<string, number>
  flowOwner(proto: number, ip: string, port: number): NativeAddress | undefined
  /** On the first of these that is free, else on any. */
  rebind(ports: readonly number[]): number
  relayListen(port: number): number
  relayClose(): void
  relayBind(vni: number, ipA: string, portA: number, ipB: string, portB: number): void
  relayForget(vni: number): void
  relaySend(ip: string, port: number, datagram: Buffer): void
  relaySessions(): Buffer
  setDiscoKey(key?: Buffer): void
  /** A device that is not up and has no addresses. */
  openTun(name: string, mtu: number): { readonly name: string; readonly index: number; readonly tcpOffload: boolean; readonly udpOffload: boolean }
  closeTun(): void
  setForwarding(bySystem: boolean): void
  /** SO_MARK of the sockets to the network; undefined = none. */
  setMark(mark: number | undefined): void
  stop(): void
}

export interface Credentials {
  /** 0 where the system does not tell. */
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

export interface NativeRoute {
  readonly interface: string
  readonly gateway?: string
  /** The address that packets leave with. */
  readonly source?: string
}

export interface NativeNetworkState {
  readonly interfaces: readonly { readonly name: string; readonly ip: string; readonly prefix: number; readonly internal: boolean; readonly up: boolean }[]
  readonly defaultRoute4?: NativeRoute
  readonly defaultRoute6?: NativeRoute
}

/** What keeps a socket out of the tunnel: SO_MARK (Linux) or the number of an interface (macOS); 0 takes it back. */
export interface NativeWay {
  readonly mark?: number
  readonly interface?: number
}

/** Descriptors belong to whoever asked for them. */
export interface NativeWires {
  /** TCP, not connected. */
  openStream(v6: boolean, way: NativeWay): number
  /** UDP, bound. */
  openDatagram(ip: string, port: number, way: NativeWay): number
  steer(fd: number, way: NativeWay): void
}

export interface PolicyNews {
  /** Links and addresses. */
  readonly links: boolean
  readonly rules: boolean
  readonly routes: boolean
  readonly firewall: boolean
}

export interface NativeBinding {
  /** Binds and starts; `wake` runs when records wait, and does not keep the process alive. */
  startPlane(options: PlaneOptions, wake: () => void): NativePlane
  /** Who is at the other end of a connected Unix socket; undefined when that cannot be told. */
  readonly peerCredentials: (fd: number) => Credentials | undefined
  /** Lets go of memory that only the start needed; gives the bytes of program pages that were resident. */
  readonly giveBackMemory: () => number
  /**
   * Calls with 'change' on changes of links, addresses or routes, with 'wake' when the machine slept; gives the way to stop.
   * Absent where the system has no such events.
   */
  readonly watchLinks: ((tell: (event: 'change' | 'wake') => void) => () => void) | undefined
  /** Calls on changes of what steers packets here, `table` being the one whose routes count; gives the way to stop. Linux alone. */
  readonly watchPolicy: ((table: number, tell: (news: PolicyNews) => void) => () => void) | undefined
  /** Takes the lock of an open file, until it is closed; false: another process has it. */
  readonly lockFile: ((fd: number) => boolean) | undefined
  /**
   * Round trips of ICMP echoes over IPv4 in ms, in the order of the addresses; undefined: no answer in time. Rejects with
   * 'access-denied' or 'not-supported' where this user may not ask.
   */
  readonly askEcho: (echoes: readonly { readonly ip: string; readonly payload: Uint8Array }[], timeoutMs: number, way?: NativeWay) => Promise<(number | undefined)[]>
  /** Addresses, and the way to the world for each family, as sockets with that mark go. Absent where the system is not asked for it. */
  readonly networkState: ((mark?: number) => NativeNetworkState) | undefined
  /** Sockets that are kept out of the tunnel. Absent where Node takes no descriptors. */
  readonly wires: NativeWires | undefined
  /** Sets an extended attribute of an open file. Throws 'not-supported' where its file system has none. Absent on systems without them. */
  readonly setFileAttribute: ((fd: number, name: string, value: Uint8Array) => void) | undefined
}

interface RawAddon {
  Plane: new (options: PlaneOptions, wake: () => void) => NativePlane
  LinkMonitor: new (tell: (bits: number) => void) => { stop(): void }
  linkMonitorSupported(): boolean
  networkStateSupported(): boolean
  networkState(mark?: number): NativeNetworkState
  peerCredentials(fd: number): Credentials | null
  giveBackMemory(): number
  askEcho(ips: readonly string[], payloads: readonly Buffer[], timeoutMs: number, way: NativeWay): Promise<number[]>
  /** An add-on that was built earlier has none of these. */
  PolicyMonitor?: new (table: number, tell: (bits: number) => void) => { stop(): void }
  policyMonitorSupported?(): boolean
  lockFile?(fd: number): boolean
  openStreamSocket?: (v6: boolean, way: NativeWay) => number
  openDatagramSocket?: (ip: string, port: number, way: NativeWay) => number
  steerSocket?: (fd: number, way: NativeWay) => void
  fileAttributesSupported?(): boolean
  setFileAttribute?(fd: number, name: string, value: Buffer): void
}

const FILE = `bowline.${process.platform}-${process.arch}.node`
/** Of the link monitor's bits: the machine slept. */
const SLEPT = 8
/** Folders to climb from this file: the checkout is three up, a bundle one or two. */
const CLIMB = 5

function findAddon(): string | undefined {
  let folder = dirname(fileURLToPath(import.meta.url))
  for (let i = 0; i < CLIMB; i++) {
    const path = join(folder, 'native', FILE)
    // A native module inside an Electron archive is unpacked beside it.
    const unpacked = path.replace(/app\.asar(?=[/\\])/, 'app.asar.unpacked')
    if (existsSync(unpacked)) return unpacked
    folder = dirname(folder)
  }
  return undefined
}

/** Loads the add-on; throws EngineError('native-missing') with what to do when it is not there or does not load. */
export function loadNative(): NativeBinding {
  const path = findAddon()
  if (path === undefined) {
    throw new EngineError('native-missing', `the native add-on ${FILE} is not built: run "npm run build:native" (needs Rust)`)
  }
  let raw: RawAddon
  try {
    raw = createRequire(import.meta.url)(path) as RawAddon
  } catch (cause) {
    throw new EngineError('native-missing', `the native add-on ${FILE} does not load on this system`, { cause })
  }
  return {
    startPlane: (options, wake) => wrapPlane(attempt(() => new raw.Plane(options, wake))),
    peerCredentials: (fd) => attempt(() => raw.peerCredentials(fd)) ?? undefined,
    giveBackMemory: () => attempt(() => raw.giveBackMemory()),
    watchLinks: raw.linkMonitorSupported()
      ? (tell) => {
          const monitor = attempt(() => new raw.LinkMonitor((bits) => tell((bits & SLEPT) === 0 ? 'change' : 'wake')))
          return () => monitor.stop()
        }
      : undefined,
    watchPolicy: policyWatcher(raw),
    lockFile: raw.lockFile === undefined ? undefined : (fd) => attempt(() => raw.lockFile!(fd)),
    askEcho: async (echoes, timeoutMs, way) => {
      const asked = attempt(() => raw.askEcho(echoes.map((one) => one.ip), echoes.map((one) => buffer(one.payload)), timeoutMs, way ?? {}))
      const found = await asked.catch((error: unknown) => attempt(() => {
        throw error
      }))
      return found.map((ms) => (ms < 0 ? undefined : ms))
    },
    networkState: raw.networkStateSupported() ? (mark) => attempt(() => raw.networkState(mark)) : undefined,
    wires: wireMaker(raw),
    setFileAttribute: attributeSetter(raw),
  }
}

function wireMaker(raw: RawAddon): NativeWires | undefined {
  const { openStreamSocket, openDatagramSocket, steerSocket } = raw
  if (process.platform === 'win32' || !openStreamSocket || !openDatagramSocket || !steerSocket) return undefined
  return {
    openStream: (v6, way) => attempt(() => openStreamSocket(v6, way)),
    openDatagram: (ip, port, way) => attempt(() => openDatagramSocket(ip, port, way)),
    steer: (fd, way) => attempt(() => steerSocket(fd, way)),
  }
}

function policyWatcher(raw: RawAddon): NativeBinding['watchPolicy'] {
  const { PolicyMonitor } = raw
  if (PolicyMonitor === undefined || raw.policyMonitorSupported?.() !== true) return undefined
  return (table, tell) => {
    const monitor = attempt(() => new PolicyMonitor(table, (bits) => tell({ links: (bits & 1) !== 0, rules: (bits & 2) !== 0, routes: (bits & 4) !== 0, firewall: (bits & 8) !== 0 })))
    return () => monitor.stop()
  }
}

function attributeSetter(raw: RawAddon): NativeBinding['setFileAttribute'] {
  if (raw.fileAttributesSupported?.() !== true) return undefined
  return (fd, name, value) => attempt(() => raw.setFileAttribute?.(fd, name, buffer(value)))
}

/** The same calls, with errors as EngineError and Buffers where the add-on wants them. */
function wrapPlane(raw: NativePlane): NativePlane {
  return {
    port: () => attempt(() => raw.port()),
    drain: (out) => attempt(() => raw.drain(buffer(out))),
    setPrivateKey: (key) => attempt(() => raw.setPrivateKey(key && buffer(key))),
    setTables: (message) => attempt(() => raw.setTables(buffer(message))),
    setEnginePorts: (ports) => attempt(() => raw.setEnginePorts(ports)),
    setPath: (peer, kind, ip, port, vni, region) => attempt(() => raw.setPath(buffer(peer), kind, ip, port, vni, region)),
    sendUdp: (ip, port, datagram) => attempt(() => raw.sendUdp(ip, port, buffer(datagram))),
    relayFrames: (region, frames) => attempt(() => raw.relayFrames(region, buffer(frames))),
    listenProxy: (kind, ip, port) => attempt(() => raw.listenProxy(kind, ip, port)),
    answerProxy: (id, kind, addresses, port, message) => attempt(() => raw.answerProxy(id, kind, addresses, port, message)),
    answerProxyEngine: (id, ip, port) => attempt(() => raw.answerProxyEngine(id, ip, port)),
    closeProxy: (ip, port) => attempt(() => raw.closeProxy(ip, port)),
    setPac: (pac) => attempt(() => raw.setPac(pac)),
    listenForward: (id, udp, ip, port) => attempt(() => raw.listenForward(id, udp, ip, port)),
    closeForward: (id) => attempt(() => raw.closeForward(id)),
    forwardCounts: () => attempt(() => raw.forwardCounts()),
    exchangeUdp: (id, ip, port, datagram, timeoutMs) => attempt(() => raw.exchangeUdp(id, ip, port, buffer(datagram), timeoutMs)),
    answerDatagram: (id, bytes) => attempt(() => raw.answerDatagram(id, buffer(bytes))),
    forgetDecisions: () => attempt(() => raw.forgetDecisions()),
    dial: (id, ip, port, timeoutMs) => attempt(() => raw.dial(id, ip, port, timeoutMs)),
    ping: (id, icmp, ip, sizeBytes) => attempt(() => raw.ping(id, icmp, ip, sizeBytes)),
    answerEcho: (id, answered) => attempt(() => raw.answerEcho(id, answered)),
    served: () => attempt(() => raw.served()),
    stats: () => attempt(() => raw.stats()),
    counters: () => attempt(() => raw.counters()),
    flowOwner: (proto, ip, port) => attempt(() => raw.flowOwner(proto, ip, port)) ?? undefined,
    rebind: (ports) => attempt(() => raw.rebind(ports)),
    relayListen: (port) => attempt(() => raw.relayListen(port)),
    relayClose: () => attempt(() => raw.relayClose()),
    relayBind: (vni, ipA, portA, ipB, portB) => attempt(() => raw.relayBind(vni, ipA, portA, ipB, portB)),
    relayForget: (vni) => attempt(() => raw.relayForget(vni)),
    relaySend: (ip, port, datagram) => attempt(() => raw.relaySend(ip, port, buffer(datagram))),
    relaySessions: () => attempt(() => raw.relaySessions()),
    setDiscoKey: (key) => attempt(() => raw.setDiscoKey(key && buffer(key))),
    openTun: (name, mtu) => attempt(() => raw.openTun(name, mtu)),
    closeTun: () => attempt(() => raw.closeTun()),
    setForwarding: (bySystem) => attempt(() => raw.setForwarding(bySystem)),
    setMark: (mark) => attempt(() => raw.setMark(mark)),
    stop: () => attempt(() => raw.stop()),
  }
}

/** A Buffer over the same memory. */
function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'access-denied', 'address-in-use', 'already-running', 'bad-argument', 'io', 'native-failed', 'not-supported',
])

function attempt<T>(call: () => T): T {
  try {
    return call()
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause)
    const match = /^([a-z-]+): ([\s\S]*)$/.exec(text)
    if (match && CODES.has(match[1]!)) throw new EngineError(match[1] as ErrorCode, match[2]!, { cause })
    throw new EngineError('bad-argument', text, { cause })
  }
}
