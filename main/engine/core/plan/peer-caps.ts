/**
 * What the server's grants let one address do with another: capabilities and their values, gathered over all packet filters. Pure.
 */
import { parsePrefix, prefixContains } from '../../base/ip.ts'
import { parseAddressSet } from '../filter/address-sets.ts'
import type { NetMap } from '../netmap/types.ts'
import type { CapMap } from '../tailcfg/types.ts'
import { addressesOf } from './names.ts'

/** What grants let `src` do with `dstIp`, or with our own first address of the same family; null when nothing. */
export function peerCaps(netMap: NetMap, src: string, dstIp?: string): CapMap | null {
  const sameFamily = (ip: string): boolean => ip.includes(':') === src.includes(':')
  const dst = dstIp ?? addressesOf(netMap.self).find(sameFamily)
  if (dst === undefined) return null
  // Their names are the server's: one may be that of something every object has.
  const out = new Map<string, unknown[]>()
  const rules = [...netMap.packetFilters.keys()].toSorted().flatMap((name) => netMap.packetFilters.get(name)!)
  for (const rule of rules) {
    for (const grant of rule.CapGrant ?? []) {
      const reaches = (grant.Dsts ?? []).some((text) => inSet(text, dst))
      if (!reaches || !(rule.SrcIPs ?? []).some((text) => inSet(text, src))) continue
      for (const cap of grant.Caps ?? []) if (!out.has(cap)) out.set(cap, [])
      for (const [cap, values] of Object.entries(grant.CapMap ?? {})) out.set(cap, [...(out.get(cap) ?? []), ...(values ?? [])])
    }
  }
  return out.size === 0 ? null : Object.fromEntries(out)
}

function inSet(text: string, ip: string): boolean {
  const set = parseAddressSet(text)
  return !('reason' in set) && set.some((prefix) => prefixContains(parsePrefix(prefix)!, ip))
}
