/**
 * Control's JSON types, field names as on the wire. Only what this engine reads or sends; unknown fields are ignored.
 *
 * Keys are text ("nodekey:…"), prefixes "ip/bits", times RFC 3339 ("0001-01-01T00:00:00Z" = never), integer-keyed maps
 * have decimal string keys. A `null` slice or map means nil, which is not always the same as `[]`.
 * These types are promises only after core/tailcfg's checks: bytes from control go through `checkX` first.
 *
 * Source: tailscale tailcfg/tailcfg.go (capver 145), headscale v0.29.2; test/vectors/mapresponse.
 */

export type NodeId = number
export type UserId = number
export type StableNodeId = string
export type CapMap = Readonly<Record<string, readonly unknown[] | null>>

/** The capability version that we claim in the handshake, the map and the registration. */
export const CAPABILITY_VERSION = 131

export interface Service {
  readonly Proto: string
  readonly Port: number
  readonly Description?: string
}

export interface NetInfo {
  readonly MappingVariesByDestIP?: boolean | null
  readonly WorkingIPv6?: boolean | null
  readonly OSHasIPv6?: boolean | null
  readonly WorkingUDP?: boolean | null
  readonly WorkingICMPv4?: boolean | null
  readonly HavePortMap?: boolean
  readonly UPnP?: boolean | null
  readonly PMP?: boolean | null
  readonly PCP?: boolean | null
  readonly PreferredDERP?: number
  readonly LinkType?: string
  /** "<region>-v4" or "<region>-v6" → seconds. */
  readonly DERPLatency?: Readonly<Record<string, number>>
  readonly FirewallMode?: string
}

export interface Hostinfo {
  readonly IPNVersion?: string
  readonly BackendLogID?: string
  readonly OS?: string
  readonly OSVersion?: string
  readonly Distro?: string
  readonly DistroVersion?: string
  readonly DistroCodeName?: string
  readonly Hostname?: string
  readonly DeviceModel?: string
  readonly Machine?: string
  readonly GoArch?: string
  readonly Desktop?: boolean
  readonly Package?: string
  readonly Container?: boolean | null
  readonly ShieldsUp?: boolean
  readonly RoutableIPs?: readonly string[] | null
  readonly RequestTags?: readonly string[] | null
  readonly Services?: readonly Service[] | null
  readonly NetInfo?: NetInfo | null
  readonly sshHostKeys?: readonly string[] | null
  readonly Userspace?: boolean | null
  readonly UserspaceRouter?: boolean | null
  readonly PeerRelay?: boolean
  readonly ExitNodeID?: string
  readonly StateEncrypted?: boolean | null
  readonly NoLogsNoSupport?: boolean
  readonly Location?: Location | null
}

export interface Location {
  readonly Country?: string
  readonly CountryCode?: string
  readonly City?: string
  readonly CityCode?: string
  readonly Latitude?: number
  readonly Longitude?: number
  readonly Priority?: number
}

export interface Node {
  readonly ID: NodeId
  readonly StableID: StableNodeId
  /** FQDN with trailing dot. */
  readonly Name: string
  readonly User: UserId
  readonly Sharer?: UserId
  readonly Key: string
  readonly KeyExpiry?: string
  readonly Machine?: string
  readonly DiscoKey?: string
  /** Host prefixes. */
  readonly Addresses: readonly string[] | null
  /** null = same as Addresses (capver 112). */
  readonly AllowedIPs?: readonly string[] | null
  readonly Endpoints?: readonly string[] | null
  readonly HomeDERP?: number
  readonly Hostinfo?: Hostinfo | null
  readonly Created?: string
  readonly Cap?: number
  readonly Tags?: readonly string[] | null
  readonly PrimaryRoutes?: readonly string[] | null
  readonly LastSeen?: string | null
  readonly Online?: boolean | null
  readonly MachineAuthorized?: boolean
  readonly Capabilities?: readonly string[] | null
  readonly CapMap?: CapMap | null
  readonly ComputedName?: string
  readonly ComputedNameWithHost?: string
  readonly Expired?: boolean
  readonly SelfNodeV4MasqAddrForThisPeer?: string | null
  readonly SelfNodeV6MasqAddrForThisPeer?: string | null
  readonly IsWireGuardOnly?: boolean
  readonly IsJailed?: boolean
  readonly ExitNodeDNSResolvers?: readonly DnsResolver[] | null
  readonly UnsignedPeerAPIOnly?: boolean
  readonly DataPlaneAuditLogID?: string
}

