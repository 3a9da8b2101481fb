/**
 * The system's clock: monotonic milliseconds that count time asleep, and timers that fall due by them.
 *
 * Node's monotonic clock stands still while the machine sleeps. A gap between wall time and monotonic time is either
 * sleep or a person (or NTP) setting the clock; the system's uptime, which counts sleep and knows nothing of wall time,
 * tells which. It is asked only when a gap shows. Node's timers stand still as well, so a watch re-arms them after sleep.
 * After sleep, or when the process was frozen, all that is overdue waits a moment more: what lies at the sockets goes first, so
 * that packets flow at once and nobody is given up whose words have come already.
 */
import { uptime } from 'node:os'
import { performance } from 'node:perf_hooks'
import type { Clock } from '../base/env.ts'

/** Uptime has a resolution of 10 ms to 1 s, by system. */
const GAP_MS = 2_000
const WATCH_MS = 10_000
/** A timer so late means that nothing of this process ran. */
const FROZEN_MS = 3_000
const PACKETS_FIRST_MS = 100
/** Longest delay that setTimeout takes. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** Where the raw times come from; tests give their own. */
export interface TimeSources {
  monotonicMs(): number
  wallMs(): number
  /** Counts sleep. */
  uptimeMs(): number
  setTimer(call: () => void, delayMs: number): { readonly unref: () => void; readonly cancel: () => void }
}

const SYSTEM: TimeSources = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  uptimeMs: () => uptime() * 1000,
  setTimer: (call, delayMs) => {
    const timer = setTimeout(call, delayMs)
    return { unref: () => void timer.unref(), cancel: () => clearTimeout(timer) }
  },
}

interface Pending {
  readonly atMs: number
  readonly call: () => void
  cancelTimer: () => void
  isPutOff: boolean
}

export class SystemClock implements Clock {
  readonly #sources: TimeSources
  readonly #pending = new Set<Pending>()
  #asleepMs = 0
  #wallGapMs: number
  #uptimeGapMs: number
  #watching = false

  constructor(sources: TimeSources = SYSTEM) {
    this.#sources = sources
    this.#wallGapMs = sources.wallMs() - sources.monotonicMs()
    this.#uptimeGapMs = sources.uptimeMs() - sources.monotonicMs()
  }

  nowMs(): number {
    const awakeMs = this.#sources.monotonicMs()
    const wallGapMs = this.#sources.wallMs() - awakeMs
    if (Math.abs(wallGapMs - this.#wallGapMs) > GAP_MS) this.#lookForSleep(awakeMs, wallGapMs)
    return awakeMs + this.#asleepMs
  }

  wallMs(): number {
    return this.#sources.wallMs()
  }

  after(delayMs: number, call: () => void): () => void {
    const pending: Pending = { atMs: this.nowMs() + Math.max(0, delayMs), call, cancelTimer: () => {}, isPutOff: false }
    this.#pending.add(pending)
    this.#arm(pending)
    this.#watch()
    return () => {
      this.#pending.delete(pending)
      pending.cancelTimer()
    }
  }

  #lookForSleep(awakeMs: number, wallGapMs: number): void {
    const uptimeGapMs = this.#sources.uptimeMs() - awakeMs
    const sleptMs = uptimeGapMs - this.#uptimeGapMs
    this.#wallGapMs = wallGapMs
    if (sleptMs < GAP_MS / 2) return
    this.#uptimeGapMs = uptimeGapMs
    this.#asleepMs += sleptMs
    for (const pending of this.#pending) {
      pending.cancelTimer()
      this.#arm(pending)
    }
  }

  #arm(pending: Pending): void {
    const delayMs = Math.min(MAX_TIMER_MS, Math.max(0, pending.atMs - (this.#sources.monotonicMs() + this.#asleepMs)))
    pending.cancelTimer = this.#sources.setTimer(() => this.#fire(pending), delayMs).cancel
  }

  #fire(pending: Pending): void {
    // Timers may fire a fraction of a millisecond early by this clock.
    const lateMs = this.nowMs() - pending.atMs
    if (lateMs < -1) return this.#arm(pending)
    if (lateMs >= FROZEN_MS && !pending.isPutOff) {
      pending.isPutOff = true
      pending.cancelTimer = this.#sources.setTimer(() => this.#fire(pending), PACKETS_FIRST_MS).cancel
      return
    }
    if (this.#pending.delete(pending)) pending.call()
  }

  /** Looks at the clock now and then while timers wait, so that a sleep is noticed soon after waking. */
  #watch(): void {
    if (this.#watching) return
    this.#watching = true
    const timer = this.#sources.setTimer(() => {
      this.#watching = false
      this.nowMs()
      if (this.#pending.size > 0) this.#watch()
    }, WATCH_MS)
    timer.unref()
  }
}
