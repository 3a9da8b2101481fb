/**
 * Who stands behind an address: which node and user, and what the server's grants let that node do with us. Pure.
 */
import type { Node, UserProfile } from '../core/tailcfg/types.ts'
import type { NetMap } from '../core/netmap/types.ts'
import { addressesOf, magicDnsSuffix } from '../core/plan/names.ts'
import { peerCaps } from '../core/plan/peer-caps.ts'
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
