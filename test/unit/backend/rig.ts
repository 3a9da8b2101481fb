/**
 * A backend with parts that only remember what they were told; the test plays control and the network by hand.
 */
import { duplexPair, type Duplex } from 'node:stream'
import { readFileSync } from 'node:fs'
import { HandClock, seededRandom } from '../../sim/clock.ts'
import type { PreflightWorld } from '../../../main/engine/backend/preflight-ports.ts'
import type { Env, JournalEntry } from '../../../main/engine/base/env.ts'
import { EngineError, isDecodeError } from '../../../main/engine/base/errors.ts'
import type { AddrPort } from '../../../main/engine/base/ip.ts'
import { discoKey, PrivateKey } from '../../../main/engine/base/keys.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { Backend } from '../../../main/engine/backend/backend.ts'
import type {
  BackendDeps,
  ConfigPort,
  ControlPort,
  DataplanePort,
  DerpPort,
  Login,
  MagicsockPort,
  PeerStats,
  ProxyAnswer,
  StateKeysPort,
  StorePort,
} from '../../../main/engine/backend/ports.ts'
import { applyMapResponse } from '../../../main/engine/core/netmap/apply.ts'
import type { NetMap, NetMapDelta } from '../../../main/engine/core/netmap/types.ts'
import type { NetcheckReport } from '../../../main/engine/core/netcheck/report.ts'
import type { PathView } from '../../../main/engine/core/path/types.ts'
import type { DataplaneConfig, MagicsockConfig } from '../../../main/engine/core/plan/types.ts'
import type { MapResponse, UserProfile } from '../../../main/engine/core/tailcfg/types.ts'
import { Resolver } from '../../../main/engine/dns/resolver.ts'
import { Health } from '../../../main/engine/health/health.ts'
import { MemoryStore } from '../../../main/engine/io/memory-store.ts'
import { DnsWorld } from '../../support/dns-world.ts'
import type { MachinePage } from '../../../main/localapi/machine.ts'
import type { Notify } from '../../../main/localapi/types.ts'

export const ALICE: UserProfile = { ID: 1, LoginName: 'alice', DisplayName: 'alice' }
export const NETMAP_BITS = 2 + 4 + 8 + 128 + 4096

export const NOT_WHOLE: MachinePage = {
  Mode: 'apps', State: 'off', IsService: false, Device: '', Mtu: 0, Addresses: [], Routes: [], Bypass: [], Internet: 'direct', Firewall: 'none',
  Names: { Through: 'none', All: false, Domains: [], Search: [], Own: [] }, Forwarding: { By: 'none', SourceNat: false }, Problems: [],
}

/** A recorded message of a real control server. */
export function recorded(file: string): MapResponse {
  return JSON.parse(readFileSync(new URL(`../../vectors/mapresponse/${file}`, import.meta.url), 'utf8')) as MapResponse
}

/** The delta that the control client makes of a message. */
export function deltaOf(previous: NetMap | undefined, message: MapResponse, wallMs: number): NetMapDelta {
  const delta = applyMapResponse(previous, message, wallMs)
  if (isDecodeError(delta)) throw new Error(delta.detail ?? delta.reason)
  return delta
}

class FakeControl implements ControlPort {
  readonly calls: string[] = []
  readonly logins: Login[] = []
  wants: Parameters<ControlPort['set']>[0] | undefined
  logoutFails: Error | undefined

  set(wants: Parameters<ControlPort['set']>[0]): void {
    this.wants = wants
  }
  begin(login: Login): void {
    this.calls.push('begin')
    this.logins.push(login)
  }
  reconnect(): void {
    this.calls.push('reconnect')
  }
  async logout(): Promise<void> {
    this.calls.push('logout')
    if (this.logoutFails) throw this.logoutFails
  }
  stop(): void {
    this.calls.push('stop')
  }
}

