/**
 * How often something may happen: some at once, then at a pace. What others can set off is answered, tried or told of by one.
 */
export class Allowance {
  readonly #capacity: number
  readonly #refillMs: number
  #left: number
  #atMs = 0

  /** `capacity` at once, one more every `refillMs`. */
  constructor(capacity: number, refillMs: number) {
    this.#capacity = capacity
    this.#refillMs = refillMs
    this.#left = capacity
  }

  /** Takes one, if there is one. */
  take(nowMs: number): boolean {
    this.#left = Math.min(this.#capacity, this.#left + (nowMs - this.#atMs) / this.#refillMs)
    this.#atMs = nowMs
    if (this.#left < 1) return false
    this.#left--
    return true
  }
}
