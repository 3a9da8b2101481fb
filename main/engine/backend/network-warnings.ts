/**
 * What is wrong with this machine's network and its relays, as a pure function of what the parts say just now.
 */
import type { DerpMap } from '../core/tailcfg/types.ts'
import { regionCode } from './status.ts'
import type { Model } from './model.ts'
import type { DerpPort } from './ports.ts'
import { carries } from './state.ts'
import { surroundingsWarnings } from './surroundings.ts'
import type { Warnings } from './warnings.ts'

/** `hasNetwork` is asked only while the server is out of reach: an open stream is proof enough. */
export function networkWarnings(model: Model, derp: DerpPort, hasNetwork: () => boolean): Warnings {
  const out: Warnings = {}
  const { control, homeRegion, life, netMap } = model
  if (life.wantRunning && control.kind === 'lost' && !hasNetwork()) out['network-status'] = {}
  if (!netMap || !carries(life)) return out
  Object.assign(out, surroundingsWarnings(model))
  const named = (region: number): Record<string, string> => ({ 'derp-region-id': String(region), 'derp-region-name': regionCode(netMap.derpMap, region) })
  if (homeRegion === 0 && Object.keys(netMap.derpMap.Regions).length > 0) out['no-derp-home'] = {}
  if (homeRegion !== 0 && !derp.isConnected(homeRegion)) out['no-derp-connection'] = named(homeRegion)
  if (homeRegion !== 0 && model.netInfo?.WorkingUDP === false && canMeasure(netMap.derpMap)) out['udp-blocked'] = named(homeRegion)
  const overlapping = model.plan.routes.filter(({ state, near }) => state === 'overlaps' && near !== undefined)
  if (overlapping.length > 0) out['routes-overlap'] = { networks: overlapping.slice(0, 3).map(({ prefix }) => prefix).join(', '), interface: overlapping[0]!.near! }
  for (const [region, error] of derp.health()) out['derp-region-error'] ??= { ...named(region), error }
  return out
}

/** Whether some relay could have answered by UDP. */
function canMeasure(map: DerpMap): boolean {
  return Object.values(map.Regions).some((region) => region.NoMeasureNoHome !== true && (region.Nodes ?? []).some((node) => (node.STUNPort ?? 0) >= 0))
}
