/**
 * Which relay nodes get a STUN request when. Pure.
 *
 *   full          every region, three tries a family, 100 ms apart, over the region's nodes in turn
 *   incremental   the three fastest of the last report, and home; home four tries, the two fastest two, others one; try n
 *                 after n × (1.2 × last round trip, or 200 ms) and a little more. With both families the third fastest
 *                 asks one of them; where no IPv6 answer came last time, it is asked for once at the fastest and at home
 *
 * Source: tailscale net/netcheck/netcheck.go (makeProbePlan, sortRegions) @ de9ec7e, read 2026-08.
 */
import type { AddrPort } from '../../base/ip.ts'
import type { DerpMap } from '../tailcfg/types.ts'
import { STUN_DEFAULT_PORT } from '../stun/stun.ts'

export interface ProbeTarget {
  readonly region: number
  readonly family: 4 | 6
  /** STUN addresses of the region's nodes in this family, in the map's order; at least one. */
  readonly addrs: readonly AddrPort[]
}

export interface PlannedProbe {
  readonly region: number
  readonly family: 4 | 6
  readonly to: AddrPort
  readonly delayMs: number
}

/** Region → round trip in ms, as the last report had them. */
export interface LastLatencies {
  readonly regionLatencyMs: ReadonlyMap<number, number>
  readonly regionV4LatencyMs: ReadonlyMap<number, number>
  readonly regionV6LatencyMs: ReadonlyMap<number, number>
}

const FULL_TRIES = 3
const FULL_GAP_MS = 100
const HOME_TRIES = 4
const FAST_TRIES = 2
const UNKNOWN_LATENCY_MS = 200
/** Of these many of the fastest regions an incremental run asks; of the first of them it asks twice. */
const ASKED_REGIONS = 3
const FASTEST = 2

/** Port of a node's STUN service, or undefined when it has none. */
export function stunPort(port: number | undefined): number | undefined {
  return port === undefined || port === 0 ? STUN_DEFAULT_PORT : port < 0 || port > 65_535 ? undefined : port
}

export interface PlanInput {
  readonly targets: readonly ProbeTarget[]
  readonly map: DerpMap
  /** undefined, or without a round trip: asks for a full plan. */
  readonly last: LastLatencies | undefined
  readonly home: number
}

/** The probes of one run, by time. */
export function probePlan(input: PlanInput): PlannedProbe[] {
  const usable = input.targets.filter(({ region }) => input.map.Regions[String(region)]?.NoMeasureNoHome !== true)
  const { last } = input
  const probes = last === undefined || last.regionLatencyMs.size === 0 ? fullPlan(usable) : incrementalPlan(usable, last, input)
  return probes.toSorted((a, b) => a.delayMs - b.delayMs)
}

function fullPlan(targets: readonly ProbeTarget[]): PlannedProbe[] {
  return targets.flatMap((target) => Array.from({ length: FULL_TRIES }, (_, n) => probe(target, n, n * FULL_GAP_MS)))
}

function incrementalPlan(targets: readonly ProbeTarget[], last: LastLatencies, { map, home }: PlanInput): PlannedProbe[] {
  const hadSix = last.regionV6LatencyMs.size > 0
  const alternates = hadSix && last.regionV4LatencyMs.size > 0 && targets.some((one) => one.family === 6)
  const byRegion = new Map<number, ProbeTarget[]>()
  for (const target of targets) byRegion.set(target.region, [...(byRegion.get(target.region) ?? []), target])
  return rankRegions([...byRegion.keys()], last.regionLatencyMs, map, home).flatMap((region, rank) => {
    const isHome = region === home
    if (rank >= ASKED_REGIONS && !isHome) return []
    const isAskedHarder = isHome || rank < FASTEST
    const tries = isHome ? HOME_TRIES : rank < FASTEST ? FAST_TRIES : 1
    const latencyMs = last.regionLatencyMs.get(region)
    const gapMs = latencyMs === undefined ? UNKNOWN_LATENCY_MS : latencyMs * 1.2
    return byRegion.get(region)!.flatMap((target) => {
      if (!isAskedHarder && alternates && target.family !== (rank % 2 === 0 ? 4 : 6)) return []
      const isDoubtful = target.family === 6 && !hadSix
      if (isDoubtful && !isAskedHarder) return []
      return Array.from({ length: isDoubtful ? 1 : tries }, (_, n) => probe(target, n, n * gapMs + (n > 1 ? n * 50 : 0)))
    })
  })
}

/** Fastest first, those without a round trip last, each kind by number; regions to avoid are left out unless one is home. */
function rankRegions(regions: readonly number[], latencies: ReadonlyMap<number, number>, map: DerpMap, home: number): number[] {
  const far = Number.POSITIVE_INFINITY
  return regions
    .filter((region) => region === home || map.Regions[String(region)]?.Avoid !== true)
    .toSorted((a, b) => compare(latencies.get(a) ?? far, latencies.get(b) ?? far) || a - b)
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1
}

function probe(target: ProbeTarget, n: number, delayMs: number): PlannedProbe {
  return { region: target.region, family: target.family, to: target.addrs[n % target.addrs.length]!, delayMs }
}
