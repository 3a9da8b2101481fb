/**
 * What the backend needs of the parts below it, in its own words. Control, Magicsock, DerpRegions, Dataplane, Store and
 * Health fit these shapes without importing them; the engine's entry hands them in.
 */
import type { MachinePage, MachineWhy } from '../../localapi/machine.ts'
import type { AdoptPage, AdoptRequest } from '../../localapi/service.ts'
import type { PreflightWorld } from './preflight-ports.ts'
import type { Duplex } from 'node:stream'
import type { AddrPort } from '../base/ip.ts'
import type { DiscoPublicKey, NodePublicKey, PrivateKey } from '../base/keys.ts'
import type { ErrorCode } from '../base/errors.ts'
import type { Env } from '../base/env.ts'
import type { NetcheckReport } from '../core/netcheck/report.ts'
import type { DerpMap, DisplayMessage, DnsResolver, EndpointType, Hostinfo, NetInfo, Node, UserProfile } from '../core/tailcfg/types.ts'
import type { NetMapDelta } from '../core/netmap/types.ts'
import type { DnsPlan } from '../core/plan/dns.ts'
import type { SystemFacts } from '../core/plan/system-facts.ts'
import type { PolicyReading } from '../core/policy/read-policy.ts'
import type { DataplaneConfig, MagicsockConfig } from '../core/plan/types.ts'
import type { Path, PathView } from '../core/path/types.ts'
import type { Found } from '../dns/lookup.ts'
import type { Asked, DnsOutcome } from '../dns/outcome.ts'
import type { ResolverFacts } from '../dns/ports.ts'
import type { AskOptions } from '../dns/resolver.ts'
import type { WarnableCode, WarningArgs } from '../health/warnables.ts'
import type { C2nAnswer, C2nRequest } from '../control/c2n-http.ts'
import type { ConfigField } from './config.ts'
import type { HealthState, Notify, PingResult, PingType } from '../../localapi/types.ts'

export interface Endpoint {
  readonly addr: string
  readonly type: EndpointType
}

export type LoginStep = 'fetch-server-key' | 'connect' | 'register' | 'wait-for-approval' | 'authorised' | 'wait-for-map'

/** What a person should know although the session goes on. */
export interface Problem {
  readonly code: ErrorCode
  readonly message: string
}

export type ControlState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'working'; readonly step: LoginStep; readonly sinceMs: number; readonly why: string }
  | { readonly kind: 'needs-login'; readonly why: string; readonly code?: ErrorCode }
  /** `why`: why there is this link, and what became of the one before; `problem`: that one was perhaps refused. */
  | { readonly kind: 'waiting'; readonly authUrl: string; readonly sinceMs: number; readonly why?: string; readonly problem?: Problem }
  | { readonly kind: 'running'; readonly sinceMs: number; readonly problem?: Problem }
  | { readonly kind: 'lost'; readonly code: ErrorCode; readonly message: string; readonly retryInMs: number }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }

export interface Login {
  readonly controlUrl: string
  readonly machineKey: PrivateKey
  readonly nodeKey: PrivateKey | undefined
  readonly authKey?: string
  readonly interactive: boolean
  readonly ephemeral?: boolean
}

export interface LoggedIn {
  readonly nodeKey: PrivateKey
  readonly user: UserProfile
  readonly expired: boolean
}

export interface ControlPort {
  /** Wall time of the last message of the map stream, in ms; absent = none yet. */
  readonly heardMs?: number | undefined
  set(wants: { hostinfo: Hostinfo; endpoints: readonly Endpoint[]; discoKey: DiscoPublicKey }): void
  /** Also starts again after stop(). */
  begin(login: Login): void
  reconnect(why: string): void
  logout(timeoutMs: number): Promise<void>
  /** Ends whatever is under way; begin() may follow. */
  stop(): void
}

