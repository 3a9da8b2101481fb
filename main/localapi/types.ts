/**
 * The LocalAPI's JSON, with Tailscale's own field names, so that its command line and other people's tools fit.
 *
 * A property without `?` is always there, `null` where nothing is known; one with `?` is left out when it is empty.
 * Times are RFC 3339, the zero time is ZERO_TIME. The window uses these types as they are.
 *
 * Source: tailscale ipn/{prefs,backend}.go, ipn/ipnstate/ipnstate.go, client/tailscale/apitype (1.102.5); test/vectors/localapi.
 */
import type { Egress } from './exit-nodes.ts'
import type { Extras } from './extras.ts'
import type { MachinePage, TrialPage } from './machine.ts'
import type { TransfersNews } from './transfers.ts'
import type { PolicySnapshot } from './policy.ts'
import type { Reason } from '../engine/core/path/reason/evidence.ts'
import type { SidesRow } from '../engine/core/path/reason/sides.ts'
import type { Path } from '../engine/core/path/types.ts'
import type { Place } from '../engine/core/path/reason/words.ts'
import type { CapMap, ClientVersion, DerpMap, DnsConfig, FilterRule, Location, NetInfo, Node, SshPolicy, UserProfile } from '../engine/core/tailcfg/types.ts'

export type StateName = 'NoState' | 'InUseOtherUser' | 'NeedsLogin' | 'NeedsMachineAuth' | 'Stopped' | 'Starting' | 'Running'

/** Bus numbers of the states, in the order of StateName. */
export const STATE_NUMBER: Readonly<Record<StateName, number>> = {
  NoState: 0,
  InUseOtherUser: 1,
  NeedsLogin: 2,
  NeedsMachineAuth: 3,
  Stopped: 4,
  Starting: 5,
  Running: 6,
}

/** Part of Prefs: who is signed in. Private keys are zero here, whatever the engine holds. */
export interface PrefsConfig {
  readonly PrivateNodeKey: string
  readonly OldPrivateNodeKey: string
  readonly UserProfile: UserProfile
  readonly NetworkLockKey: string
  readonly NodeID: string
}

export interface Prefs {
  readonly ControlURL: string
  readonly RouteAll: boolean
  readonly ExitNodeID: string
  readonly ExitNodeIP: string
  readonly AutoExitNode?: string
  readonly InternalExitNodePrior: string
  readonly ExitNodeAllowLANAccess: boolean
  readonly CorpDNS: boolean
  readonly RunSSH: boolean
  readonly RunWebClient: boolean
  readonly WantRunning: boolean
  readonly LoggedOut: boolean
  readonly ShieldsUp: boolean
  readonly AdvertiseTags: readonly string[] | null
  readonly Hostname: string
  readonly NotepadURLs: boolean
  readonly ForceDaemon?: boolean
  readonly Egg?: boolean
  readonly AdvertiseRoutes: readonly string[] | null
  readonly AdvertiseServices: readonly string[] | null
  /** null: as the platform does it. */
  readonly Sync: boolean | null
  readonly NoSNAT: boolean
  readonly NoStatefulFiltering: boolean | null
  /** 0 off, 1 nodivert, 2 on. */
  readonly NetfilterMode: number
  readonly OperatorUser?: string
  readonly ProfileName?: string
  readonly AutoUpdate: { readonly Check: boolean; readonly Apply: boolean | null }
  readonly AppConnector: { readonly Advertise: boolean }
  readonly PostureChecking: boolean
  readonly NetfilterKind: string
  readonly RemoteConfig: boolean
  readonly DriveShares: readonly unknown[] | null
  readonly RelayServerPort?: number | null
  readonly RelayServerStaticEndpoints?: readonly string[] | null
  readonly Config: PrefsConfig | null
}

/** The fields to change, each with `<Field>Set: true`; unmarked fields are ignored. */
export type MaskedPrefs = Partial<Prefs> & {
  readonly [K in Exclude<keyof Prefs, 'AutoUpdate' | 'Config'> as `${K}Set`]?: boolean
} & { readonly AutoUpdateSet?: { readonly CheckSet?: boolean; readonly ApplySet?: boolean } }

export interface StartOptions {
  readonly FrontendLogID?: string
  readonly UpdatePrefs?: Partial<Prefs> | null
  readonly AuthKey?: string
}

