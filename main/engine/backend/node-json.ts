/**
 * Nodes and the whole map as the LocalAPI shows them: wire names, computed names added, empty fields left out.
 */
import { ZERO_TIME } from '../core/tailcfg/types.ts'
import type { CapMap, Node } from '../core/tailcfg/types.ts'
import type { NetMap } from '../core/netmap/types.ts'
import { compileFilter } from '../core/filter/compile.ts'
import { magicDnsSuffix, shortName } from '../core/plan/names.ts'
import type { NetMapJson } from '../../localapi/types.ts'

/** A zero hash in base32: no tailnet lock. */
const NO_TKA_HEAD = 'A'.repeat(52)

const NEVER_SHOWN: ReadonlySet<string> = new Set(['Capabilities', 'DERP'])

/** A node with its computed names; null, empty and zero-time fields are left out as a Go encoder leaves them. */
export function nodeJson(node: Node, suffix: string): Node {
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(node)) {
    if (NEVER_SHOWN.has(key) || key.startsWith('Computed')) continue
    if (value === null || value === undefined || value === '' || value === false || value === 0 || value === ZERO_TIME) {
      if (key !== 'Online' || value !== false) continue
    }
    if (Array.isArray(value) && value.length === 0) continue
    out[key] = key === 'CapMap' ? capMapJson(value as CapMap) : value
  }
  const name = shortName(node, suffix)
  const host = node.Hostinfo?.Hostname
  out['ComputedName'] = name
  out['ComputedNameWithHost'] = host !== undefined && host !== '' && host.toLowerCase() !== name.toLowerCase() ? `${name} (${host})` : name
  return out as unknown as Node
}

/** A capability without values is an empty list, never null. */
export function capMapJson(caps: CapMap): CapMap {
  const out: Record<string, readonly unknown[]> = {}
  for (const cap of Object.keys(caps).toSorted()) out[cap] = caps[cap] ?? []
  return out
}

export function userProfilesJson(netMap: NetMap): NetMapJson['UserProfiles'] {
  return Object.fromEntries([...netMap.userProfiles].map(([id, user]) => [String(id), user]))
}

/** The map as the first bus message and `debug netmap` carry it. */
export function netMapJson(netMap: NetMap, cached: boolean): NetMapJson {
  const suffix = magicDnsSuffix(netMap.self)
  const rules = [...netMap.packetFilters.keys()].toSorted().flatMap((name) => netMap.packetFilters.get(name)!)
  return {
    Cached: cached,
    SelfNode: nodeJson(netMap.self, suffix),
    AllCaps: Object.keys(netMap.self.CapMap ?? {}).toSorted(),
    NodeKey: netMap.self.Key,
    MachineKey: netMap.self.Machine ?? '',
    Peers: [...netMap.peers.values()].map((peer) => nodeJson(peer, suffix)),
    DNS: netMap.dns,
    PacketFilter: compileFilter(rules, netMap.peers.values()).matches.map((match) => ({
      IPProto: match.protos,
      Srcs: match.srcs,
      SrcCaps: null,
      Dsts: match.dsts.map(({ prefix, first, last }) => ({ Net: prefix, Ports: { First: first, Last: last } })),
      Caps: [],
    })),
    PacketFilterRules: rules,
    SSHPolicy: netMap.sshPolicy ?? null,
    CollectServices: netMap.collectServices,
    DERPMap: netMap.derpMap,
    DisplayMessages: netMap.displayMessages.size === 0 ? null : Object.fromEntries(netMap.displayMessages),
    TKAEnabled: false,
    TKAHead: NO_TKA_HEAD,
    Domain: netMap.domain,
    DomainAuditLogID: netMap.auditLogId,
    UserProfiles: userProfilesJson(netMap),
  }
}