export interface ControlFacts {
  onState(state: ControlState): void
  onLoggedIn(result: LoggedIn): void
  onNetMap(delta: NetMapDelta): void
  onPopBrowser(url: string): void
  readonly asked: {
    ping(ip: string, type: PingType): Promise<PingResult>
    answerC2n(request: C2nRequest): C2nAnswer
  }
}

export interface DiscoPong {
  readonly latencyMs: number
  readonly via: Extract<Path, { kind: 'direct' | 'peer-relay' | 'relay' }>
}

export interface NetworkPort {
  /** A look that starts now; `full`: at every region. */
  netcheck(full: boolean): Promise<NetcheckReport>
  readonly netchecker: {
    /** Prefers a region as home relay while it answers; 0 = no more. */
    forceHome(region: number): void
    /** Another home relay until the next look; false when there is none. */
    pickNewHome(): boolean
  }
}

export interface MagicsockPort extends NetworkPort {
  readonly discoKey: DiscoPublicKey
  setDiscoKey(key: PrivateKey): void
  setNodeKey(key: NodePublicKey | undefined): void
  setConfig(config: MagicsockConfig): void
  /** Addresses ("ip:port") that the settings file names. */
  setStaticEndpoints(all: readonly string[]): void
  ping(peer: NodePublicKey, sizeBytes: number, timeoutMs: number): Promise<DiscoPong>
  paths(): ReadonlyMap<NodePublicKey, PathView>
  pathTo(peer: NodePublicKey): PathView | undefined
  /** This machine's own network: the last report, if there is one, and the addresses of its interfaces. */
  network(): { readonly report: NetcheckReport | undefined; readonly interfaces: readonly { readonly ip: string; readonly prefix?: number }[] }
  /** Disco keys in use, by node key. */
  discoKeys(): ReadonlyMap<NodePublicKey, DiscoPublicKey>
  /** First tunnel addresses of the nodes that may relay for us, and the relay for others that this node is. */
  readonly relaying: {
    relays(): readonly string[]
    server(): {
      readonly port: number | undefined
      readonly sessions: readonly { readonly vni: number; readonly clients: readonly { readonly disco: string; readonly addr: string | undefined; readonly packets: number; readonly bytes: number }[] }[]
    }
  }
  handleNetworkChange(why: string, major: boolean): void
}

export interface MagicsockFacts {
  onEndpoints(all: readonly Endpoint[]): void
  onNetInfo(info: NetInfo): void
  onPath(view: PathView): void
  onHome(region: number): void
}

export interface DerpPort {
  setMap(map: DerpMap): void
  setPlainHttp(on: boolean): void
  setPrivateKey(key: PrivateKey | undefined): void
  setHome(region: number): void
  /** Regions in use, each with its state and reason for a person: not for comparing. */
  states(): ReadonlyMap<number, string>
  isConnected(region: number): boolean
  /** What relays say is wrong with our connection, by region. */
  health(): ReadonlyMap<number, string>
}

export interface ProxyRequest {
  readonly id: number
  readonly via: 'socks5' | 'http'
  readonly host: string
  readonly port: number
}

/** A connection at a forward; answered as a ProxyRequest. */
export interface ForwardRequest {
  readonly id: number
  readonly forward: number
}

export type ProxyAnswer =
  | { readonly kind: 'tunnel'; readonly addresses: readonly string[]; readonly port: number }
  | { readonly kind: 'system'; readonly addresses: readonly string[]; readonly port: number }
  /** The engine itself answers, as this place. */
  | { readonly kind: 'engine'; readonly to: AddrPort }
  | { readonly kind: 'refuse'; readonly code: 'no-such-host' | 'not-allowed' | 'unreachable'; readonly message: string }

export interface PeerStats {
  readonly rxBytes: number
  readonly txBytes: number
  /** Wall time. */
  readonly lastHandshakeMs: number | undefined
  readonly rxPackets: number
  readonly txPackets: number
}

