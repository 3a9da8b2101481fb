/**
 * When to tell control about ourselves beside the map stream (a "lite" update): only when it differs from what control
 * has, one at a time, the newest content each time. Pure; contents are compared by a mark (any text that stands for them).
 *
 *   conveyed   what a stream request or an update said last: what a server like Headscale knows
 *   updated    what an update said last: all that a server knows which ignores the stream request's content (capver 68)
 *
 * Wanted ≠ conveyed is sent after a short gathering. Wanted = conveyed but never updated waits for a natural change first,
 * because every update, even an idle one, is a whole-node message to every peer of a Headscale tailnet.
 */
import { backoffMs } from './backoff.ts'

const GATHER_MS = 30
const GRACE_MS = 10_000

export class LiteUpdates {
  readonly #unit: () => number
  #wanted: string | undefined
  #conveyed: string | undefined
  #updated: string | undefined
  #inFlight: string | undefined
  #streaming = false
  #dueMs: number | undefined
  #failures = 0
  #send: string | undefined

  constructor(deps: { unit: () => number }) {
    this.#unit = deps.unit
  }

  /** What control should know from here on. */
  handleWanted(nowMs: number, mark: string): void {
    if (mark === this.#wanted) return
    this.#wanted = mark
    this.#schedule(nowMs)
  }

  /** A stream is up whose request said `mark`. */
  handleStreaming(nowMs: number, mark: string): void {
    this.#streaming = true
    this.#conveyed = mark
    this.#failures = 0
    this.#schedule(nowMs)
  }

  /** No stream: nothing is sent, the next stream's request says all. */
  handleStreamEnd(): void {
    this.#streaming = false
    this.#dueMs = undefined
  }

  /** Another node or server, which knows nothing of us. */
  handleReset(): void {
    this.handleStreamEnd()
    this.#conveyed = this.#updated = this.#inFlight = this.#send = undefined
  }

  /** The update that `takeUpdate` gave has been answered or has failed. */
  handleDone(nowMs: number, ok: boolean): void {
    const mark = this.#inFlight
    this.#inFlight = undefined
    if (mark === undefined) return
    if (ok) {
      this.#conveyed = this.#updated = mark
      this.#failures = 0
    } else this.#failures++
    this.#schedule(nowMs)
  }

  handleTimeout(nowMs: number): void {
    if (this.#dueMs === undefined || this.#dueMs > nowMs) return
    this.#dueMs = undefined
    this.#inFlight = this.#send = this.#wanted
  }

  nextTimeout(): { atMs: number; why: string } | undefined {
    return this.#dueMs === undefined ? undefined : { atMs: this.#dueMs, why: 'lite update' }
  }

  /** The mark to send now, once. Answer with handleDone. */
  takeUpdate(): string | undefined {
    const mark = this.#send
    this.#send = undefined
    return mark
  }

  #schedule(nowMs: number): void {
    if (!this.#streaming || this.#inFlight !== undefined || this.#wanted === undefined) return
    if (this.#wanted === this.#conveyed && this.#wanted === this.#updated) {
      this.#dueMs = undefined
      return
    }
    const waitMs = this.#wanted === this.#conveyed ? GRACE_MS : GATHER_MS
    const atMs = nowMs + Math.max(waitMs, this.#failures === 0 ? 0 : backoffMs(this.#failures, this.#unit()))
    // A burst of changes must not push the first one away for ever.
    this.#dueMs = this.#dueMs === undefined ? atMs : Math.min(this.#dueMs, atMs)
  }
}
