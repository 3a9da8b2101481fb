/**
 * Checks of nodes, their host information and user profiles.
 *
 * A node without ID, key or name is refused. What would open something by vanishing (IsJailed, Expired,
 * UnsignedPeerAPIOnly) counts as true when it is ill-typed. Normalised here, once: HomeDERP from the legacy DERP
 * text, AllowedIPs null or of an unsigned node = Addresses,
 * zero times and zero keys absent.
 */
import { parseIp } from '../../base/ip.ts'
import { isZeroKey, parseDiscoKey, parseMachineKey, parseNodeKey } from '../../base/keys.ts'
import { isAddrPortText, isPrefixText } from './address-text.ts'
import {
  anyInt, anyJson, bool, dict, id, int, isObject, list, orNull, real, shape, text, textOf, type Check,
} from './check.ts'
import { isTime } from './time.ts'
import type { CapMap, DnsResolver, Hostinfo, Location, NetInfo, Node, PeerChange, Service, UserProfile } from './types.ts'

const NAME = 1024
const MAX_PREFIXES = 4096
const MAX_ENDPOINTS = 256

const prefix = textOf(64, isPrefixText)
const endpoint = textOf(64, isAddrPortText)
const nodeKeyText = textOf(72, (value) => parseNodeKey(value) !== undefined && !isZeroKey(value))
const discoKeyText = textOf(73, (value) => parseDiscoKey(value) !== undefined)
const machineKeyText = textOf(69, (value) => parseMachineKey(value) !== undefined)
export const time = textOf(40, isTime)
const texts = (name: string): Check<readonly string[]> => list(name, text(NAME), 1024)
export const capMap: Check<CapMap> = dict('CapMap', orNull(list('CapMap', anyJson(16), 1024)), 1024)

const netInfo = shape<NetInfo>('NetInfo', {
  MappingVariesByDestIP: bool, WorkingIPv6: bool, OSHasIPv6: bool, WorkingUDP: bool, WorkingICMPv4: bool,
  HavePortMap: bool, UPnP: bool, PMP: bool, PCP: bool, PreferredDERP: id, LinkType: text(NAME),
  DERPLatency: dict('DERPLatency', real, 4096), FirewallMode: text(NAME),
})

const service = shape<Service>('Service', {
  Proto: text(64), Port: int(0, 65535), Description: text(NAME),
}, { required: ['Proto', 'Port'] })

const location = shape<Location>('Location', {
  Country: text(NAME), CountryCode: text(64), City: text(NAME), CityCode: text(64), Latitude: real, Longitude: real, Priority: anyInt,
})

export const hostinfo = shape<Hostinfo>('Hostinfo', {
  IPNVersion: text(NAME), BackendLogID: text(128), OS: text(64), OSVersion: text(NAME), Distro: text(NAME),
  DistroVersion: text(NAME), DistroCodeName: text(NAME), Hostname: text(NAME), DeviceModel: text(NAME), Machine: text(NAME),
  GoArch: text(64), Desktop: bool, Package: text(NAME), Container: bool, ShieldsUp: bool,
  RoutableIPs: list('RoutableIPs', prefix, MAX_PREFIXES), RequestTags: texts('RequestTags'),
  Services: list('Services', service, 1024), NetInfo: netInfo, sshHostKeys: list('sshHostKeys', text(16_384), 64),
  Userspace: bool, UserspaceRouter: bool, PeerRelay: bool, ExitNodeID: text(NAME), StateEncrypted: bool,
  NoLogsNoSupport: bool, Location: location,
})

export const dnsResolver = shape<DnsResolver>('Resolver', {
  Addr: text(2048),
  BootstrapResolution: list('BootstrapResolution', textOf(64, (value) => parseIp(value) !== undefined), 64),
  UseWithExitNode: bool,
})

const ipText = textOf(45, (value) => parseIp(value) !== undefined)

