/**
 * What both ends of a peer relay hold of an endpoint: the pair of disco keys that it is for, in the order of the wire, and
 * whether an endpoint that somebody names can be one at all. Pure.
 */
import type { AddrPort } from '../../base/ip.ts'
import type { DiscoPublicKey } from '../../base/keys.ts'
import type { PeerRelayEndpoint } from '../disco/message.ts'
import { refusedAddr } from '../path/acceptable.ts'
import { MAX_VNI } from './geneve.ts'

export type DiscoPair = readonly [DiscoPublicKey, DiscoPublicKey]

/** Of one endpoint; the rest of a long list is not tried. */
export const MAX_RELAY_ADDRS = 12

/** Two keys in the order in which the wire names them: by their bytes. */
export function discoPair(a: DiscoPublicKey, b: DiscoPublicKey): DiscoPair {
  return a < b ? [a, b] : [b, a]
}

export function samePair(a: DiscoPair, b: DiscoPair): boolean {
  return a[0] === b[0] && a[1] === b[1]
}

/** Whether the keys are the pair, in either order. */
export function isPairOf(keys: DiscoPair, a: DiscoPublicKey, b: DiscoPublicKey): boolean {
  return samePair(discoPair(keys[0], keys[1]), discoPair(a, b))
}

/** Addresses of an endpoint at which a relay can be; empty when the endpoint makes no sense for this pair. */
export function usableAddrs(endpoint: PeerRelayEndpoint, own: DiscoPublicKey, peer: DiscoPublicKey, allowLoopback: boolean): readonly AddrPort[] {
  const isSound =
    isPairOf(endpoint.clients, own, peer) && endpoint.vni >= 1 && endpoint.vni <= MAX_VNI && endpoint.bindLifetimeNs > 0n && endpoint.server !== own && endpoint.server !== peer
  if (!isSound) return []
  const seen = new Set<string>()
  return endpoint.addrs
    .filter((addr) => refusedAddr(addr, allowLoopback) === undefined && !seen.has(`${addr.ip} ${addr.port}`) && seen.add(`${addr.ip} ${addr.port}`))
    .slice(0, MAX_RELAY_ADDRS)
}