export interface PeerStatus {
  readonly ID: string
  readonly NodeID?: number
  readonly PublicKey: string
  readonly HostName: string
  /** With trailing dot. */
  readonly DNSName: string
  readonly OS: string
  /** Version of its program, as it told the server; only where it was asked for. */
  readonly IPNVersion?: string
  readonly UserID: number
  readonly AltSharerUserID?: number
  readonly TailscaleIPs: readonly string[] | null
  readonly AllowedIPs?: readonly string[]
  readonly Tags?: readonly string[]
  readonly PrimaryRoutes?: readonly string[]
  /** Own endpoints for Self, null for peers. */
  readonly Addrs: readonly string[] | null
  /** Direct address in use, "" when relayed or idle. */
  readonly CurAddr: string
  /** Code of its home relay region. */
  readonly Relay: string
  readonly PeerRelay: string
  readonly RxBytes: number
  readonly TxBytes: number
  readonly Created: string
  readonly LastWrite: string
  readonly LastSeen: string
  readonly LastHandshake: string
  readonly Online: boolean
  readonly ExitNode: boolean
  readonly ExitNodeOption: boolean
  readonly Active: boolean
  readonly PeerAPIURL: readonly string[] | null
  readonly TaildropTarget: number
  readonly NoFileSharingReason: string
  readonly Capabilities?: readonly string[]
  readonly CapMap?: CapMap
  readonly sshHostKeys?: readonly string[]
  readonly ShareeNode?: boolean
  readonly InNetworkMap: boolean
  readonly InMagicSock: boolean
  readonly InEngine: boolean
  readonly Expired?: boolean
  readonly KeyExpiry?: string
}

export interface Status {
  readonly Version: string
  readonly TUN: boolean
  readonly BackendState: StateName
  readonly HaveNodeKey?: boolean
  readonly AuthURL: string
  readonly TailscaleIPs: readonly string[] | null
  /** Never null: the official `up` dereferences it even when signed out. */
  readonly Self: PeerStatus
  readonly ExitNodeStatus?: { readonly ID: string; readonly Online: boolean; readonly TailscaleIPs: readonly string[] | null }
  readonly Health: readonly string[]
  readonly MagicDNSSuffix: string
  readonly CurrentTailnet: { readonly Name: string; readonly MagicDNSSuffix: string; readonly MagicDNSEnabled: boolean } | null
  readonly CertDomains: readonly string[] | null
  readonly ExtraRecords: DnsConfig['ExtraRecords'] | null
  /** By "nodekey:<hex>"; null when peers were not asked for. */
  readonly Peer: Readonly<Record<string, PeerStatus>> | null
  readonly User: Readonly<Record<string, UserProfile>> | null
  readonly ClientVersion: ClientVersion | null
}

export interface Warning {
  readonly WarnableCode: string
  readonly Severity: 'high' | 'medium' | 'low'
  readonly Title: string
  readonly Text: string
  readonly BrokenSince?: string
  readonly Args?: Readonly<Record<string, string>>
  readonly DependsOn?: readonly string[]
  readonly ImpactsConnectivity?: boolean
  readonly PrimaryAction?: { readonly URL: string; readonly Label: string }
  readonly ETag?: string
}

export interface HealthState {
  /** null when all is well. */
  readonly Warnings: Readonly<Record<string, Warning>> | null
}

export interface EngineStatus {
  readonly RBytes: number
  readonly WBytes: number
  readonly NumLive: number
  readonly LiveDERPs: number
  readonly LivePeers: Readonly<Record<string, { readonly NodeKey: string; readonly TxBytes: number; readonly RxBytes: number; readonly LastHandshake: string }>>
}

/** The network map as the bus's first message carries it. */
export interface NetMapJson {
  readonly Cached: boolean
  readonly SelfNode: Node
  readonly AllCaps: readonly string[]
  readonly NodeKey: string
  readonly MachineKey: string
  readonly Peers: readonly Node[]
  readonly DNS: DnsConfig
  /** The rules as they are in force. */
  readonly PacketFilter: readonly {
    readonly IPProto: readonly number[]
    readonly Srcs: readonly string[]
    readonly SrcCaps: null
    readonly Dsts: readonly { readonly Net: string; readonly Ports: { readonly First: number; readonly Last: number } }[]
    readonly Caps: readonly never[]
  }[]
  readonly PacketFilterRules: readonly FilterRule[] | null
  readonly SSHPolicy: SshPolicy | null
  readonly CollectServices: boolean
  readonly DERPMap: DerpMap
  readonly DisplayMessages: Readonly<Record<string, unknown>> | null
  readonly TKAEnabled: boolean
  readonly TKAHead: string
  readonly Domain: string
  readonly DomainAuditLogID: string
  readonly UserProfiles: Readonly<Record<string, UserProfile>>
}

export interface PeerPatch {
  readonly NodeID: number
  readonly DERPRegion?: number
  readonly Endpoints?: readonly string[]
  readonly Online?: boolean
  readonly LastSeen?: string
}

/** The WireGuard session with a peer, and since when it is so. */
export interface PeerSession {
  readonly PeerWireGuardState: 'none' | 'handshake' | 'established' | 'expired'
  readonly PeerWireGuardStateAt: string
}

