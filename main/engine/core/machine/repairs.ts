/**
 * How fast something is put back that somebody else takes away again and again: at once the first times, then ever more slowly, and at
 * once again after a quiet while. Pure.
 */
const AT_ONCE = 3
const FIRST_WAIT_MS = 500
const MAX_WAIT_MS = 30_000
const QUIET_MS = 60_000

export class Repairs {
  #count = 0
  #lastMs = -Infinity
  /** Not before this time. */
  gateMs = -Infinity

  /** It was taken away again. */
  note(nowMs: number): void {
    // Several facts may tell of one deed.
    if (nowMs < this.gateMs) return
    if (nowMs - this.#lastMs > QUIET_MS) this.#count = 0
    this.#lastMs = nowMs
    this.#count++
    this.gateMs = this.#count <= AT_ONCE ? nowMs : nowMs + Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.#count - AT_ONCE - 1))
  }
}
