/**
 * Which peer packets to an address go to under a plan: the one with the longest of the prefixes that hold it, as the packet thread does.
 */
import { parsePrefix, prefixContains } from '../../base/ip.ts'
import type { NodePublicKey } from '../../base/keys.ts'
import type { DataplanePeer } from './types.ts'

/** undefined: nobody has it. */
export function carrierOf(peers: readonly DataplanePeer[], ip: string): NodePublicKey | undefined {
  return wayTo(peers, ip)?.key
}

/** The same with the prefix that leads there. */
export function wayTo(peers: readonly DataplanePeer[], ip: string): { readonly key: NodePublicKey; readonly prefix: string } | undefined {
  let best: { readonly key: NodePublicKey; readonly prefix: string; readonly bits: number } | undefined
  for (const { key, routes } of peers) {
    for (const route of routes) {
      const prefix = parsePrefix(route)
      if (prefix && prefix.bits > (best?.bits ?? -1) && prefixContains(prefix, ip)) best = { key, prefix: route, bits: prefix.bits }
    }
  }
  return best && { key: best.key, prefix: best.prefix }
}
