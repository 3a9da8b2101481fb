/**
 * Nodes of a map by what people and machines know them by. Addresses are canonical texts.
 */
import { addressesOf, shortName, trimDot } from '../plan/names.ts'
import type { Node } from '../tailcfg/types.ts'
import type { NetMap } from './types.ts'

/** The node that has the address as its own; ourselves too. */
export function nodeByIp(netMap: NetMap, ip: string): Node | undefined {
  return addressesOf(netMap.self).includes(ip) ? netMap.self : peerByIp(netMap, ip)
}

/** The peer that has the address as its own. */
export function peerByIp(netMap: NetMap, ip: string): Node | undefined {
  for (const peer of netMap.peers.values()) if (addressesOf(peer).includes(ip)) return peer
  return undefined
}

/** The node that has the key; ourselves too. */
export function nodeByKey(netMap: NetMap, key: string): Node | undefined {
  if (netMap.self.Key === key) return netMap.self
  for (const peer of netMap.peers.values()) if (peer.Key === key) return peer
  return undefined
}

/** The peer with a stable ID; "" is nobody's. */
export function peerByStableId(netMap: NetMap, id: string): Node | undefined {
  if (id === '') return undefined
  for (const peer of netMap.peers.values()) if (peer.StableID === id) return peer
  return undefined
}

/** Whether a text is a node's full or short name, in whatever case; `suffix` is the network's. */
export function isCalled(node: Node, text: string, suffix: string): boolean {
  const name = trimDot(text).toLowerCase()
  return [trimDot(node.Name), shortName(node, suffix)].some((one) => one.toLowerCase() === name)
}
