/**
 * What the server's grants let one address do with another: capabilities and their values, gathered over all packet filters. Pure.
 */
import { parsePrefix, prefixContains } from '../../base/ip.ts'
import { parseAddressSet } from '../filter/address-sets.ts'
import type { NetMap } from '../netmap/types.ts'
import type { CapMap, FilterRule } from '../tailcfg/types.ts'
import { addressesOf } from './names.ts'

/** What grants let `src` do with `dstIp`, or with our own first address of the same family; null when nothing. */
export function peerCaps(netMap: NetMap, src: string, dstIp?: string): CapMap | null {
  const sameFamily = (ip: string): boolean => ip.includes(':') === src.includes(':')
  const dst = dstIp ?? addressesOf(netMap.self).find(sameFamily)
  if (dst === undefined) return null
  // Their names are the server's: one may be that of something every object has.
  const out = new Map<string, unknown[]>()
  for (const rule of grantingRules(netMap.packetFilters)) {
    for (const grant of rule.CapGrant ?? []) {
      const reaches = (grant.Dsts ?? []).some((text) => inSet(text, dst))
      if (!reaches || !(rule.SrcIPs ?? []).some((text) => inSet(text, src))) continue
      for (const cap of grant.Caps ?? []) if (!out.has(cap)) out.set(cap, [])
      for (const [cap, values] of Object.entries(grant.CapMap ?? {})) out.set(cap, [...(out.get(cap) ?? []), ...(values ?? [])])
    }
  }
  return out.size === 0 ? null : Object.fromEntries(out)
}

/** Rules that grant anything, in order; of the same filters looked for once, since every device of a large map is asked about. */
function grantingRules(filters: NetMap['packetFilters']): readonly FilterRule[] {
  const known = GRANTING.get(filters)
  if (known) return known
  const rules = [...filters.keys()].toSorted().flatMap((name) => filters.get(name)!.filter(({ CapGrant }) => (CapGrant ?? []).length > 0))
  GRANTING.set(filters, rules)
  return rules
}

const GRANTING = new WeakMap<NetMap['packetFilters'], readonly FilterRule[]>()

function inSet(text: string, ip: string): boolean {
  const set = parseAddressSet(text)
  return !('reason' in set) && set.some((prefix) => prefixContains(parsePrefix(prefix)!, ip))
}
