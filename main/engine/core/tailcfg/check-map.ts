/**
 * Check of a whole MapResponse: unknown JSON in, typed message out, or refused.
 *
 * Refused whole: what is no object; a message whose own Node is there and unusable; an ill-typed list of peers or removals
 * (half a replacement would silently lose peers). Everything else is dropped field by field.
 * Packet filters fail closed: an ill-typed rule is dropped (a dropped field could widen it), an ill-typed list is empty.
 *
 * Source: tailscale tailcfg/tailcfg.go; test/vectors/mapresponse.
 */
import { decodeError, type DecodeError } from '../../base/errors.ts'
import { parseIp } from '../../base/ip.ts'
import { isPrefixText } from './address-text.ts'
import {
  anyInt, anyJson, bool, decimalKey, dict, Drops, id, int, isObject, list, orNull, real, shape, text, textOf, type Check,
} from './check.ts'
import { capMap, checkNode, dnsResolver, peerChange, time, userProfile } from './check-node.ts'
import type {
  CapGrant, ClientVersion, ControlDialPlan, DerpMap, DerpNode, DerpRegion, DisplayMessage, DnsConfig, FilterRule, MapResponse, Node,
  NodeId, PeerChange, PingRequest, PortRange, SshPolicy,
} from './types.ts'

const NAME = 1024
const MAX_PEERS = 1_000_000
const MAX_RULES = 100_000
const MAX_RULE_ENTRIES = 1_000_000

/** A name or an address and nothing else: it goes into requests to the relay and into questions to DNS. */
const hostName = textOf(253, (value) => /^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?$|^[0-9A-Fa-f:.]+$/.test(value))

/** It is sent to as it is. */
const addressOrNone = textOf(64, (value) => value === '' || parseIp(value) !== undefined)

const derpNode = shape<DerpNode>('DERPNode', {
  Name: text(NAME), RegionID: id, HostName: hostName, CertName: text(NAME), IPv4: text(64), IPv6: text(64),
  STUNPort: int(-65535, 65535), STUNOnly: bool, DERPPort: int(0, 65535), InsecureForTests: bool, STUNTestIP: addressOrNone, CanPort80: bool,
}, { required: ['HostName'], defaults: { Name: '', RegionID: 0 } })

const derpRegion = shape<DerpRegion>('DERPRegion', {
  RegionID: id, RegionCode: text(NAME), RegionName: text(NAME), Latitude: real, Longitude: real, Avoid: bool, NoMeasureNoHome: bool,
  Nodes: list('Nodes', derpNode, 256),
}, { required: ['RegionID'], defaults: { RegionCode: '', RegionName: '', Nodes: Object.freeze([]) } })

const homeParams = shape<NonNullable<DerpMap['HomeParams']>>('HomeParams', { RegionScore: dict('RegionScore', real, 4096, decimalKey) })

const derpMap = shape<NonNullable<MapResponse['DERPMap']>>('DERPMap', {
  HomeParams: homeParams, Regions: dict('Regions', orNull(derpRegion), 4096, decimalKey), omitDefaultRegions: bool,
})

const resolvers = list('Resolvers', dnsResolver, 256)
const extraRecord = shape<NonNullable<DnsConfig['ExtraRecords']>[number]>('ExtraRecord', {
  Name: text(NAME), Type: text(16), Value: text(4096),
}, { required: ['Name', 'Value'] })

const dnsConfig = shape<DnsConfig>('DNSConfig', {
  Resolvers: resolvers, Routes: dict('Routes', orNull(resolvers), 100_000), FallbackResolvers: resolvers,
  Domains: list('Domains', text(NAME), 1024), Proxied: bool, Nameservers: list('Nameservers', text(64), 256),
  CertDomains: list('CertDomains', text(NAME), 1024), ExtraRecords: list('ExtraRecords', extraRecord, 100_000),
  ExitNodeFilteredSet: list('ExitNodeFilteredSet', text(NAME), 100_000),
})

const portRange = shape<PortRange>('PortRange', {
  First: int(0, 65535), Last: int(0, 65535),
}, { required: ['First', 'Last'] })
const dstPort = shape<NonNullable<FilterRule['DstPorts']>[number]>('DstPorts', {
  IP: text(128), Bits: int(0, 128), Ports: portRange,
}, { required: ['IP', 'Ports'], strict: true })
const capGrant = shape<CapGrant>('CapGrant', {
  Dsts: list('Dsts', textOf(64, isPrefixText), MAX_RULE_ENTRIES),
  Caps: list('Caps', text(NAME), 1024), CapMap: capMap,
}, { strict: true })