class FakeDataplane implements DataplanePort {
  key: PrivateKey | undefined
  config: DataplaneConfig | undefined
  peerApiPort = 0
  readonly answers: { id: number; answer: ProxyAnswer }[] = []
  readonly peerStats = new Map<never, PeerStats>()
  readonly owners = new Map<string, { ip: string; port: number }>()
  flows: ReturnType<DataplanePort['served']> = []

  served(): ReturnType<DataplanePort['served']> {
    return this.flows
  }
  setPrivateKey(key: PrivateKey | undefined): void {
    this.key = key
  }
  setConfig(config: DataplaneConfig): 'changed' {
    this.config = config
    return 'changed'
  }
  setPeerApiPort(port: number): void {
    this.peerApiPort = port
  }
  answerProxy(id: number, answer: ProxyAnswer): void {
    this.answers.push({ id, answer })
  }
  pingFails: Error | undefined

  readonly pacs: (string | undefined)[] = []
  forgotten = 0
  /** Ports that another program has. */
  readonly taken = new Set<number>()
  readonly forwards = new Map<number, { proto: string; at: AddrPort; open: number; total: number }>()

  listenProxy(_kind: string, addr: AddrPort): AddrPort {
    return this.#bind(addr)
  }
  setPac(pac: string | undefined): void {
    this.pacs.push(pac)
  }
  forgetDecisions(): void {
    this.forgotten++
  }
  listenForward(id: number, proto: 'tcp' | 'udp', addr: AddrPort): AddrPort {
    const at = this.#bind(addr)
    if ([...this.forwards.values()].some((one) => one.proto === proto && one.at.port === at.port)) throw new EngineError('address-in-use', 'taken')
    this.forwards.set(id, { proto, at, open: 0, total: 0 })
    return at
  }
  closeForward(id: number): void {
    this.forwards.delete(id)
  }
  forwardCounts(): { id: number; open: number; total: number }[] {
    return [...this.forwards].map(([id, { open, total }]) => ({ id, open, total }))
  }
  #bind(addr: AddrPort): AddrPort {
    if (this.taken.has(addr.port)) throw new EngineError('address-in-use', 'taken')
    if (addr.port > 0 && addr.port < 1024) throw new EngineError('access-denied', 'not for everybody')
    return addr.port === 0 ? { ip: addr.ip, port: 40_000 + this.forwards.size } : addr
  }
  async ping(kind: 'tsmp' | 'icmp'): Promise<{ latencyMs: number; peerApiPort?: number }> {
    if (this.pingFails) throw this.pingFails
    return kind === 'tsmp' ? { latencyMs: 1.5, peerApiPort: 46590 } : { latencyMs: 0.5 }
  }
  stats(): ReadonlyMap<never, PeerStats> {
    return this.peerStats
  }
  statsOf(peer: string): PeerStats | undefined {
    return this.stats().get(peer as never)
  }
  counters(): Record<string, number> {
    return { 'filter.drop': 3 }
  }
  /** Plays the place that a datagram is for. */
  outside: (ip: string, port: number, bytes: Uint8Array) => Promise<Uint8Array> = () => Promise.reject(new EngineError('timeout', 'no answer'))

  udpExchange(ip: string, port: number, bytes: Uint8Array): Promise<Uint8Array> {
    return this.outside(ip, port, bytes)
  }
  /** Answers every dial as a PeerAPI does. */
  async dial(): Promise<Duplex> {
    const [near, far] = duplexPair()
    far.once('data', () => far.end('HTTP/1.1 200 OK\r\n\r\n'))
    return near
  }
  flowOwner(proto: 'tcp' | 'udp', local: { ip: string; port: number }): { ip: string; port: number } | undefined {
    return this.owners.get(`${proto} ${local.ip}:${local.port}`)
  }
}

const EMPTY_REPORT: NetcheckReport = {
  wallMs: 0, udp: false, ipv4: false, ipv6: false, ipv4CanSend: false, ipv6CanSend: false, osHasIpv6: false, icmpV4: undefined, mappingVariesByDestIp: undefined,
  upnp: undefined, pmp: undefined, pcp: undefined, captivePortal: undefined, preferredDerp: 0, regionLatencyMs: new Map(), regionV4LatencyMs: new Map(),
  regionV6LatencyMs: new Map(), httpsLatencyMs: new Map(), globalV4: undefined, globalV6: undefined, globalV4Counters: new Map(), globalV6Counters: new Map(),
}

