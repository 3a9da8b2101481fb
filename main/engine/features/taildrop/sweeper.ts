/**
 * Takes away what nobody comes back for: partial files an hour after their last byte, with their rows, and what clients handed
 * over to be sent and then did not send. At first of what an earlier engine left, then every ten minutes.
 */
import type { Env } from '../../base/env.ts'
import { errorText } from '../../base/errors.ts'
import type { SpoolPort } from './doors.ts'

const AGAIN_MS = 600_000
const PARTIAL_KEPT_MS = 3_600_000
const SPOOLED_KEPT_MS = 24 * 3_600_000

export interface SweeperDeps {
  readonly env: Env
  readonly spool: SpoolPort
  /** Of every profile: what is in the spool and still to be sent. */
  readonly spooled: () => ReadonlySet<string>
  /** Partial files, and the rows of those that broke off before that wall time. */
  readonly sweepPartials: (olderMs: number) => Promise<void>
}

export class Sweeper {
  readonly #deps: SweeperDeps
  readonly #startedMs: number
  #takeBack: (() => void) | undefined

  constructor(deps: SweeperDeps) {
    this.#deps = deps
    this.#startedMs = deps.env.clock.wallMs()
  }

  /** Once it is known what is still to be sent. */
  start(): void {
    if (this.#takeBack) return
    this.#again()
    void this.#sweep(0, this.#startedMs)
  }

  stop(): void {
    this.#takeBack?.()
  }

  #again(): void {
    const { clock } = this.#deps.env
    this.#takeBack = clock.after(AGAIN_MS, () => {
      this.#again()
      void this.#sweep(SPOOLED_KEPT_MS, clock.wallMs())
    })
  }

  async #sweep(olderMs: number, wallMs: number): Promise<void> {
    const { env, spool, spooled, sweepPartials } = this.#deps
    try {
      const count = await spool.sweep(spooled(), olderMs, wallMs)
      if (count > 0) env.journal.add({ part: 'taildrop', kind: 'swept', why: `${count} things were handed over to be sent and never sent`, count })
      await sweepPartials(PARTIAL_KEPT_MS)
    } catch (error) {
      env.log.warn('what is no longer needed of transfers could not be taken away', { error: errorText(error) })
    }
  }
}
