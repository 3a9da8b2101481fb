/**
 * Who stands behind an address: which node and user, and what the server's grants let that node do with us. Pure.
 */
import { parsePrefix, prefixContains } from '../base/ip.ts'
import type { CapMap, Node, UserProfile } from '../core/tailcfg/types.ts'
import type { NetMap } from '../core/netmap/types.ts'
import { parseAddressSet } from '../core/filter/address-sets.ts'
import { addressesOf, magicDnsSuffix } from '../core/plan/names.ts'
import type { WhoIsResponse } from '../../localapi/types.ts'
import { nodeJson } from './node-json.ts'

/** The profile of a node's owner; a made-up one for an ID that control did not explain. */
export function ownerOf(netMap: NetMap, node: Node): UserProfile {
  return netMap.userProfiles.get(node.User) ?? { ID: node.User, LoginName: '', DisplayName: '' }
}

export function whoIs(netMap: NetMap, node: Node, dstIp?: string): WhoIsResponse {
  const src = addressesOf(node)[0]
  return {
    Node: nodeJson(node, magicDnsSuffix(netMap.self)),
    UserProfile: ownerOf(netMap, node),
    CapMap: src === undefined ? null : peerCaps(netMap, src, dstIp),
  }
}

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
