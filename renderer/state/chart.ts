/**
 * Round trips as a drawing: lines by kind of path with gaps where nothing was measured, columns where no reply came, and a bar below
 * that repeats the kind. Spikes over 1.6 × the 95th percentile are cut, their number said. Pure; sizes in px.
 */
import type { Sample, SampleKind } from './samples.ts'
import { KEPT_MS } from './samples.ts'

/** Samples further apart than this have a gap between them. */
const GAP_MS = 12_000
const LEAST_SPAN_MS = 60_000
const LEAST_TOP_MS = 4
const CUT = 1.6
/** Room for one label on its line. */
const LABEL_PX = 90

export interface ChartSize {
  readonly width: number
  readonly height: number
}

export interface ChartPoint {
  readonly x: number
  readonly y: number
}

export interface ChartRun {
  readonly kind: SampleKind
  readonly via: string
  readonly points: readonly ChartPoint[]
  readonly fromX: number
  readonly toX: number
  /** Where its label stands; undefined where it is too short for one. */
  readonly label: ChartPoint | undefined
}

export interface Chart {
  readonly runs: readonly ChartRun[]
  readonly spikes: readonly { readonly x: number; readonly ms: number }[]
  readonly losses: readonly { readonly x: number; readonly width: number }[]
  /** Top of the scale, in ms. */
  readonly topMs: number
  readonly fromMs: number
  readonly points: readonly ChartPoint[]
}

/** `samples` in the order of their time; the drawing ends at `nowMs`. */
export function chartOf(samples: readonly Sample[], nowMs: number, { width, height }: ChartSize): Chart {
  const inView = samples.filter((one) => nowMs - one.atMs < KEPT_MS)
  const fromMs = Math.min(inView[0]?.atMs ?? nowMs, nowMs - LEAST_SPAN_MS)
  const trips = inView.flatMap(({ ms }) => (ms === undefined ? [] : [ms])).toSorted((a, b) => a - b)
  const cutMs = CUT * (trips[Math.floor((trips.length - 1) * 0.95)] ?? 0)
  const topMs = roundTop(Math.max(LEAST_TOP_MS, ...trips.filter((ms) => ms <= cutMs)))
  const x = (atMs: number): number => ((Math.min(atMs, nowMs) - fromMs) / (nowMs - fromMs)) * width
  const y = (ms: number): number => height * (1 - Math.min(1, ms / topMs))
  const points = inView.map((one) => ({ x: x(one.atMs), y: one.ms === undefined ? height : y(one.ms) }))
  return {
    topMs, fromMs, points,
    runs: runsOf(inView).map((run) => {
      const at = run.map((one) => ({ x: x(one.atMs), y: y(one.ms!) }))
      const [fromX, toX] = [at[0]!.x, at.at(-1)!.x]
      return { kind: run[0]!.kind, via: run[0]!.via, points: at, fromX, toX: Math.max(toX, fromX + 2), label: toX - fromX < LABEL_PX ? undefined : labelAt(at, toX, width) }
    }),
    spikes: inView.flatMap((one) => (one.ms !== undefined && one.ms > topMs ? [{ x: x(one.atMs), ms: one.ms }] : [])),
    losses: inView.flatMap((one, i) => {
      if (one.ms !== undefined) return []
      const until = Math.min(inView[i + 1]?.atMs ?? one.atMs + 1000, one.atMs + GAP_MS)
      return [{ x: x(one.atMs), width: Math.max(3, x(until) - x(one.atMs)) }]
    }),
  }
}

/** Over the line, near its end. */
function labelAt(at: readonly ChartPoint[], toX: number, width: number): ChartPoint {
  const near = at.filter((point) => point.x > toX - LABEL_PX)
  return { x: Math.min(toX, width - 4), y: Math.max(10, Math.min(...near.map((point) => point.y)) - 6) }
}

/** Neighbours of one kind, without a gap or a loss between them. */
function runsOf(samples: readonly Sample[]): readonly (readonly Sample[])[] {
  const runs: Sample[][] = []
  let last: Sample | undefined
  for (const one of samples) {
    if (one.ms !== undefined) {
      const joins = last?.ms !== undefined && last.kind === one.kind && last.via === one.via && one.atMs - last.atMs <= GAP_MS
      if (joins) runs.at(-1)!.push(one)
      else runs.push([one])
    }
    last = one
  }
  return runs
}

/** The next of 1, 2, 4, 8, 10 and their tens. */
function roundTop(ms: number): number {
  const ten = 10 ** Math.floor(Math.log10(ms))
  return ten * [1, 2, 4, 6, 8, 10].find((one) => one * ten >= ms)!
}
