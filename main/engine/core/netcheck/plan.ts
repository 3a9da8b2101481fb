/**
 * Which relay nodes get a STUN request when. Pure.
 *
 *   full          every region, three tries a family, 100 ms apart, over the region's nodes in turn
 *   incremental   home and the three fastest of the last report; home four tries, the two fastest two, others one;
 *                 try n after n × (1.2 × last round trip, or 200 ms) and a little more; with both families the third
 *                 fastest and later alternate between them
 *
 * Source: tailscale net/netcheck/netcheck.go (makeProbePlan) @ de9ec7e, read 2026-08.
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

const FULL_TRIES = 3
const FULL_GAP_MS = 100
const UNKNOWN_LATENCY_MS = 200
const FAST_REGIONS = 3

/** Port of a node's STUN service, or undefined when it has none. */
export function stunPort(port: number | undefined): number | undefined {
  return port === undefined || port === 0 ? STUN_DEFAULT_PORT : port < 0 || port > 65_535 ? undefined : port
}

export interface PlanInput {
  readonly targets: readonly ProbeTarget[]
  readonly map: DerpMap
  /** Last report's round trips; undefined asks for a full plan. */
  readonly last: ReadonlyMap<number, number> | undefined
  readonly home: number
}

/** The probes of one run, by time. */
export function probePlan(input: PlanInput): PlannedProbe[] {
  const usable = input.targets.filter(({ region }) => input.map.Regions[String(region)]?.NoMeasureNoHome !== true)
  const probes = input.last === undefined || input.last.size === 0 ? fullPlan(usable) : incrementalPlan(usable, input.last, input)
  return probes.toSorted((a, b) => a.delayMs - b.delayMs)
}

function fullPlan(targets: readonly ProbeTarget[]): PlannedProbe[] {
  return targets.flatMap((target) => Array.from({ length: FULL_TRIES }, (_, n) => probe(target, n, n * FULL_GAP_MS)))
}

function incrementalPlan(targets: readonly ProbeTarget[], last: ReadonlyMap<number, number>, input: PlanInput): PlannedProbe[] {
  const byLatency = [...last].toSorted((a, b) => a[1] - b[1]).map(([region]) => region)
  const chosen = byLatency.filter((region) => region !== input.home && input.map.Regions[String(region)]?.Avoid !== true).slice(0, FAST_REGIONS)
  const regions = input.home === 0 ? chosen : [input.home, ...chosen]
  const both = targets.some((one) => one.family === 4) && targets.some((one) => one.family === 6)
  return regions.flatMap((region, rank) => {
    const tries = region === input.home ? 4 : byLatency.indexOf(region) < 2 ? 2 : 1
    const latencyMs = last.get(region)
    const gapMs = latencyMs === undefined ? UNKNOWN_LATENCY_MS : latencyMs * 1.2
    const mine = targets.filter((one) => one.region === region && (!both || rank < 2 || one.family === (rank % 2 === 0 ? 4 : 6)))
    return mine.flatMap((target) => Array.from({ length: tries }, (_, n) => probe(target, n, n * gapMs + (n > 1 ? n * 50 : 0))))
  })
}

function probe(target: ProbeTarget, n: number, delayMs: number): PlannedProbe {
  return { region: target.region, family: target.family, to: target.addrs[n % target.addrs.length]!, delayMs }
}