class FakeMagicsock implements MagicsockPort {
  discoKey = discoKey(new Uint8Array(32).fill(7))
  config: MagicsockConfig | undefined
  nodeKey: string | undefined
  readonly changes: string[] = []
  readonly pathViews = new Map<never, PathView>()
  report: ReturnType<MagicsockPort['network']>['report']
  via: Awaited<ReturnType<MagicsockPort['ping']>>['via'] = { kind: 'direct', addr: { ip: '127.0.0.1', port: 18112 } }
  pingFails: Error | undefined

  setDiscoKey(key: PrivateKey): void {
    this.discoKey = discoKey(key.publicBytes())
  }
  setNodeKey(key: string | undefined): void {
    this.nodeKey = key
  }
  staticEndpoints: readonly string[] = []

  setStaticEndpoints(all: readonly string[]): void {
    this.staticEndpoints = all
  }

  setConfig(config: MagicsockConfig): void {
    this.config = config
  }
  discoKeys(): ReturnType<MagicsockPort['discoKeys']> {
    return new Map((this.config?.peers ?? []).flatMap(({ key, disco }) => (disco === undefined ? [] : [[key, disco] as const])))
  }
  readonly relaying: MagicsockPort['relaying'] = { relays: () => [], server: () => ({ port: undefined, sessions: [] }) }
  async ping(): ReturnType<MagicsockPort['ping']> {
    if (this.pingFails) throw this.pingFails
    return { latencyMs: 0.455, via: this.via }
  }
  paths(): ReadonlyMap<never, PathView> {
    return this.pathViews
  }
  pathTo(peer: string): PathView | undefined {
    return this.pathViews.get(peer as never)
  }
  network(): ReturnType<MagicsockPort['network']> {
    return { report: this.report, interfaces: [{ ip: '192.168.1.5', prefix: 24 }] }
  }
  async netcheck(full: boolean): Promise<NetcheckReport> {
    return { ...EMPTY_REPORT, preferredDerp: 999, udp: full }
  }
  readonly netchecker = { forceHome: (region: number): void => void this.changes.push(`force ${region}`), pickNewHome: (): boolean => this.changes.push('pick') > 0 }
  handleNetworkChange(why: string): void {
    this.changes.push(why)
  }
}

class FakeDerp implements DerpPort {
  readonly calls: string[] = []
  readonly troubles = new Map<number, string>()
  readonly regions = new Map([[999, 'connected']])
  health(): ReadonlyMap<number, string> {
    return this.troubles
  }
  plain: boolean | undefined
  setMap(): void {
    this.calls.push('map')
  }
  setPlainHttp(on: boolean): void {
    this.plain = on
  }
  setPrivateKey(key: PrivateKey | undefined): void {
    this.calls.push(key ? 'key' : 'no-key')
  }
  setHome(region: number): void {
    this.calls.push(`home ${region}`)
  }
  states(): ReadonlyMap<number, string> {
    // As the real one: for people, with the reason.
    return new Map([...this.regions].map(([region, state]) => [region, `${state} (a test says so)`]))
  }
  isConnected(region: number): boolean {
    return this.regions.get(region) === 'connected'
  }
}

export interface Rig {
  readonly clock: HandClock
  readonly env: Env
  readonly journal: JournalEntry[]
  readonly store: StorePort
  readonly control: FakeControl
  readonly dataplane: FakeDataplane
  readonly magicsock: FakeMagicsock
  readonly derp: FakeDerp
  readonly health: Health
  readonly backend: Backend
  hasNetwork: boolean
  /** How much of the computer is on the network. */
  machine: MachinePage
  /** Wishes for any UDP port, in order. */
  readonly ports: boolean[]
  readonly portMapping: string[]
  readonly dns: Resolver
  /** Resolvers by the system's network and inside the tunnel. */
  readonly world: DnsWorld
  /** What a watcher with the mask has heard so far. */
  watch(mask: number): Notify[]
  /** Control says: signed in with this key, then this map. */
  signIn(message?: MapResponse, key?: PrivateKey): PrivateKey
  /** Control sends the next message of the stream. */
  map(message: MapResponse): void
}

