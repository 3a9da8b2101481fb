/**
 * How long to wait after the n-th failure in a row: n² · 10 ms, at most 30 s, times 0.5 to 1.5.
 */
const STEP_MS = 10
const MAX_MS = 30_000

/** Delay in ms before the next attempt. `unit` is uniform in [0, 1). */
export function backoffMs(failures: number, unit: number): number {
  return Math.round(Math.min(MAX_MS, failures * failures * STEP_MS) * (0.5 + unit))
}
