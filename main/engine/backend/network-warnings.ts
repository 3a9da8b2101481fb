/**
 * What is wrong with this machine's network and its relays, as a pure function of what the parts say just now.
 */
import { regionCode } from './status.ts'
import type { Model } from './model.ts'
import type { DerpPort } from './ports.ts'
import { carries } from './state.ts'
import type { Warnings } from './warnings.ts'

/** `hasNetwork` is asked only while the server is out of reach: an open stream is proof enough. */
export function networkWarnings(model: Model, derp: DerpPort, hasNetwork: () => boolean): Warnings {
  const out: Warnings = {}
  const { control, homeRegion, life, netMap } = model
  if (life.wantRunning && control.kind === 'lost' && !hasNetwork()) out['network-status'] = {}
  if (!netMap || !carries(life)) return out
  const named = (region: number): Record<string, string> => ({ 'derp-region-id': String(region), 'derp-region-name': regionCode(netMap.derpMap, region) })
  if (homeRegion === 0 && Object.keys(netMap.derpMap.Regions).length > 0) out['no-derp-home'] = {}
  if (homeRegion !== 0 && !derp.isConnected(homeRegion)) out['no-derp-connection'] = named(homeRegion)
  for (const [region, error] of derp.health()) out['derp-region-error'] ??= { ...named(region), error }
  return out
}