const nodeShape = shape<Node & { DERP?: string }>('Node', {
  ID: int(1, Number.MAX_SAFE_INTEGER), StableID: text(256), Name: text(NAME), User: id, Sharer: id, Key: nodeKeyText, KeyExpiry: time,
  Machine: machineKeyText, DiscoKey: discoKeyText,
  Addresses: list('Addresses', prefix, MAX_PREFIXES), AllowedIPs: orNull(list('AllowedIPs', prefix, MAX_PREFIXES)),
  Endpoints: list('Endpoints', endpoint, MAX_ENDPOINTS), HomeDERP: id, DERP: text(64), Hostinfo: hostinfo, Created: time, Cap: id,
  Tags: texts('Tags'), PrimaryRoutes: list('PrimaryRoutes', prefix, MAX_PREFIXES), LastSeen: time, Online: bool,
  MachineAuthorized: bool, Capabilities: texts('Capabilities'), CapMap: capMap, Expired: bool,
  SelfNodeV4MasqAddrForThisPeer: ipText, SelfNodeV6MasqAddrForThisPeer: ipText, IsWireGuardOnly: bool, IsJailed: bool,
  ExitNodeDNSResolvers: list('ExitNodeDNSResolvers', dnsResolver, 64), UnsignedPeerAPIOnly: bool,
  DataPlaneAuditLogID: text(NAME),
}, {
  required: ['ID', 'Key'],
  defaults: { StableID: '', Name: '', User: 0, Addresses: Object.freeze([]) },
  orElse: { IsJailed: true, Expired: true, UnsignedPeerAPIOnly: true },
})

/** A node, normalised and frozen. */
export const checkNode: Check<Node> = (value, drops) => {
  const node = nodeShape(value, drops)
  if (!node) return undefined
  const home = node.HomeDERP === undefined || node.HomeDERP === 0 ? legacyHome(node.DERP) : undefined
  const zeroDisco = node.DiscoKey !== undefined && isZeroKey(node.DiscoKey)
  const zeroExpiry = node.KeyExpiry?.startsWith('0001-') === true
  // A node that nobody has signed for gets no routes.
  const needsAllowed = node.AllowedIPs === undefined || node.AllowedIPs === null || node.UnsignedPeerAPIOnly === true
  if (home === undefined && !zeroDisco && !zeroExpiry && !needsAllowed && node.DERP === undefined) return node
  const { DERP: _, DiscoKey: disco, KeyExpiry: expiry, ...rest } = node
  return Object.freeze({
    ...rest,
    ...(disco === undefined || zeroDisco ? {} : { DiscoKey: disco }),
    ...(expiry === undefined || zeroExpiry ? {} : { KeyExpiry: expiry }),
    ...(home === undefined ? {} : { HomeDERP: home }),
    ...(needsAllowed ? { AllowedIPs: node.Addresses } : {}),
  })
}

/** Region of "127.3.3.40:N". */
function legacyHome(derp: string | undefined): number | undefined {
  const match = derp === undefined ? null : /^127\.3\.3\.40:(\d{1,9})$/.exec(derp)
  return match ? Number(match[1]) : undefined
}

export const userProfile = shape<UserProfile>('UserProfile', {
  ID: id, LoginName: text(NAME), DisplayName: text(NAME), ProfilePicURL: text(8192), Groups: texts('Groups'),
}, { required: ['ID'], defaults: { LoginName: '', DisplayName: '' } })

const peerChangeShape = shape<PeerChange>('PeerChange', {
  NodeID: id, DERPRegion: id, Cap: id, CapMap: capMap, Endpoints: list('Endpoints', endpoint, MAX_ENDPOINTS),
  Key: nodeKeyText, DiscoKey: discoKeyText, Online: bool, LastSeen: time, KeyExpiry: time,
}, { required: ['NodeID'] })

/** A patch; one whose new key is ill-typed is refused whole, since the rest would land on a key that is gone. */
export const peerChange: Check<PeerChange> = (value, drops) => {
  const change = peerChangeShape(value, drops)
  if (!change || !isObject(value)) return undefined
  return value['Key'] !== undefined && value['Key'] !== null && change.Key === undefined ? undefined : change
}