/** A file that is coming in, as the stock daemon tells it. */
export interface PartialFile {
  readonly Name: string
  /** RFC 3339. */
  readonly Started: string
  /** -1: the sender has not said. */
  readonly DeclaredSize: number
  readonly Received: number
  /** Only where files go to a folder of the person's choice. */
  readonly PartialPath?: string
  readonly FinalPath?: string
  readonly Done?: boolean
}

/** A file that is being sent, as the stock daemon tells it. */
export interface OutgoingFile {
  readonly ID: string
  /** Stable ID. */
  readonly PeerID: string
  readonly Name: string
  readonly Started: string
  readonly DeclaredSize: number
  readonly Sent: number
  readonly Finished: boolean
  readonly Succeeded: boolean
}

/** One line of watch-ipn-bus. A null field has not changed. */
export interface Notify {
  readonly Version: string
  readonly SessionID?: string
  readonly ErrMessage: string | null
  readonly LoginFinished: Readonly<Record<string, never>> | null
  readonly State: number | null
  readonly Prefs: Prefs | null
  readonly SelfChange?: Node
  readonly InitialStatus?: Status
  readonly NetMap: NetMapJson | null
  readonly PeerChangedPatch?: readonly PeerPatch[]
  readonly PeersChanged?: readonly Node[]
  readonly PeersRemoved?: readonly number[]
  readonly UserProfiles?: Readonly<Record<string, UserProfile>>
  /** By stable ID. */
  readonly PeerState?: Readonly<Record<string, PeerSession>>
  readonly Engine: EngineStatus | null
  readonly BrowseToURL: string | null
  readonly FilesWaiting?: Readonly<Record<string, never>>
  /** Files that are coming in, or came in a moment ago. */
  readonly IncomingFiles?: readonly PartialFile[]
  readonly OutgoingFiles?: readonly OutgoingFile[]
  readonly DriveShares: null
  readonly ClientVersion?: ClientVersion
  readonly Health?: HealthState
  readonly SuggestedExitNode?: string
  readonly Policy?: PolicySnapshot
  /** Ours: the profile's own settings have changed. */
  readonly Extras?: Extras
  /** Ours: what becomes of traffic to the internet has changed. */
  readonly Egress?: Egress
  /** Ours: files on their way; to those who asked for it (WATCH.transfers). */
  readonly Transfers?: TransfersNews
  /** Ours: how much of this computer is on the network, and what is on trial; whole each time, to those who asked (WATCH.machine). */
  readonly Machine?: MachinePage
  readonly Trial?: TrialPage
}

export interface PingResult {
  readonly IP: string
  readonly NodeIP: string
  readonly NodeName: string
  /** "" = answered. */
  readonly Err: string
  /** Ours: which failure, when there is one. Another try is worth it after `timeout` and `io`. */
  readonly ErrCode?: string
  readonly LatencySeconds: number
  /** Direct address, "" when relayed. */
  readonly Endpoint: string
  readonly PeerRelay: string
  readonly DERPRegionID: number
  readonly DERPRegionCode: string
  readonly PeerAPIPort?: number
  readonly PeerAPIURL?: string
  readonly IsLocalIP?: boolean
}

/** suggest-exit-node; ID and Name are empty when there is none to suggest. */
export interface ExitNodeSuggestion {
  readonly ID: string
  readonly Name: string
  readonly Location?: Location
}

export type PingType = 'disco' | 'TSMP' | 'ICMP' | 'peerapi'

export interface WhoIsResponse {
  readonly Node: Node
  readonly UserProfile: UserProfile
  readonly CapMap: CapMap | null
}

export interface LoginProfile {
  readonly ID: string
  readonly Name: string
  readonly NetworkProfile: { readonly MagicDNSName: string; readonly DomainName: string; readonly DisplayName: string }
  readonly Key: string
  readonly UserProfile: UserProfile
  readonly NodeID: string
  readonly LocalUserID: string
  readonly ControlURL: string
  readonly Created?: string
}

export interface WarningText {
  readonly Warning: string
}

/** One end of a session that this node relays. */
export interface PeerRelayClient {
  /** "ip:port", "" before it is bound. */
  readonly Endpoint: string
  readonly ShortDisco: string
  readonly PacketsTx: number
  readonly BytesTx: number
}

/** debug-peer-relay-sessions. */
export interface PeerRelaySessions {
  /** As a person wants it; null = not offered. */
  readonly UDPPort: number | null
  readonly Sessions: readonly { readonly VNI: number; readonly Client1: PeerRelayClient; readonly Client2: PeerRelayClient }[]
}

/** bowline/journal: what happened, oldest first. */
export interface JournalPage {
  readonly events: readonly { readonly seq: number; readonly at: string; readonly part: string; readonly kind: string; readonly why?: string }[]
}