export interface UserProfile {
  readonly ID: UserId
  readonly LoginName: string
  readonly DisplayName: string
  readonly ProfilePicURL?: string
  readonly Groups?: readonly string[] | null
}

export interface PortRange {
  readonly First: number
  readonly Last: number
}

export interface FilterRule {
  readonly SrcIPs?: readonly string[] | null
  /** Obsolete: a list that has it is refused whole. */
  readonly SrcBits?: readonly number[] | null
  readonly DstPorts?: readonly { readonly IP: string; readonly Bits?: number | null; readonly Ports: PortRange }[] | null
  readonly IPProto?: readonly number[] | null
  readonly CapGrant?: readonly CapGrant[] | null
}

export interface CapGrant {
  readonly Dsts?: readonly string[] | null
  readonly Caps?: readonly string[] | null
  readonly CapMap?: CapMap | null
}

export interface DnsResolver {
  readonly Addr?: string
  readonly BootstrapResolution?: readonly string[] | null
  readonly UseWithExitNode?: boolean
}

export interface DnsConfig {
  readonly Resolvers?: readonly DnsResolver[] | null
  /** Suffix without trailing dot → resolvers; null or empty = answer locally. */
  readonly Routes?: Readonly<Record<string, readonly DnsResolver[] | null>> | null
  readonly FallbackResolvers?: readonly DnsResolver[] | null
  readonly Domains?: readonly string[] | null
  readonly Proxied?: boolean
  readonly Nameservers?: readonly string[] | null
  readonly CertDomains?: readonly string[] | null
  readonly ExtraRecords?: readonly { readonly Name: string; readonly Type?: string; readonly Value: string }[] | null
  readonly ExitNodeFilteredSet?: readonly string[] | null
}

export interface DerpNode {
  readonly Name: string
  readonly RegionID: number
  readonly HostName: string
  readonly CertName?: string
  /** Address, "" = by DNS, anything else ("none") = family off. */
  readonly IPv4?: string
  readonly IPv6?: string
  /** 0 = 3478, negative = no STUN. */
  readonly STUNPort?: number
  readonly STUNOnly?: boolean
  readonly DERPPort?: number
  readonly InsecureForTests?: boolean
  readonly STUNTestIP?: string
  readonly CanPort80?: boolean
}

export interface DerpRegion {
  readonly RegionID: number
  readonly RegionCode: string
  readonly RegionName: string
  readonly Latitude?: number
  readonly Longitude?: number
  readonly Avoid?: boolean
  readonly NoMeasureNoHome?: boolean
  readonly Nodes: readonly DerpNode[] | null
}

export interface DerpMap {
  readonly HomeParams?: { readonly RegionScore?: Readonly<Record<string, number>> | null } | null
  readonly Regions: Readonly<Record<string, DerpRegion>>
  readonly omitDefaultRegions?: boolean
}

export interface SshPolicy {
  readonly rules: readonly unknown[] | null
}

export interface DisplayMessage {
  readonly Title?: string
  readonly Text?: string
  readonly Severity?: string
  readonly ImpactsConnectivity?: boolean
  readonly PrimaryAction?: { readonly URL: string; readonly Label: string } | null
}

export interface PingRequest {
  readonly URL: string
  readonly URLIsNoise?: boolean
  readonly Log?: boolean
  readonly Types?: string
  readonly IP?: string
  /** Standard base64. */
  readonly Payload?: string | null
}