const filterRule = shape<FilterRule>('FilterRule', {
  SrcIPs: list('SrcIPs', text(NAME), MAX_RULE_ENTRIES), SrcBits: list('SrcBits', int(0, 128), MAX_RULE_ENTRIES),
  DstPorts: list('DstPorts', dstPort, MAX_RULE_ENTRIES), IPProto: wholeList('IPProto', anyInt),
  CapGrant: list('CapGrant', capGrant, 1024),
}, { strict: true })

const filterRules: Check<readonly FilterRule[]> = list('FilterRule', filterRule, MAX_RULES)

/** Named filters; an ill-typed list under a name is the empty list, so that the name's old rules do not live on. */
const namedFilters: Check<Readonly<Record<string, readonly FilterRule[] | null>>> = dict('PacketFilters', (value, drops) => {
  if (value === null) return null
  const rules = filterRules(value, drops)
  if (rules) return rules
  drops.add('PacketFilters.rules')
  return Object.freeze([])
}, 4096)

const displayMessage = shape<DisplayMessage>('DisplayMessage', {
  Title: text(4096), Text: text(16_384), Severity: text(64), ImpactsConnectivity: bool,
  PrimaryAction: shape<{ URL: string; Label: string }>('PrimaryAction', {
    URL: text(8192), Label: text(NAME),
  }, { required: ['URL', 'Label'] }),
})

const pingRequest = shape<PingRequest>('PingRequest', {
  URL: text(8192), URLIsNoise: bool, Log: bool, Types: text(256), IP: text(64), Payload: text(1024 * 1024),
}, { required: ['URL'] })

const clientVersion = shape<ClientVersion>('ClientVersion', {
  RunningLatest: bool, LatestVersion: text(NAME), UrgentSecurityUpdate: bool, Notify: bool, NotifyURL: text(8192), NotifyText: text(4096),
})

const dialPlan = shape<ControlDialPlan>('ControlDialPlan', {
  Candidates: list('Candidates', shape<NonNullable<ControlDialPlan['Candidates']>[number]>('Candidate', {
    IP: text(64), DialStartDelaySec: real, DialTimeoutSec: real, Priority: anyInt,
  }), 64),
})

const messageShape = shape<MapResponse>('MapResponse', {
  KeepAlive: bool, PingRequest: pingRequest, PopBrowserURL: text(8192), Node: checkNode, DERPMap: derpMap,
  Peers: list<Node>('Peers', checkNode, MAX_PEERS), PeersChanged: list<Node>('PeersChanged', checkNode, MAX_PEERS),
  PeersRemoved: list<NodeId>('PeersRemoved', id, MAX_PEERS),
  PeersChangedPatch: list<PeerChange>('PeersChangedPatch', peerChange, MAX_PEERS),
  PeerSeenChange: dict('PeerSeenChange', bool, MAX_PEERS, decimalKey), OnlineChange: dict('OnlineChange', bool, MAX_PEERS, decimalKey),
  DNSConfig: dnsConfig, Domain: text(NAME), DomainDataPlaneAuditLogID: text(NAME), PacketFilter: filterRules, PacketFilters: namedFilters,
  UserProfiles: list('UserProfiles', userProfile, MAX_PEERS), Health: list('Health', text(4096), 256),
  DisplayMessages: dict('DisplayMessages', orNull(displayMessage), 256),
  SSHPolicy: shape<SshPolicy>('SSHPolicy', { rules: list('rules', anyJson(24), 100_000) }, { defaults: { rules: null } }),
  ControlTime: time, ControlDialPlan: dialPlan, ClientVersion: clientVersion, CollectServices: bool,
  Debug: shape<NonNullable<MapResponse['Debug']>>('Debug', { SleepSeconds: real, DisableLogTail: bool, Exit: anyInt }),
}, { orElse: { PacketFilter: Object.freeze([]), PacketFilters: Object.freeze({ '*': null }) } })

/** Fields without which, half read, the message would do harm. */
const WHOLE_OR_NOTHING = ['Node', 'Peers', 'PeersChanged', 'PeersRemoved'] as const

/** The message, frozen, or why it is refused. What was dropped inside is told to `drops`. */
export function checkMapResponse(value: unknown, drops: Drops = new Drops()): MapResponse | DecodeError {
  if (!isObject(value)) return decodeError('bad-type', 'map response')
  const message = messageShape(value, drops)
  if (!message) return decodeError('bad-type', 'map response')
  for (const field of WHOLE_OR_NOTHING) {
    if (value[field] !== undefined && value[field] !== null && message[field] === undefined) return decodeError('bad-value', field)
  }
  return message
}

/** A list that is refused whole when one entry is bad: dropping an entry would mean something else. */
function wholeList<T>(name: string, entry: Check<T>): Check<readonly T[]> {
  const check = list(name, entry, 4096)
  return (value, drops) => {
    const checked = check(value, drops)
    return checked && checked.length === (value as unknown[]).length ? checked : undefined
  }
}
