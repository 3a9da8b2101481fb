/**
 * Which relay region is home. Pure. Changing it costs every peer a map update, so the old one stays unless the new one
 * is clearly better, and nothing moves while the server cannot tell the peers.
 *
 *   1. the one that a person forces, if it answered or was heard
 *   2. the region with the best round trip of the last minutes, weighed as the map says, of those that answered now;
 *      the old home instead, while it is accessible and the new one is less than 10 ms or less than a third better.
 *      Accessible: it answered now, or a frame came from its relay since the run began or in the last 8 s. One that was
 *      heard but not measured counts as 0 ms away, so it always stays
 *   3. nothing so far: the old home; without one, a region picked by this node's key
 *   4. instead of 2 and 3, the old home while the server is out of reach
 *
 * Source: tailscale net/netcheck/netcheck.go (addReportHistoryAndSetPreferredDERP), wgengine/magicsock/derp.go
 * (maybeSetNearestDERP) @ de9ec7e, read 2026-08.
 */
import type { DerpMap } from '../tailcfg/types.ts'

const STICKY_MS = 10
/** A new home has to be at least this much faster: two thirds of the old one's time. */
const STICKY_RATIO = 2 / 3
/** A frame from a relay so long ago still shows that it is there. */
export const HEARD_RECENTLY_MS = 8000
/** Two keep-alives of a relay: without any measurement, one that was heard in this time is a reason to stay. */
const HEARD_KEEP_ALIVE_MS = 120_000

export interface HomeEvidence {
  /** Round trips of the present report; only these regions may become home. */
  readonly current: ReadonlyMap<number, number>
  /** Best round trip of each region in the last minutes, the present report included. */
  readonly recent: ReadonlyMap<number, number>
  readonly map: DerpMap
  /** 0 = none. */
  readonly oldHome: number
  /** How long ago the run began. */
  readonly runForMs: number
  /** How long ago a frame came from the region's relay; undefined: never, or its connection is gone for good. */
  readonly heardAgoMs: (region: number) => number | undefined
  /** Region that a person wants; 0 = none. */
  readonly forced: number
  /** The server can tell the peers. */
  readonly canTellPeers: boolean
  /** Anything that stays the same for this node: picks a region when nothing was measured. */
  readonly nodeSeed: string
}

export interface HomeChoice {
  /** 0 when the map has no region to choose. */
  readonly region: number
  readonly why: string
  /** A better one was found that may not be taken now. */
  readonly held?: boolean
}

/** The home region by the evidence, and why. */
export function chooseHome(e: HomeEvidence): HomeChoice {
  const oldHome = region(e.map, e.oldHome) === undefined ? 0 : e.oldHome
  const forced = forcedChoice(e)
  if (forced) return forced
  const choice = measuredChoice(e, oldHome) ?? unmeasuredChoice(e, oldHome)
  if (choice.region === oldHome || oldHome === 0 || e.canTellPeers) return choice
  return { region: oldHome, why: 'peers cannot be told of another while the server is out of reach', held: true }
}

function forcedChoice(e: HomeEvidence): HomeChoice | undefined {
  if (region(e.map, e.forced) === undefined) return undefined
  return e.current.has(e.forced) || isHeardRecently(e, e.forced) ? { region: e.forced, why: 'a person wants it' } : undefined
}

function measuredChoice(e: HomeEvidence, oldHome: number): HomeChoice | undefined {
  const score = (of: number, ms: number): number => {
    const factor = e.map.HomeParams?.RegionScore?.[String(of)] ?? 1
    return factor > 0 ? ms * factor : ms
  }
  const best = (of: number): number => score(of, e.recent.get(of) ?? e.current.get(of)!)
  const eligible = preferred(e.map, [...e.current.keys()].filter((one) => mayBeHome(e.map, one)))
  const fastest = eligible.reduce<number | undefined>((least, one) => (least === undefined || best(one) < best(least) ? one : least), undefined)
  if (fastest === undefined) return undefined
  if (oldHome === 0) return { region: fastest, why: 'it answered fastest' }
  if (fastest === oldHome) return { region: oldHome, why: 'it is still the fastest' }
  const oldMs = e.current.get(oldHome)
  if (oldMs === undefined) {
    if (isHeardRecently(e, oldHome)) return { region: oldHome, why: 'its relay was heard though it did not answer the probe' }
    return { region: fastest, why: 'the old home region did not answer' }
  }
  const gainMs = score(oldHome, oldMs) - best(fastest)
  if (gainMs < STICKY_MS || best(fastest) > score(oldHome, oldMs) * STICKY_RATIO) return { region: oldHome, why: 'no other region is clearly faster' }
  return { region: fastest, why: 'it is clearly faster than the old home region' }
}

function unmeasuredChoice(e: HomeEvidence, oldHome: number): HomeChoice {
  if (oldHome === 0) return pickUnmeasured(e)
  const heardAgoMs = e.heardAgoMs(oldHome)
  const isHeard = heardAgoMs !== undefined && heardAgoMs < HEARD_KEEP_ALIVE_MS
  return { region: oldHome, why: isHeard ? 'nothing was measured, and its relay was heard of late' : 'nothing was measured, so the home region stays' }
}

function isHeardRecently(e: HomeEvidence, of: number): boolean {
  const agoMs = e.heardAgoMs(of)
  return agoMs !== undefined && agoMs < Math.max(HEARD_RECENTLY_MS, e.runForMs)
}

function region(map: DerpMap, id: number): DerpMap['Regions'][string] | undefined {
  return id === 0 ? undefined : map.Regions[String(id)]
}

function mayBeHome(map: DerpMap, id: number): boolean {
  const one = region(map, id)
  return one !== undefined && one.NoMeasureNoHome !== true && (one.Nodes ?? []).some((node) => node.STUNOnly !== true)
}

/** Those that the server does not want avoided, while there are any. */
function preferred(map: DerpMap, regions: readonly number[]): readonly number[] {
  const wanted = regions.filter((id) => region(map, id)?.Avoid !== true)
  return wanted.length > 0 ? wanted : regions
}

/** The same region for the same node each time, so that peers find it where it was. */
function pickUnmeasured(e: HomeEvidence): HomeChoice {
  const all = Object.values(e.map.Regions).map((one) => one.RegionID)
  const regions = preferred(e.map, all.filter((id) => mayBeHome(e.map, id))).toSorted((a, b) => a - b)
  let hash = 0x811c9dc5
  for (let i = 0; i < e.nodeSeed.length; i++) hash = Math.imul(hash ^ e.nodeSeed.charCodeAt(i), 0x01000193) >>> 0
  return { region: regions[hash % regions.length] ?? 0, why: 'no relay answered a probe, so one is picked by this node\'s key' }
}