export interface ClientVersion {
  readonly RunningLatest?: boolean
  readonly LatestVersion?: string
  readonly UrgentSecurityUpdate?: boolean
  readonly Notify?: boolean
  readonly NotifyURL?: string
  readonly NotifyText?: string
}

export interface PeerChange {
  readonly NodeID: NodeId
  readonly DERPRegion?: number
  readonly Cap?: number
  readonly CapMap?: CapMap | null
  readonly Endpoints?: readonly string[] | null
  readonly Key?: string | null
  readonly DiscoKey?: string | null
  readonly Online?: boolean | null
  readonly LastSeen?: string | null
  readonly KeyExpiry?: string | null
}

export interface ControlDialPlan {
  readonly Candidates?: readonly { readonly IP?: string; readonly DialStartDelaySec?: number; readonly DialTimeoutSec?: number; readonly Priority?: number }[] | null
}

export interface MapResponse {
  readonly KeepAlive?: boolean
  readonly PingRequest?: PingRequest | null
  readonly PopBrowserURL?: string
  readonly Node?: Node | null
  readonly DERPMap?: { readonly HomeParams?: DerpMap['HomeParams']; readonly Regions?: Readonly<Record<string, DerpRegion | null>> | null; readonly omitDefaultRegions?: boolean } | null
  readonly Peers?: readonly Node[] | null
  readonly PeersChanged?: readonly Node[] | null
  readonly PeersRemoved?: readonly NodeId[] | null
  readonly PeersChangedPatch?: readonly PeerChange[] | null
  readonly PeerSeenChange?: Readonly<Record<string, boolean>> | null
  readonly OnlineChange?: Readonly<Record<string, boolean>> | null
  readonly DNSConfig?: DnsConfig | null
  readonly Domain?: string
  readonly DomainDataPlaneAuditLogID?: string
  readonly PacketFilter?: readonly FilterRule[] | null
  readonly PacketFilters?: Readonly<Record<string, readonly FilterRule[] | null>> | null
  readonly UserProfiles?: readonly UserProfile[] | null
  readonly Health?: readonly string[] | null
  readonly DisplayMessages?: Readonly<Record<string, DisplayMessage | null>> | null
  readonly SSHPolicy?: SshPolicy | null
  readonly ControlTime?: string | null
  readonly ControlDialPlan?: ControlDialPlan | null
  readonly ClientVersion?: ClientVersion | null
  readonly CollectServices?: boolean | null
  readonly Debug?: { readonly SleepSeconds?: number; readonly DisableLogTail?: boolean; readonly Exit?: number | null } | null
}

/** 0 unknown, 1 local, 2 STUN, 3 port-mapped, 4 STUN address with local port, 5 explicit. */
export type EndpointType = 0 | 1 | 2 | 3 | 4 | 5

export interface MapRequest {
  readonly Version: number
  readonly Compress?: 'zstd' | ''
  readonly KeepAlive?: boolean
  readonly NodeKey: string
  readonly DiscoKey: string
  readonly Stream?: boolean
  readonly Hostinfo: Hostinfo
  readonly Endpoints?: readonly string[]
  readonly EndpointTypes?: readonly EndpointType[]
  readonly OmitPeers?: boolean
}

export interface RegisterRequest {
  readonly Version: number
  readonly NodeKey: string
  readonly OldNodeKey: string
  readonly Auth?: { readonly AuthKey: string }
  readonly Expiry?: string
  readonly Followup?: string
  readonly Hostinfo: Hostinfo
  readonly Ephemeral?: boolean
}

export interface RegisterResponse {
  readonly User: { readonly ID: UserId; readonly DisplayName?: string; readonly ProfilePicURL?: string; readonly Created?: string }
  readonly Login: { readonly ID: UserId; readonly Provider?: string; readonly LoginName?: string; readonly DisplayName?: string; readonly ProfilePicURL?: string }
  readonly NodeKeyExpired: boolean
  readonly MachineAuthorized: boolean
  readonly AuthURL: string
  readonly Error?: string
}

export const ZERO_TIME = '0001-01-01T00:00:00Z'
