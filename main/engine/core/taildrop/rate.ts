/**
 * How fast bytes go, and how long the rest takes, as people like to see it: of the last seconds, round, and steady.
 */
import type { MonoMs } from '../../base/env.ts'

const WINDOW_MS = 5_000
/** Before this nothing is said of the rest. */
const TRUST_MS = 3_000
/** A rest that would take longer than this is as good as not known. */
const MAX_LEFT_MS = 365 * 24 * 3_600_000
/** Samples closer together than this count as one. */
const STEP_MS = 200
/** A new guess is told when it differs from the last one by more than one part in this many. */
const STEADY_SHARE = 8

export class RateMeter {
  readonly #samples: { atMs: MonoMs; done: number }[] = []
  #startedMs: MonoMs | undefined
  /** When the rest is over, as it was told last. */
  #toldEndMs: MonoMs | undefined

  /** `done`: bytes that are there by now. What was there at the first call does not count as moved. */
  note(done: number, nowMs: MonoMs): void {
    this.#startedMs ??= nowMs
    const last = this.#samples.at(-1)
    if (last && done < last.done) this.#samples.length = 0
    // The first one stays: it is what the others are measured from.
    if (last && this.#samples.length > 1 && nowMs - this.#samples.at(-2)!.atMs < STEP_MS) this.#samples.pop()
    this.#samples.push({ atMs: nowMs, done })
    while (this.#samples.length > 2 && this.#samples[1]!.atMs <= nowMs - WINDOW_MS) this.#samples.shift()
  }

  /** Bytes a second over the last seconds, three digits; undefined before anything can be said. */
  rate(nowMs: MonoMs): number | undefined {
    const raw = this.#raw(nowMs)
    return raw === undefined ? undefined : threeDigits(raw)
  }

  /** For a whole of `size` bytes; undefined while nobody can know. Rounded more coarsely the longer it is. */
  leftMs(size: number, nowMs: MonoMs): number | undefined {
    const rate = this.#raw(nowMs)
    const done = this.#samples.at(-1)?.done
    if (size < 0 || done === undefined || rate === undefined || rate < 1 || nowMs - (this.#startedMs ?? nowMs) < TRUST_MS) {
      this.#toldEndMs = undefined
      return undefined
    }
    const left = (Math.max(0, size - done) / rate) * 1000
    if (left > MAX_LEFT_MS) return (this.#toldEndMs = undefined)
    const told = this.#toldEndMs === undefined ? undefined : this.#toldEndMs - nowMs
    if (told === undefined || told < 0 || Math.abs(told - left) > Math.max(left, told) / STEADY_SHARE) this.#toldEndMs = nowMs + left
    return roundTime(Math.max(0, this.#toldEndMs! - nowMs))
  }

  #raw(nowMs: MonoMs): number | undefined {
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    if (!first || !last) return undefined
    const tookMs = nowMs - first.atMs
    if (tookMs < STEP_MS) return undefined
    // Nothing for longer than the window: it stands still.
    if (nowMs - last.atMs >= WINDOW_MS) return 0
    return ((last.done - first.done) * 1000) / tookMs
  }
}

function threeDigits(value: number): number {
  if (value < 1000) return Math.round(value)
  const unit = 10 ** (Math.floor(Math.log10(value)) - 2)
  return Math.round(value / unit) * unit
}

/** To seconds below ten, 5 s below a minute, 10 s below five, a minute below an hour, else 5 minutes; never less than a second. */
function roundTime(ms: number): number {
  const steps: readonly (readonly [below: number, step: number])[] = [[10_000, 1_000], [60_000, 5_000], [300_000, 10_000], [3_600_000, 60_000]]
  const step = steps.find(([below]) => ms < below)?.[1] ?? 300_000
  return Math.max(1_000, Math.round(ms / step) * step)
}