export interface DataplanePort {
  setPrivateKey(key: PrivateKey | undefined): void
  /** Puts the filter in force before it adds peers. */
  setConfig(config: DataplaneConfig): 'changed' | 'unchanged'
  answerProxy(id: number, answer: ProxyAnswer): void
  listenProxy(kind: 'socks5' | 'http' | 'both', addr: AddrPort): AddrPort
  /** What HTTP proxies have as /proxy.pac. */
  setPac(pac: string | undefined): void
  /** Connections past the tunnel are reset, and destinations of datagrams are asked for anew. */
  forgetDecisions(): void
  /** A loopback port whose connections ask with `id` where they lead to; throws EngineError('address-in-use' | 'access-denied' | 'io'). */
  listenForward(id: number, proto: 'tcp' | 'udp', addr: AddrPort): AddrPort
  /** Ends what came by it, too. */
  closeForward(id: number): void
  forwardCounts(): readonly { readonly id: number; readonly open: number; readonly total: number }[]
  /** The TCP port of our PeerAPI on all our addresses, open whatever the filter says; 0 = none. */
  setPeerApiPort(port: number): void
  ping(kind: 'tsmp' | 'icmp', ip: string, sizeBytes: number, timeoutMs: number): Promise<{ latencyMs: number; peerApiPort?: number }>
  stats(): ReadonlyMap<NodePublicKey, PeerStats>
  /** Of one peer, with little to do for it however many there are; undefined when it has none. */
  statsOf(peer: NodePublicKey): PeerStats | undefined
  counters(): Readonly<Record<string, number>>
  /** One datagram through the tunnel, and the first answer from that very place; rejects with EngineError('timeout'). */
  udpExchange(ip: string, port: number, bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array>
  /** TCP through the tunnel; rejects with EngineError. */
  dial(ip: string, port: number, timeoutMs: number): Promise<Duplex>
  flowOwner(proto: 'tcp' | 'udp', local: AddrPort): AddrPort | undefined
  /** Open flows of others to other machines, by source and destination. */
  served(): readonly { readonly from: string; readonly to: string; readonly tcp: number; readonly udp: number }[]
}

/** A flow that a filter refused; addresses as its opener sent them. */
export interface FlowReject {
  readonly direction: 'inbound' | 'outbound'
  readonly peer: NodePublicKey
  /** IP protocol number. */
  readonly proto: number
  readonly from: AddrPort
  readonly to: AddrPort
  readonly reason: 'acl' | 'shields-up' | 'forwarding-off' | 'host-firewall' | 'not-ours' | 'foreign-source' | 'other'
  readonly count: number
}

/** Of the data plane's facts those that the backend takes; the rest are magicsock's. */
export interface DataplaneFacts {
  onHandshake(peer: NodePublicKey): void
  /** Edges; magicsock wants them too. */
  onPeerActivity(peer: NodePublicKey, kind: 'sending' | 'receiving' | 'idle'): void
  onUnknownPeer(key: NodePublicKey): void
  onProxyRequest(request: ProxyRequest): void
  onRejected(reject: FlowReject): void
  onUnanswered(to: AddrPort): void
  onForwardRequest(request: ForwardRequest): void
  /** A connection by a forward was allowed and did not come about; `code` as dials end. */
  onForwardFailed(forward: number, code: string): void
  onFailed(code: string, message: string): void
}

/** Files of one state directory. `load` answers undefined when there is neither a good file nor a good previous one. */
export interface StorePort {
  load<T>(name: string, parse: (text: string) => T | undefined): Loaded<T> | undefined
  /** On disk when it returns; throws EngineError('io'). */
  save(name: string, text: string): void
  /** The same, and nothing of before stays on disk. */
  replace(name: string, text: string): void
  /** The same, away from the packet of the moment. */
  saveLater(name: string, text: () => string): void
  remove(name: string): void
  /** Damaged files that reads have met. */
  problems(): readonly { readonly name: string; readonly keptAside: string; readonly usedFromMs: number | undefined }[]
}

/** Moving accounts to another engine of this computer, and from one. */
export interface MovingPort {
  /** undefined: this engine cannot tell who serves a socket. */
  readonly adopter: AdopterPort | undefined
  /** Certificates that a person let in, PEM by server. */
  trusted(): Readonly<Record<string, string>>
  /** Lets certificates in for a server; throws EngineError. */
  trust(pem: string, server: string): void
  /** Why nothing can go now (files are on their way), as a sentence. */
  whyNotNow(): Promise<MachineWhy | undefined>
}

/** The engine that takes this one's accounts: of root, or of a user that was named. Each rejects with EngineError. */
export interface AdopterPort {
  /** A failure says nothing of what became of it: whoever offered has to ask. */
  offer(to: Adopter, request: AdoptRequest): Promise<AdoptPage>
  /** Without an ID: whether an offer would be tried. */
  ask(to: Adopter, id: string | undefined): Promise<AdoptPage>
}

export interface Adopter {
  readonly socket: string
  /** The user whose engine may be there beside root's; undefined = root's alone. */
  readonly uid: number | undefined
}

/** Who opens the sealed state. */
export interface StateKeysPort {
  /** Bounded in time. */
  open(): Promise<StateOpening>
}

export type StateOpening =
  /** `plainWhy`: the state is not sealed, for this reason. `rewrite`: to be called once all is loaded; saves it in its new form. */
  | { readonly kind: 'open'; readonly isSealed?: true; readonly plainWhy: string | undefined; readonly rewrite: ((save: () => boolean) => Promise<void>) | undefined }
  /** It cannot be read now. `why` is a clause. */
  | { readonly kind: 'locked'; readonly why: string }

/** The settings file that the engine was started with. */
export interface ConfigPort {
  readonly path: string
  /** Its fields; undefined when it need not be there and is not. Rejects with EngineError('bad-config' | 'not-found'). */
  read(): Promise<readonly ConfigField[] | undefined>
  /** The auth key that a setting names. Throws EngineError('bad-config'). */
  readKey(setting: string): string
}

export interface Loaded<T> {
  readonly value: T
  readonly from: 'current' | 'previous'
  /** Wall time. */
  readonly savedAtMs: number
}

export interface HealthPort {
  /** Something is wrong: a code of the table, and what fills its text. It keeps its beginning while it stays. */
  set(code: WarnableCode, args?: WarningArgs): void
  clear(code: WarnableCode): void
  /** All codes of one owner: those that it set before and does not name now are well again. */
  setGroup(owner: string, warnings: Readonly<Partial<Record<WarnableCode, WarningArgs>>>): void
  /** All messages of the server, by ID. */
  setMessages(messages: ReadonlyMap<string, DisplayMessage>): void
  state(): HealthState
  texts(): readonly string[]
  onChange(call: () => void): void
}

/** Who resolves names, for the proxies and for people. */
export interface DnsResolverPort {
  /** How names are resolved from here on. */
  setConfig(plan: DnsPlan): 'changed' | 'unchanged'
  /** How they are resolved at this moment. */
  readonly plan: DnsPlan
  /** Addresses of a host to connect to, and who said so; rejects with EngineError and a sentence when there are none. */
  lookup(host: string): Promise<Found>
  /** Rejects with EngineError('io') for what is no name; a failure to answer is an outcome. */
  ask(name: string, type: number, options?: AskOptions): Promise<DnsOutcome>
  /** How resolvers are asked, without asking them. */
  views(resolvers: readonly DnsResolver[], whose?: 'network' | 'system'): readonly Asked[]
  /** Domains that the system adds to names of one label. */
  systemSearch(): readonly string[]
  /** The system's own resolvers, as "ip" or "ip:port". */
  systemResolvers(): readonly string[]
  readonly told: {
    counters(): Readonly<Record<string, number>>
    /** Resolvers that gave no answer when last asked, and why. */
    silent(): ReadonlyMap<string, string>
  }
}

export interface BackendDeps {
  readonly env: Env
  readonly store: StorePort
  /** undefined: the store is open as it is. */
  /** No profile uses this server any more. */
  readonly forgetServer?: (url: string) => void
  readonly config?: ConfigPort | undefined
  /** What the administrator of this computer laid down; absent: nothing ever. */
  readonly policy?: { read(): PolicyReading } | undefined
  readonly stateKeys?: StateKeysPort | undefined
  /** Absent: nothing moves. */
  readonly moving?: MovingPort
  readonly health: HealthPort
  readonly preflight: PreflightWorld
  readonly control: ControlPort
  readonly magicsock: MagicsockPort
  readonly derp: DerpPort
  readonly dataplane: DataplanePort
  /** What this machine is: system, version, distribution, host name; asked anew at each login. */
  readonly hostinfo: () => Hostinfo
  /** How much of this computer is on the network; absent: never more than its proxies and forwards. */
  readonly machine?: () => MachinePage
  /** Whether this machine has an address that could carry traffic. */
  readonly hasNetwork: () => boolean
  /** UDP on any port, or on the wanted one again. */
  readonly setRandomPort: (on: boolean) => void
  /** Which ways there may be of asking the router for a port. */
  readonly setPortMapping: (ways: 'all' | 'no-upnp' | 'off') => void
  readonly dns: DnsResolverPort
  /** Whether the computer has a user of this name; absent where that cannot be told. */
  readonly knowsUser?: ((name: string) => boolean) | undefined
  /** Which program has a port of this computer, as a clause; absent where the system does not tell. */
  readonly whoListens?: ((proto: 'tcp' | 'udp', at: AddrPort) => string | undefined) | undefined
  /** Ours, as `tailscale status` shows it. */
  readonly version: string
  readonly os: 'linux' | 'windows' | 'macOS'
  /** Relays over plain HTTP whatever the server is. */
  readonly derpPlainHttp: boolean
  /** Of parts that the backend does not know, by name. */
  readonly otherCounters?: () => Readonly<Record<string, number>>
  /** Does not connect before somebody asks, whatever was so when the last engine ended. */
  readonly startDisconnected?: boolean
  /** Keeps nothing on disk: the server may forget this device when it goes. */
  readonly ephemeral?: boolean
}

/** What the rest of the engine hands to each part's start(). */
export interface BackendFacts {
  readonly control: ControlFacts
  readonly magicsock: MagicsockFacts
  readonly dataplane: DataplaneFacts
  readonly dns: ResolverFacts
  /** A relay's connection or its health changed. */
  onRelayChange(): void
  /** The machine's own networks, at start and whenever they changed. */
  onSystem(system: SystemFacts): void
  /** What was proven of the network may hold no longer; `isSamePlace`: only time has passed. */
  onMove(why: string, isSamePlace: boolean): void
  /** The peer still sends into a session of before this engine's start. */
  onStray(peer: NodePublicKey): void
}

/** A slice above the backend that has something to say on the bus, and wants to know of changes. */
export interface FeaturePort {
  /** Its part of a watcher's first message. */
  initial(mask: number): Partial<Notify>
  /** What every message carries for now. */
  standing(): Partial<Notify>
  /** The map, the state, the profile or its settings are others now. */
  changed(): void
  /** The saved state was read; nothing of it runs yet. */
  loaded?(): void
  /** Another profile is about to take over; the one in use is still whole. */
  leaving?(): void
  /** The plan was given out anew, or nothing is planned any more; it may be the same. */
  planned?(): void
  /** What status says of a device beyond the map: the stock daemon's number, and the reason in words. */
  targetOf?(node: Node): FileTargetState
}

export interface FileTargetState {
  readonly TaildropTarget: number
  readonly NoFileSharingReason: string
}
