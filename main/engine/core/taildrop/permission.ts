/**
 * Who may send files here. Asked at each operation of a transfer, and once more before a file gets its name. Pure.
 *
 * Source: dataplane facts §8.3; tailscale feature/taildrop/peerapi.go.
 */
import type { NetMap } from '../netmap/types.ts'
import { addressesOf } from '../plan/names.ts'
import { peerCaps } from '../plan/peer-caps.ts'
import type { Node } from '../tailcfg/types.ts'
import { isOwn, mayShareFiles } from './targets.ts'

const CAP_SEND = 'https://tailscale.com/cap/file-send'

export type SendRefusal = 'turned-off' | 'no-file-sharing' | 'not-allowed'

/** Why a device may not send here; undefined: it may. `from`: its address that asks; a device that is no longer in the map may not. */
export function sendRefusal(netMap: NetMap | undefined, node: Node, from: string): SendRefusal | undefined {
  if (!netMap) return 'turned-off'
  const now = netMap.peers.get(node.ID)
  if (!now || now.StableID !== node.StableID || now.UnsignedPeerAPIOnly === true || !addressesOf(now).includes(from)) return 'not-allowed'
  if (!isOwn(netMap.self, now) && !Object.hasOwn(peerCaps(netMap, from) ?? {}, CAP_SEND)) return 'not-allowed'
  return mayShareFiles(netMap.self) ? undefined : 'no-file-sharing'
}
