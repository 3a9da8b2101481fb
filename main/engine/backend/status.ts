/**
 * The Status of GET status: one pure function over what the backend knows. What is not known is zero or empty, never guessed:
 * CurAddr is filled only while a direct path is trusted.
 *
 * Source: tailscale ipn/ipnstate (1.102.5); test/vectors/localapi/status.json.
 */
import { formatUdpAddr } from '../core/path/types.ts'
import { ZERO_TIME } from '../core/tailcfg/types.ts'
import type { DerpMap, Node } from '../core/tailcfg/types.ts'
import { peerByStableId } from '../core/netmap/find-node.ts'
import type { NetMap } from '../core/netmap/types.ts'
import type { PathView } from '../core/path/types.ts'
import type { NodePublicKey } from '../base/keys.ts'
import { formatAddrPort } from '../base/ip.ts'
import { offersExit } from '../core/plan/egress.ts'
import { addressesOf, magicDnsSuffix } from '../core/plan/names.ts'
import { peerApiUrls } from '../core/plan/peer-api-port.ts'
import type { Hostinfo } from '../core/tailcfg/types.ts'
import type { PeerStatus, StateName, Status } from '../../localapi/types.ts'
import type { Endpoint, FileTargetState, PeerStats } from './ports.ts'
import { capMapJson, userProfilesJson } from './node-json.ts'

export interface StatusInput {
  readonly version: string
  readonly state: StateName
  readonly hasNodeKey: boolean
  readonly nodeKey: string
  readonly authUrl: string
  /** Stable ID of the exit node in use, or of the one that is chosen and cannot be used; "" = none. */
  readonly exitNodeId: string
  readonly hostinfo: Hostinfo
  readonly netMap: NetMap | undefined
  readonly endpoints: readonly Endpoint[]
  readonly homeRegion: number
  readonly health: readonly string[]
  readonly paths: ReadonlyMap<NodePublicKey, PathView>
  readonly stats: ReadonlyMap<NodePublicKey, PeerStats>
  readonly active: ReadonlySet<NodePublicKey>
  /** Whether control's map stream is open: what Self.Online says. */
  readonly online: boolean
  /** Whether devices tell the version of their program, which the stock daemon keeps to itself. */
  readonly withVersions: boolean
  readonly targetOf: (node: Node) => FileTargetState
}

const ZERO_KEY = `nodekey:${'0'.repeat(64)}`

export function buildStatus(input: StatusInput, withPeers: boolean): Status {
  const { netMap, exitNodeId } = input
  const suffix = netMap ? magicDnsSuffix(netMap.self) : ''
  const selfIps = netMap ? addressesOf(netMap.self) : null
  const exitNode = netMap && peerByStableId(netMap, exitNodeId)
  const peers: Record<string, PeerStatus> = {}
  if (netMap && withPeers) for (const peer of netMap.peers.values()) peers[peer.Key] = peerStatus(peer, input)
  return {
    Version: input.version,
    TUN: false,
    BackendState: input.state,
    ...(input.hasNodeKey ? { HaveNodeKey: true } : {}),
    AuthURL: input.authUrl,
    TailscaleIPs: selfIps,
    Self: netMap ? selfStatus(netMap.self, input) : bareSelf(input),
    ...(exitNode
      ? { ExitNodeStatus: { ID: exitNode.StableID, Online: exitNode.Online === true, TailscaleIPs: (exitNode.Addresses ?? []).slice() } }
      : {}),
    Health: input.health,
    MagicDNSSuffix: suffix,
    CurrentTailnet: netMap ? { Name: netMap.domain, MagicDNSSuffix: suffix, MagicDNSEnabled: netMap.dns.Proxied === true } : null,
    CertDomains: netMap?.dns.CertDomains ?? null,
    ExtraRecords: netMap?.dns.ExtraRecords ?? null,
    Peer: withPeers && netMap ? peers : null,
    User: netMap ? userProfilesJson(netMap) : null,
    ClientVersion: netMap?.clientVersion ?? null,
  }
}

/** Self before there is a map: only what this machine knows of itself. */
function bareSelf(input: StatusInput): PeerStatus {
  return {
    ID: '',
    PublicKey: input.nodeKey === '' ? ZERO_KEY : input.nodeKey,
    HostName: input.hostinfo.Hostname ?? '',
    DNSName: '',
    OS: input.hostinfo.OS ?? '',
    UserID: 0,
    TailscaleIPs: null,
    Addrs: input.endpoints.map((endpoint) => endpoint.addr),
    ...QUIET,
    Created: ZERO_TIME,
    Online: false,
    ExitNode: false,
    ExitNodeOption: false,
    PeerAPIURL: null,
    InNetworkMap: false,
  }
}