/** How packets go to one peer. */
export interface PathRow {
  readonly peer: string
  readonly name: string
  readonly ip: string
  readonly kind: Path['kind']
  /** Of a UDP path; of one through a peer relay that relay's, with ":vni:N" behind it. */
  readonly addr?: string
  readonly region?: number
  readonly regionCode?: string
  /** Device that passes packets on, as far as it is known. */
  readonly via?: string
  readonly latencyMs?: number
  /** When a path ping of it, or its answer to one of ours, last came by UDP. */
  readonly heard?: string
  readonly since: string
  /** Packets were exchanged lately, or a direct path is being looked for. */
  readonly active: boolean
  /** The reason's sentence. */
  readonly why: string
}

/** bowline/paths: how packets go to each peer, and why. */
export interface PathsPage {
  readonly paths: readonly PathRow[]
  /** When the control server last said something on the stream of changes, keepalives among it. */
  readonly serverHeard?: string
}

/** bowline/path?peer=NODEKEY|IP|NAME: one peer's path with the reason and its evidence. `after=<version>` waits for another version, up to `wait` seconds (30). */
export interface PathPage extends PathRow {
  readonly version: number
  /** When this was so. */
  readonly at: string
  readonly reason: Reason
  readonly regionName?: string
  /** Every address known: the one in use first, then by when it answered last. */
  readonly candidates: readonly {
    readonly addr: string
    readonly place: Place
    /** Where it was learnt: map, call-me-maybe, ping, peer-relay. */
    readonly sources: readonly string[]
    readonly inUse: boolean
    readonly lastPingAgoMs?: number
    readonly lastPongAgoMs?: number
    /** Since it last pinged us from there. */
    readonly pingedUsAgoMs?: number
    readonly latencyMs?: number
    /** Pings since its last reply. */
    readonly unanswered: number
    /** Packets that came through: small ones alone, or full-size ones too. */
    readonly carries: 'unknown' | 'small' | 'full-size'
  }[]
  /** Addresses that it named and that are never tried, the newest. */
  readonly refused: readonly { readonly addr: string; readonly why: string }[]
  readonly sides: readonly SidesRow[]
  /** Our own addresses as the peer is told them. */
  readonly ownAddresses: readonly { readonly addr: string; readonly how: string }[]
  readonly ownNetInfo?: NetInfo
  readonly peerNetInfo?: NetInfo
  /** Who speaks at both ends. */
  readonly own: { readonly version: string; readonly os: string }
  readonly other: { readonly version: string; readonly os: string }
  /** What happened to the path lately, oldest first. */
  readonly events: JournalPage['events']
}

/** The one thing to do about a problem of the session. */
export interface SessionAction {
  readonly Kind: 'sign-in-again' | 'new-auth-key' | 'check-server' | 'ask-admin' | 'wait' | 'fix-clock' | 'trust-certificate' | 'none'
  readonly Label: string
}

export interface SessionProblem {
  readonly Code: string
  /** One plain sentence: what, where, what to do. */
  readonly Text: string
  readonly Action: SessionAction
  /** When it is tried again by itself. */
  readonly RetryAt?: string
}

/** bowline/session: signing in, step by step. `after=<Version>` waits up to 30 s for another version. Times are RFC 3339. */
export interface SessionPage {
  readonly Version: number
  readonly Kind: 'idle' | 'working' | 'waiting' | 'needs-login' | 'running' | 'lost' | 'failed'
  readonly Since: string
  readonly Server: string
  /** Those that this login goes through, in their order: with a saved key only the first and the last. */
  readonly Steps: readonly {
    readonly Step: 'server-key' | 'registration-sent' | 'link-shown' | 'waiting-for-approval' | 'authorised' | 'map-received'
    readonly State: 'pending' | 'running' | 'done' | 'failed'
    readonly At?: string
    readonly TookMs?: number
    readonly Why: string
  }[]
  readonly Problem?: SessionProblem
  readonly KeyExpiry?: string
  readonly KeyExpired?: boolean
  readonly AuthURL?: string
}

/** A certificate that a person added for one control server. */
export interface TrustedCertificate {
  readonly Subject: string
  readonly Issuer: string
  /** SHA-256 in upper-case hex with colons. */
  readonly Fingerprint: string
  readonly NotBefore: string
  readonly NotAfter: string
  /** It may vouch for others. */
  readonly IsAuthority: boolean
  readonly PEM: string
}

/** bowline/trust: what was added for a server; after a PUT only what is new. */
export interface TrustPage {
  readonly Server: string
  readonly Certificates: readonly TrustedCertificate[]
  /** What the server showed when it was last refused for its certificate, its own first. */
  readonly Shown?: readonly TrustedCertificate[]
}

/** bowline/trust, PUT. */
export interface TrustAddition {
  /** One certificate or several. */
  readonly PEM: string
}
