/**
 * The exit node pref: an address is turned into the stable ID of the device that has it, as soon as the list knows it.
 */
import type { NetMap } from '../core/netmap/types.ts'
import type { Prefs } from '../../localapi/types.ts'
import { nodeByIp } from './whois.ts'

/** Prefs with ExitNodeID in place of a known ExitNodeIP; the same object when there is nothing to do. */
export function resolveExitNode(prefs: Prefs, netMap: NetMap): Prefs {
  if (prefs.ExitNodeIP === '') return prefs
  const node = nodeByIp(netMap, prefs.ExitNodeIP)
  return node ? { ...prefs, ExitNodeID: node.StableID, ExitNodeIP: '' } : prefs
}