/** Looks at servers have tests of their own. */
const NO_SERVERS: PreflightWorld = {
  waysTo: () => {
    throw new Error('no server here')
  },
  resolve: () => Promise.reject(new Error('no such name')),
  serverKey: () => Promise.reject(new Error('no server here')),
  portal: () => Promise.resolve(undefined),
  stun: () => Promise.resolve(undefined),
  failureOf: () => ({ code: 'control-unreachable', message: 'no server here' }),
  trust: { list: () => ({ certificates: [], shown: [] }), add: () => [] },
}

export function makeRig(options: { store?: StorePort; config?: ConfigPort; stateKeys?: StateKeysPort; resolve?: (host: string) => Promise<readonly string[]>; whoListens?: () => string; wallMs?: number; policy?: BackendDeps['policy']; moving?: BackendDeps['moving']; seed?: number } = {}): Rig {
  const clock = new HandClock(options.wallMs ?? Date.UTC(2026, 10, 22, 21, 50))
  const journal: JournalEntry[] = []
  const env: Env = { clock, random: seededRandom(options.seed ?? 1), log: silentLog, journal: { add: (entry) => void journal.push(entry) } }
  const store = options.store ?? new MemoryStore()
  const control = new FakeControl()
  const dataplane = new FakeDataplane()
  const magicsock = new FakeMagicsock()
  const derp = new FakeDerp()
  const health = new Health({ clock })
  const world = new DnsWorld()
  const { resolve = () => Promise.reject(new Error('no such name')) } = options
  const dns = new Resolver({
    env, system: world.system, tunnel: world.tunnel, secure: () => Promise.reject(new Error('no TLS here')),
    systemResolvers: () => world.systemServers, systemSearch: () => world.searchDomains, systemLookup: resolve,
  })
  const backend = new Backend({
    env,
    store,
    config: options.config,
    stateKeys: options.stateKeys,
    policy: options.policy,
    ...(options.moving ? { moving: options.moving } : {}),
    health,
    preflight: NO_SERVERS,
    control,
    magicsock,
    derp,
    dataplane,
    machine: () => rig.machine,
    hasNetwork: () => rig.hasNetwork,
    setRandomPort: (on) => rig.ports.push(on),
    setPortMapping: (ways) => rig.portMapping.push(ways),
    hostinfo: () => ({ OS: 'linux', Hostname: 'box', IPNVersion: '0.1.0' }),
    dns,
    whoListens: options.whoListens,
    version: '0.1.0',
    os: 'linux',
    derpPlainHttp: false,
  })
  dns.start(backend.facts.dns)
  let netMap: NetMap | undefined
  const rig: Rig = {
    clock, env, journal, store, control, dataplane, magicsock, derp, health, backend, dns, world, hasNetwork: true, machine: NOT_WHOLE, ports: [], portMapping: [],
    watch(mask) {
      const heard: Notify[] = []
      backend.watch(mask, { write: (notify) => heard.push(notify) > 0, end: () => {} })
      return heard
    },
    signIn(message = recorded('02-initial-one-peer.json'), key = PrivateKey.fromRandom(env.random.bytes(32))) {
      backend.facts.control.onState({ kind: 'working', step: 'register', sinceMs: 0, why: 'test' })
      backend.facts.control.onLoggedIn({ nodeKey: key, user: ALICE, expired: false })
      netMap = undefined
      rig.map(message)
      backend.facts.control.onState({ kind: 'running', sinceMs: 0 })
      return key
    },
    map(message) {
      const delta = deltaOf(netMap, message, clock.wallMs())
      netMap = delta.netMap
      backend.facts.control.onNetMap(delta)
    },
  }
  return rig
}
