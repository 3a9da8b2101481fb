/**
 * Watches this computer's clock: whoever hears the server's time says so here, and a clock that is wrong by minutes or more
 * is told, once, until it is right again.
 *
 * The server's time is kept against the monotonic clock, so that a clock which is set right (or wrong) later is noticed
 * without asking the server again.
 */
import type { Env } from '../base/env.ts'
import { isClockWrong, skewWords } from '../core/clock/skew.ts'

/** How soon a wrong clock is looked at again, and a right one. */
const LOOK_AGAIN_MS = { wrong: 15_000, right: 600_000 } as const

export interface ClockWarnings {
  set(code: 'clock-wrong', args: { readonly skew: string }): void
  clear(code: 'clock-wrong'): void
}

export class ClockWatch {
  readonly #env: Env
  readonly #warnings: ClockWarnings
  /** The server's time less the monotonic clock. */
  #offsetMs: number | undefined
  #told: string | undefined
  #cancelTimer: () => void = () => {}

  constructor(deps: { env: Env; warnings: ClockWarnings }) {
    this.#env = { ...deps.env, log: deps.env.log.part('clock') }
    this.#warnings = deps.warnings
  }

  /** It is `serverMs` at the server. */
  readonly noteServerTime = (serverMs: number): void => {
    if (!Number.isFinite(serverMs)) return
    this.#offsetMs = serverMs - this.#env.clock.nowMs()
    this.#look()
  }

  stop(): void {
    this.#cancelTimer()
  }

  #look(): void {
    if (this.#offsetMs === undefined) return
    const { clock, journal, log } = this.#env
    const skewMs = clock.wallMs() - (clock.nowMs() + this.#offsetMs)
    const words = isClockWrong(skewMs) ? skewWords(skewMs) : undefined
    if (words !== this.#told) {
      if (words === undefined) this.#warnings.clear('clock-wrong')
      else this.#warnings.set('clock-wrong', { skew: words })
      const why = words === undefined ? "this computer's clock agrees with the server's" : `this computer's clock is ${words} by the server's`
      journal.add({ part: 'clock', kind: words === undefined ? 'right' : 'wrong', why, skewMs: Math.round(skewMs) })
      log.info(`clock ${this.#told === undefined ? 'right' : 'wrong'} → ${words === undefined ? 'right' : 'wrong'} (${why})`)
      this.#told = words
    }
    this.#cancelTimer()
    this.#cancelTimer = clock.after(LOOK_AGAIN_MS[words === undefined ? 'right' : 'wrong'], () => this.#look())
  }
}