/** Fields of a node that no traffic has touched. */
const QUIET = {
  CurAddr: '',
  Relay: '',
  PeerRelay: '',
  RxBytes: 0,
  TxBytes: 0,
  LastWrite: ZERO_TIME,
  LastSeen: ZERO_TIME,
  LastHandshake: ZERO_TIME,
  Active: false,
  TaildropTarget: 0,
  NoFileSharingReason: '',
  InMagicSock: false,
  InEngine: false,
} as const

function selfStatus(self: Node, input: StatusInput): PeerStatus {
  return {
    ...ofNode(self, input),
    HostName: input.hostinfo.Hostname ?? self.Hostinfo?.Hostname ?? '',
    OS: input.hostinfo.OS ?? '',
    Addrs: input.endpoints.map((endpoint) => endpoint.addr),
    Relay: regionCode(input.netMap!.derpMap, input.homeRegion),
    Online: input.online,
    ExitNodeOption: offersExit(self),
    InMagicSock: false,
    InEngine: false,
  }
}

function peerStatus(peer: Node, input: StatusInput): PeerStatus {
  const key = peer.Key as NodePublicKey
  const path = input.paths.get(key)
  const stats = input.stats.get(key)
  const handshake = stats?.lastHandshakeMs
  return {
    ...ofNode(peer, input),
    ...input.targetOf(peer),
    CurAddr: path?.path.kind === 'direct' ? formatAddrPort(path.path.addr) : '',
    PeerRelay: path?.path.kind === 'peer-relay' ? formatUdpAddr({ ...path.path.addr, vni: path.path.vni }) : '',
    Relay: regionCode(input.netMap!.derpMap, peer.HomeDERP ?? 0),
    RxBytes: stats?.rxBytes ?? 0,
    TxBytes: stats?.txBytes ?? 0,
    LastSeen: peer.Online === true ? ZERO_TIME : (peer.LastSeen ?? ZERO_TIME),
    LastHandshake: handshake === undefined ? ZERO_TIME : new Date(handshake).toISOString(),
    ExitNode: input.exitNodeId !== '' && peer.StableID === input.exitNodeId,
    Active: input.active.has(key),
    InMagicSock: path !== undefined || stats !== undefined,
    InEngine: stats !== undefined,
  }
}

function ofNode(node: Node, input: StatusInput): PeerStatus {
  const caps = node.CapMap ?? {}
  const hasCaps = Object.keys(caps).length > 0
  return {
    ID: node.StableID,
    NodeID: node.ID,
    PublicKey: node.Key,
    HostName: node.Hostinfo?.Hostname ?? '',
    DNSName: node.Name,
    OS: node.Hostinfo?.OS ?? '',
    ...(input.withVersions && node.Hostinfo?.IPNVersion ? { IPNVersion: node.Hostinfo.IPNVersion } : {}),
    UserID: node.User,
    ...(node.Sharer !== undefined && node.Sharer !== 0 ? { AltSharerUserID: node.Sharer } : {}),
    TailscaleIPs: addressesOf(node),
    ...listed('AllowedIPs', node.AllowedIPs ?? node.Addresses),
    ...listed('Tags', node.Tags),
    ...listed('PrimaryRoutes', node.PrimaryRoutes),
    Addrs: null,
    ...QUIET,
    Created: node.Created ?? ZERO_TIME,
    Online: node.Online === true,
    ExitNode: false,
    ExitNodeOption: offersExit(node),
    PeerAPIURL: peerApiUrls(node, input.netMap!.self),
    ...(hasCaps ? { Capabilities: Object.keys(caps).toSorted(), CapMap: capMapJson(caps) } : {}),
    ...listed('sshHostKeys', node.Hostinfo?.sshHostKeys),
    InNetworkMap: true,
    ...(node.Expired === true ? { Expired: true } : {}),
    ...(node.KeyExpiry !== undefined && node.KeyExpiry !== ZERO_TIME ? { KeyExpiry: node.KeyExpiry } : {}),
  }
}

function listed<K extends string>(key: K, list: readonly string[] | null | undefined): { [P in K]?: readonly string[] } {
  return (list && list.length > 0 ? { [key]: list } : {}) as { [P in K]?: readonly string[] }
}

export function regionCode(map: DerpMap, region: number): string {
  return region === 0 ? '' : (map.Regions[String(region)]?.RegionCode ?? `region-${region}`)
}
