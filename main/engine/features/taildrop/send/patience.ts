/**
 * How long is waited until something must have moved: one timer, set anew only when it comes too early or would be too late.
 */
import type { Clock } from '../../../base/env.ts'

export class Patience {
  readonly #clock: Clock
  readonly #onLate: () => void
  #deadlineMs = Number.POSITIVE_INFINITY
  #firesMs = Number.POSITIVE_INFINITY
  #cancel: () => void = () => {}

  /** `onLate` is called once for each wait that ran out. */
  constructor(clock: Clock, onLate: () => void) {
    this.#clock = clock
    this.#onLate = onLate
  }

  /** Something moved: the next must within `ms`. */
  renew(ms: number): void {
    this.#deadlineMs = this.#clock.nowMs() + ms
    if (this.#firesMs > this.#deadlineMs) this.#arm()
  }

  /** Nothing is waited for now. */
  rest(): void {
    this.#deadlineMs = Number.POSITIVE_INFINITY
    this.#firesMs = Number.POSITIVE_INFINITY
    this.#cancel()
  }

  #arm(): void {
    this.#cancel()
    this.#firesMs = this.#deadlineMs
    this.#cancel = this.#clock.after(this.#deadlineMs - this.#clock.nowMs(), () => this.#fired())
  }

  #fired(): void {
    this.#firesMs = Number.POSITIVE_INFINITY
    if (this.#deadlineMs === Number.POSITIVE_INFINITY) return
    if (this.#clock.nowMs() < this.#deadlineMs) return this.#arm()
    this.#deadlineMs = Number.POSITIVE_INFINITY
    this.#onLate()
  }
}
