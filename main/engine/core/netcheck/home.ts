/**
 * Which relay region is home. Pure. Changing it costs every peer a map update, so the old one stays unless the new one
 * is clearly better.
 *
 * Source: tailscale net/netcheck/netcheck.go (addReportHistoryAndSetPreferredDERP) @ de9ec7e, read 2026-08.
 */
import type { DerpMap } from '../tailcfg/types.ts'

const STICKY_MS = 10
/** A new home has to be at least this much faster: two thirds of the old one's time. */
const STICKY_RATIO = 2 / 3

export interface HomeEvidence {
  /** Round trips of the present report; only these regions may become home. */
  readonly current: ReadonlyMap<number, number>
  /** Best round trip of each region in the last minutes, the present report included. */
  readonly recent: ReadonlyMap<number, number>
  readonly map: DerpMap
  /** 0 = none. */
  readonly oldHome: number
  /** The connection to the old home's relay stands. */
  readonly oldHomeConnected: boolean
  /** Anything that stays the same for this node: picks a region when nothing was measured. */
  readonly nodeSeed: string
}

export interface HomeChoice {
  /** 0 when the map has no region to choose. */
  readonly region: number
  readonly why: string
}

/** The home region by the evidence, and why. */
export function chooseHome(e: HomeEvidence): HomeChoice {
  const score = (region: number): number => (e.recent.get(region) ?? e.current.get(region) ?? 0) * (e.map.HomeParams?.RegionScore?.[String(region)] ?? 1)
  const eligible = preferred(e.map, [...e.current.keys()].filter((region) => mayBeHome(e.map, region)))
  const best = eligible.reduce<number | undefined>((least, one) => (least === undefined || score(one) < score(least) ? one : least), undefined)
  const oldIsInMap = e.oldHome !== 0 && e.map.Regions[String(e.oldHome)] !== undefined
  if (best === undefined) {
    if (oldIsInMap) return { region: e.oldHome, why: 'nothing was measured, so the home region stays' }
    return pickUnmeasured(e)
  }
  if (!oldIsInMap) return { region: best, why: 'it answered fastest' }
  if (best === e.oldHome) return { region: best, why: 'it is still the fastest' }
  if (!e.current.has(e.oldHome)) {
    if (e.oldHomeConnected) return { region: e.oldHome, why: 'its relay is connected though it did not answer the probe' }
    return { region: best, why: 'the old home region did not answer' }
  }
  const gainMs = score(e.oldHome) - score(best)
  if (gainMs < STICKY_MS || score(best) > score(e.oldHome) * STICKY_RATIO) return { region: e.oldHome, why: 'no other region is clearly faster' }
  return { region: best, why: 'it is clearly faster than the old home region' }
}

function mayBeHome(map: DerpMap, region: number): boolean {
  const one = map.Regions[String(region)]
  return one !== undefined && one.NoMeasureNoHome !== true && (one.Nodes ?? []).some((node) => node.STUNOnly !== true)
}

/** Those that the server does not want avoided, while there are any. */
function preferred(map: DerpMap, regions: readonly number[]): readonly number[] {
  const wanted = regions.filter((region) => map.Regions[String(region)]?.Avoid !== true)
  return wanted.length > 0 ? wanted : regions
}

/** The same region for the same node each time, so that peers find it where it was. */
function pickUnmeasured(e: HomeEvidence): HomeChoice {
  const all = Object.values(e.map.Regions).map((region) => region.RegionID)
  const regions = preferred(e.map, all.filter((region) => mayBeHome(e.map, region))).toSorted((a, b) => a - b)
  let hash = 0x811c9dc5
  for (let i = 0; i < e.nodeSeed.length; i++) hash = Math.imul(hash ^ e.nodeSeed.charCodeAt(i), 0x01000193) >>> 0
  return { region: regions[hash % regions.length] ?? 0, why: 'no relay answered a probe, so one is picked by this node\'s key' }
}
