/**
 * Which peer packets to an address go to under a plan: the one with the longest of the prefixes that hold it, as the packet thread does.
 */
import { parsePrefix, prefixContains } from '../../base/ip.ts'
import type { NodePublicKey } from '../../base/keys.ts'
import type { DataplanePeer } from './types.ts'

/** undefined: nobody has it. */
export function carrierOf(peers: readonly DataplanePeer[], ip: string): NodePublicKey | undefined {
  let best: { readonly key: NodePublicKey; readonly bits: number } | undefined
  for (const { key, routes } of peers) {
    for (const route of routes) {
      const prefix = parsePrefix(route)
      if (prefix && prefix.bits > (best?.bits ?? -1) && prefixContains(prefix, ip)) best = { key, bits: prefix.bits }
    }
  }
  return best?.key
}
