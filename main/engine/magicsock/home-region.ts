/**
 * Keeps the home region: remembers what the last minutes measured, asks core/netcheck/home what follows from a report, and
 * tells when it is another. A home that was only picked, since nothing had answered yet, is given up for a measured one.
 */
import type { Env } from '../base/env.ts'
import { chooseHome } from '../core/netcheck/home.ts'
import type { NetcheckReport } from '../core/netcheck/report.ts'
import type { DerpMap } from '../core/tailcfg/types.ts'

/** Round trips this old still count: one full report at least, and the time it takes. */
const HISTORY_MS = 5 * 60_000 + 5000
const MAX_HISTORY = 64

export interface HomeRegionDeps {
  readonly env: Env
  /** When a frame came from the region's relay last, monotonic. */
  readonly heardAtMs: (region: number) => number | undefined
  readonly onHome: (region: number) => void
}

export class HomeRegion {
  readonly #deps: HomeRegionDeps
  #map: DerpMap = { Regions: {} }
  #nodeSeed = ''
  #region = 0
  /** The region was picked without a measurement. */
  #isPicked = false
  #forced = 0
  #canTellPeers = true
  #isHeld = false
  #history: { atMs: number; latencies: ReadonlyMap<number, number> }[] = []

  constructor(deps: HomeRegionDeps) {
    this.#deps = deps
  }

  /** 0 = none. */
  get region(): number {
    return this.#region
  }

  setMap(map: DerpMap): void {
    this.#map = map
    this.#history = []
    if (this.#region !== 0 && map.Regions[String(this.#region)] === undefined) this.#set(0, 'the region left the map')
  }

  setNodeSeed(seed: string): void {
    this.#nodeSeed = seed
  }

  /** Takes a region as home until measurements say otherwise; only while there is no home and the map has it. */
  keep(region: number): void {
    if (this.#region === 0 && this.#map.Regions[String(region)] !== undefined) this.#set(region, 'others know us there')
  }

  /** Prefers a region from the next report on, as long as it answers; 0 = no more. */
  force(region: number): void {
    this.#forced = region
  }

  /** Moves to another region of the map until the next report; false when there is none. */
  moveAway(): boolean {
    const other = Object.values(this.#map.Regions).find((one) => one.RegionID !== this.#region)
    if (other) this.#set(other.RegionID, 'a person wants another')
    return other !== undefined
  }

  /** Whether the server can tell the peers of another home. True when one is waiting for that. */
  setCanTellPeers(can: boolean): boolean {
    this.#canTellPeers = can
    const wasHeld = can && this.#isHeld
    if (can) this.#isHeld = false
    return wasHeld
  }

  /** What follows from a report of a run that began at `startMs`. */
  choose(found: NetcheckReport, startMs: number): void {
    const { clock } = this.#deps.env
    const nowMs = clock.nowMs()
    const isMeasured = found.regionLatencyMs.size > 0
    const choice = chooseHome({
      current: found.regionLatencyMs,
      recent: this.#recentLatencies(found, nowMs),
      map: this.#map,
      oldHome: this.#isPicked && isMeasured ? 0 : this.#region,
      runForMs: nowMs - startMs,
      heardAgoMs: (region) => {
        const atMs = this.#deps.heardAtMs(region)
        return atMs === undefined ? undefined : nowMs - atMs
      },
      forced: this.#forced,
      canTellPeers: this.#canTellPeers,
      nodeSeed: this.#nodeSeed,
    })
    this.#isHeld = choice.held === true
    this.#isPicked = !isMeasured && (this.#isPicked || this.#region === 0)
    this.#set(choice.region, choice.why)
  }

  /** Takes the round trips of a run that is over into account for later ones. */
  remember(report: NetcheckReport): void {
    this.#history.push({ atMs: this.#deps.env.clock.nowMs(), latencies: report.regionLatencyMs })
    if (this.#history.length > MAX_HISTORY) this.#history.shift()
  }

  #recentLatencies(found: NetcheckReport, nowMs: number): Map<number, number> {
    this.#history = this.#history.filter((one) => nowMs - one.atMs <= HISTORY_MS)
    const best = new Map(found.regionLatencyMs)
    for (const { latencies } of this.#history) {
      for (const [region, ms] of latencies) best.set(region, Math.min(ms, best.get(region) ?? Number.POSITIVE_INFINITY))
    }
    return best
  }

  #set(region: number, why: string): void {
    if (region === this.#region) return
    this.#deps.env.journal.add({ part: 'netcheck', kind: 'home', why, from: this.#region, region })
    this.#deps.env.log.info(`home relay ${this.#region} → ${region} (${why})`)
    this.#region = region
    this.#deps.onHome(region)
  }
}
