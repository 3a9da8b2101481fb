/**
 * When to tell control about ourselves beside the map stream (a "lite" update): only when it differs from what control
 * has, one at a time, the newest content each time. Pure; contents are compared by a mark (any text that stands for them).
 *
 *   conveyed   what a stream request or an update said last: what a server like Headscale knows
 *   updated    what an update said last: all that a server knows which ignores the stream request's content (capver 68)
 *
 * Wanted ≠ conveyed is sent after a short gathering. Wanted = conveyed but never updated waits for a natural change first,
 * because every update, even an idle one, is a whole-node message to every peer of a Headscale tailnet.
 * The answer to an update is our own node on the stream: that is how a router learns what it was allowed, since Headscale
 * tells everybody else alone (handleNodeWanted).
 */
import { backoffMs } from './backoff.ts'

const GATHER_MS = 30
const GRACE_MS = 10_000
/** Our node may still come by itself, a few messages later. */
const NODE_GATHER_MS = 200

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
  #nodeAskedMs = -Infinity
  /** Asked for while an update was under way, which perhaps was answered before. */
  #nodeGapMs: number | undefined

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

  /** Something changed that our own node tells of; it is asked for, no sooner than `gapMs` after the last time. */
  handleNodeWanted(nowMs: number, gapMs: number): void {
    if (!this.#streaming) return
    if (this.#inFlight !== undefined) {
      this.#nodeGapMs = gapMs
      return
    }
    this.#nodeGapMs = undefined
    this.#conveyed = undefined
    const atMs = Math.max(nowMs + NODE_GATHER_MS, this.#nodeAskedMs + gapMs)
    this.#dueMs = Math.min(this.#dueMs ?? Infinity, atMs)
    this.#nodeAskedMs = this.#dueMs
  }

  /** Our own node came. */
  handleNode(): void {
    this.#nodeGapMs = undefined
    if (this.#conveyed !== undefined || this.#wanted !== this.#updated) return
    this.#conveyed = this.#updated
    this.#dueMs = undefined
  }

  /** No stream: nothing is sent, the next stream's request says all. */
  handleStreamEnd(): void {
    this.#streaming = false
    this.#dueMs = this.#nodeGapMs = undefined
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
    if (this.#nodeGapMs !== undefined) this.handleNodeWanted(nowMs, this.#nodeGapMs)
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
