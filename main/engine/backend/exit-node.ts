/**
 * Prefs that the network's map settles. The exit node: an address is turned into the stable ID of the device that has it, as soon as the list knows it;
 * switching it off remembers which one it was; and which of the offered ones is nearest.
 *
 * Source: tailscale ipnlocal (SetUseExitNodeEnabled, suggestExitNodeUsingDERP), 1.102.5.
 */
import { EngineError } from '../base/errors.ts'
import { canonicalIp } from '../base/ip.ts'
import { nodeByIp } from '../core/netmap/find-node.ts'
import type { Location, NetInfo, Node } from '../core/tailcfg/types.ts'
import type { NetMap } from '../core/netmap/types.ts'
import { offersExit, UNRESOLVED_EXIT } from '../core/plan/egress.ts'
import type { ExitNodeSuggestion, MaskedPrefs, Prefs } from '../../localapi/types.ts'

/** Of devices that the server recommends as exit node. */
export const SUGGEST_CAP = 'suggest-exit-node'
const AUTO_PREFIX = 'auto:'
const DEFAULT_AUTO_UPDATE = 'default-auto-update'

/**
 * Prefs with one wish for an exit node: by itself goes before an address, an address before an ID; an address becomes the ID of the
 * device that has it. The same object when there is nothing to do.
 */
export function settleExitNode(prefs: Prefs, netMap: NetMap | undefined): Prefs {
  if ((prefs.AutoExitNode ?? '') !== '') {
    const id = prefs.ExitNodeID === '' ? UNRESOLVED_EXIT : prefs.ExitNodeID
    return id === prefs.ExitNodeID && prefs.ExitNodeIP === '' ? prefs : { ...prefs, ExitNodeID: id, ExitNodeIP: '' }
  }
  if (prefs.ExitNodeIP === '') return prefs
  const ip = canonicalIp(prefs.ExitNodeIP)
  const node = ip === undefined ? undefined : netMap && nodeByIp(netMap, ip)
  if (node) return { ...prefs, ExitNodeID: node.StableID, ExitNodeIP: '' }
  return prefs.ExitNodeID === '' ? prefs : { ...prefs, ExitNodeID: '' }
}

/** Prefs with the server's "no" to updating by itself where nobody has chosen; its "yes" is not ours to follow. */
export function settleAutoUpdate(prefs: Prefs, self: Node): Prefs {
  if (prefs.AutoUpdate.Apply !== null || self.CapMap?.[DEFAULT_AUTO_UPDATE]?.[0] !== false) return prefs
  return { ...prefs, AutoUpdate: { ...prefs.AutoUpdate, Apply: false } }
}

/** The change that turns the last used exit node on or off; undefined when it is so already. Throws EngineError('io'). */
export function exitNodeMask(prefs: Prefs, enabled: boolean): MaskedPrefs | undefined {
  if (enabled === (prefs.ExitNodeID !== '')) return undefined
  const { InternalExitNodePrior: prior, AutoExitNode: auto = '' } = prefs
  if (!enabled) {
    const kept = auto === '' ? prefs.ExitNodeID : `${AUTO_PREFIX}${auto}`
    return { ExitNodeID: '', ExitNodeIDSet: true, AutoExitNode: '', AutoExitNodeSet: true, InternalExitNodePrior: kept, InternalExitNodePriorSet: true }
  }
  if (prior.startsWith(AUTO_PREFIX)) return { ExitNodeID: UNRESOLVED_EXIT, ExitNodeIDSet: true, AutoExitNode: prior.slice(AUTO_PREFIX.length), AutoExitNodeSet: true }
  if (prior !== '') return { ExitNodeID: prior, ExitNodeIDSet: true }
  throw new EngineError('io', prefs.ExitNodeIP === '' ? 'no exit node IP to enable & prior exit node IP was never resolved an a node' : 'no prior exit node to enable')
}

const EARTH_METRES = 6_371_000

/**
 * The exit node that the server recommends and that is nearest: by the latency of its home relay, else by the distance
 * from ours. Empty when none is recommended; undefined while our own home relay is not known.
 */
export function suggestExitNode(netMap: NetMap | undefined, homeRegion: number, netInfo: NetInfo | undefined): ExitNodeSuggestion | undefined {
  if (!netMap || homeRegion === 0) return undefined
  const offered = [...netMap.peers.values()].filter((peer) => peer.Online === true && offersExit(peer) && peer.CapMap?.[SUGGEST_CAP] !== undefined)
  const homed = offered.filter((peer) => (peer.HomeDERP ?? 0) !== 0)
  const home = netMap.derpMap.Regions[String(homeRegion)]
  const cost = homed.length > 0 ? (peer: Node): number => latencyMs(netInfo, peer.HomeDERP ?? 0) : (peer: Node): number => distance(home, peer.Hostinfo?.Location)
  let best: Node | undefined
  for (const peer of homed.length > 0 ? homed : offered) if (!best || cost(peer) < cost(best)) best = peer
  if (!best) return { ID: '', Name: '' }
  const location = best.Hostinfo?.Location
  return { ID: best.StableID, Name: best.Name, ...(location ? { Location: location } : {}) }
}

function latencyMs(netInfo: NetInfo | undefined, region: number): number {
  const known = ['v4', 'v6'].map((family) => netInfo?.DERPLatency?.[`${region}-${family}`]).filter((seconds) => seconds !== undefined)
  return known.length === 0 ? Infinity : Math.min(...known) * 1_000
}

/** Great-circle metres; infinite where a place is not known. */
function distance(from: { readonly Latitude?: number; readonly Longitude?: number } | undefined, to: Location | null | undefined): number {
  const [lat1, lon1, lat2, lon2] = [from?.Latitude, from?.Longitude, to?.Latitude, to?.Longitude].map((degrees) => (degrees === undefined ? NaN : (degrees * Math.PI) / 180))
  const angle = Math.sin((lat2! - lat1!) / 2) ** 2 + Math.cos(lat1!) * Math.cos(lat2!) * Math.sin((lon2! - lon1!) / 2) ** 2
  const metres = 2 * EARTH_METRES * Math.asin(Math.min(1, Math.sqrt(angle)))
  return Number.isNaN(metres) ? Infinity : metres
}
