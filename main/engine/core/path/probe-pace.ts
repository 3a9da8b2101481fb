/**
 * The pace of all pings that look for paths, of all peers together: so many at once, then so many a second. Who asks first is
 * served first, so ten thousand peers that want paths at one moment wait their turn and none is left out. Pings that watch a
 * path in use are not held up. Pure.
 */

export class ProbePace {
  readonly #burstMs: number
  readonly #gapMs: number
  /** When everything reserved so far will have been sent at the even pace. */
  #bookedUntilMs = Number.NEGATIVE_INFINITY

  constructor(burst = 600, perSecond = 300) {
    this.#gapMs = 1000 / perSecond
    this.#burstMs = burst * this.#gapMs
  }

  /** Reserves `count` pings; answers when they may go: now or later. */
  reserve(nowMs: number, count: number): number {
    const booked = Math.max(nowMs, this.#bookedUntilMs)
    this.#bookedUntilMs = booked + count * this.#gapMs
    return Math.max(nowMs, booked - this.#burstMs)
  }
}
