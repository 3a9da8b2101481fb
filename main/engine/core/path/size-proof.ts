/**
 * Whether a path carries packets as large as ours get. A small pong proves that a path lives; a sized ping, as large as our
 * largest WireGuard datagram, that it is of use: some networks drop what is large and say nothing. Pure.
 *
 *   unproven ──sized pong──▶ wide ──after 15 s of use─────▶ asked again
 *       │                      │
 *       └──┬───────────────────┘  five or eight sized pings lost, small ones answered
 *          ▼
 *       narrow: asked again after 5, 10, 20, 40, 60, 60 … s; a sized pong ends it
 */

const TRIES = 5
/** Of a path that was wide before: where a third of all pings is lost, five in a row are no wonder in a long day. */
const TRIES_OF_WIDE = 8
/** Pongs of the small pings beside the lost ones: fewer, and the path may just be dead. */
const SMALL_PONGS = 3
const DOUBTFUL_TRIES = 2
const AGAIN_MS = 15_000
const NARROW_AGAIN_MS = [5000, 10_000, 20_000, 40_000, 60_000] as const

export class SizeProof {
  #state: 'unproven' | 'wide' | 'narrow' = 'unproven'
  #tries = 0
  #smallPongs = 0
  #dueMs: number | undefined
  #narrowRounds = 0

  get isWide(): boolean {
    return this.#state === 'wide'
  }

  get isNarrow(): boolean {
    return this.#state === 'narrow'
  }

  /** Sized pings go missing where small ones are answered: not decided yet. */
  get isDoubtful(): boolean {
    return this.#tries >= DOUBTFUL_TRIES && this.#smallPongs >= DOUBTFUL_TRIES
  }

  /** A sized ping was lost or is on its way: a small one beside the next tells which. */
  get isAsked(): boolean {
    return this.#tries > 0
  }

  /** When the next sized ping or the verdict is due; undefined = nothing under way. */
  get dueMs(): number | undefined {
    return this.#dueMs
  }

  /** The path is about to carry traffic. */
  start(nowMs: number): void {
    this.#dueMs ??= nowMs
  }

  /** The path carries none any more: nothing is asked, what is known stays. */
  rest(): void {
    if (this.#state === 'narrow') return
    this.#dueMs = undefined
    this.#tries = this.#smallPongs = 0
  }

  /** A sized ping went out, and a small one beside all but the first; an answer would come within `waitMs`. */
  noteSent(nowMs: number, waitMs: number): void {
    if (this.#state === 'narrow' && this.#dueMs !== undefined && nowMs < this.#dueMs) return
    this.#tries++
    this.#dueMs = nowMs + (this.#state === 'narrow' ? NARROW_AGAIN_MS[Math.min(this.#narrowRounds++, NARROW_AGAIN_MS.length - 1)]! : waitMs)
  }

  noteSmallPong(): void {
    if (this.#tries > 0) this.#smallPongs++
  }

  /** True when this ends a narrow time. */
  noteSizedPong(nowMs: number): boolean {
    const ended = this.#state === 'narrow'
    this.#state = 'wide'
    this.#tries = this.#smallPongs = this.#narrowRounds = 0
    this.#dueMs = nowMs + AGAIN_MS
    return ended
  }

  /** Judges when due: 'ask' = send another sized ping, 'narrow' = from now on it is. */
  judge(nowMs: number): 'wait' | 'ask' | 'narrow' {
    if (this.#dueMs === undefined || nowMs < this.#dueMs) return 'wait'
    if (this.#state === 'narrow' || this.#tries < (this.#state === 'wide' ? TRIES_OF_WIDE : TRIES) || this.#smallPongs < SMALL_PONGS) return 'ask'
    this.#state = 'narrow'
    this.#tries = this.#smallPongs = 0
    this.#dueMs = nowMs + NARROW_AGAIN_MS[0]
    this.#narrowRounds = 1
    return 'narrow'
  }
}
