/**
 * Which exit node is best: a person's order, then the server's recommendation, then the kind of path, then the round trip.
 */
import type { ExitCandidate, ExitMeasure, ExitWay } from './types.ts'

export interface Measured {
  readonly candidate: ExitCandidate
  readonly measure: ExitMeasure | undefined
}

const WAYS: readonly ExitWay[] = ['direct', 'peer-relay', 'relay']
const WAY_WORDS: Readonly<Record<ExitWay, string>> = { direct: 'direct', 'peer-relay': 'through another device', relay: 'through a relay' }

/** A working one is left for the same kind of path only when that saves this part of the round trip, and this much. */
const MUCH_SHORTER = 0.7
const MUCH_SHORTER_MS = 10

/** Below zero: `a` is the better one. A total order: two devices are never alike. */
export function compareExits(a: Measured, b: Measured, order: readonly string[]): number {
  return byRank(a, b, order) || latencyOf(a) - latencyOf(b) || byText(a.candidate.name, b.candidate.name) || byText(a.candidate.id, b.candidate.id)
}

/** Whether `other` is so much better than a working one that its connections may be given up for it. */
export function isWorthMoving(current: Measured, other: Measured, order: readonly string[]): boolean {
  if (other.measure === undefined) return false
  const rank = byRank(other, current, order)
  return rank !== 0 ? rank < 0 : latencyOf(other) < latencyOf(current) * MUCH_SHORTER - MUCH_SHORTER_MS
}

/** "direct, 12 ms". */
export function measureText({ way, latencyMs }: ExitMeasure): string {
  return `${WAY_WORDS[way]}, ${latencyMs < 10 ? latencyMs.toFixed(1) : Math.round(latencyMs)} ms`
}

function byRank(a: Measured, b: Measured, order: readonly string[]): number {
  const place = ({ candidate }: Measured): number => (order.includes(candidate.id) ? order.indexOf(candidate.id) : order.length)
  const recommended = ({ candidate }: Measured): number => (candidate.recommended ? 0 : 1)
  const way = ({ measure }: Measured): number => (measure ? WAYS.indexOf(measure.way) : WAYS.length)
  return place(a) - place(b) || recommended(a) - recommended(b) || way(a) - way(b)
}

function latencyOf({ measure }: Measured): number {
  return measure?.latencyMs ?? Number.MAX_SAFE_INTEGER
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
