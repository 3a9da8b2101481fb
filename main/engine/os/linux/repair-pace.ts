/**
 * How often things that another program undoes are looked at and put back. Pure.
 *
 * Looks are rare where they cost much (a firewall of thousands of rules that changes every second). After five repairs in a minute it is a
 * fight: repairs are slow from then on, but never where traffic would leave beside the tunnel meanwhile.
 */

const WINDOW_MS = 60_000
const MOST = 5
const SLOW_MS = 10_000
/** Looks take at most this share of the time. */
const SHARE = 10
const LONGEST_MS = 10_000

export class RepairPace {
  /** After a repair that failed. */
  readonly retryMs = 2_000
  #repairsMs: number[] = []
  #lastMs = -Infinity
  #tookMs = 0

  /** How long from now the next look should be. */
  nextLookMs(nowMs: number, leastMs: number): number {
    return Math.max(leastMs, Math.min(LONGEST_MS, this.#lastMs + this.#tookMs * SHARE - nowMs))
  }

  looked(nowMs: number, tookMs: number): void {
    this.#lastMs = nowMs
    this.#tookMs = tookMs
  }

  /** Counts a repair that is due: how long it has to wait, and whether it is a fight by now. */
  repair(nowMs: number, isUrgent: boolean): { readonly waitMs: number; readonly isFight: boolean } {
    this.#repairsMs = this.#repairsMs.filter((atMs) => nowMs - atMs < WINDOW_MS)
    const isFight = this.#repairsMs.length >= MOST
    const last = this.#repairsMs.at(-1) ?? -Infinity
    const waitMs = isFight && !isUrgent ? Math.max(0, last + SLOW_MS - nowMs) : 0
    if (waitMs === 0) this.#repairsMs.push(nowMs)
    if (this.#repairsMs.length > 100) this.#repairsMs.shift()
    return { waitMs, isFight }
  }
}
