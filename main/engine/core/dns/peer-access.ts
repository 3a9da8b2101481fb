/**
 * Which devices may have names looked up here: those of the same person, and those that may use this device as exit node,
 * which is asked of the packet filter as if they sent to port 53 of any public address. Pure.
 *
 * Source: dataplane facts §8.6.
 */
import { isIp4, parsePrefix, prefixContains } from '../../base/ip.ts'
import type { FilterTable } from '../plan/types.ts'
import type { Node } from '../tailcfg/types.ts'

const TCP = 6
const DNS_PORT = 53

export interface PeerAccess {
  readonly self: Node
  readonly node: Node
  /** Address that it calls from. */
  readonly ip: string
  /** This device offers to be an exit node. */
  readonly offersExit: boolean
  readonly filter: FilterTable
}

export function mayAskNames({ self, node, ip, offersExit, filter }: PeerAccess): boolean {
  const isTagged = [self, node].some(({ Tags }) => (Tags ?? []).length > 0)
  if (!isTagged && node.User === self.User) return true
  if (!offersExit || filter.shieldsUp || node.UnsignedPeerAPIOnly === true) return false
  const anywhere = isIp4(ip) ? '0.0.0.0' : '2000::'
  return filter.matches.some(({ protos, srcs, dsts }) => protos.includes(TCP) && srcs.some((src) => holds(src, ip))
    && dsts.some(({ prefix, first, last }) => first <= DNS_PORT && DNS_PORT <= last && holds(prefix, anywhere)))
}

function holds(text: string, ip: string): boolean {
  const prefix = parsePrefix(text)
  return prefix !== undefined && prefixContains(prefix, ip)
}
