/**
 * Looks again when something in a folder changed, and every half minute all the same: mounted files change without a word in their folder.
 * The number of looks is bounded, whatever others write there.
 */
import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import type { Env } from '../../base/env.ts'

/** Writers make a file in several steps. */
const SETTLE_MS = 100
const LOOK_EVERY_MS = 30_000

export class NamesWatch {
  readonly #env: Env
  readonly #look: () => void
  #watchers: FSWatcher[] = []
  #watched = ''
  #dueSoon: (() => void) | undefined
  #dueLate: (() => void) | undefined

  constructor(env: Env, look: () => void) {
    this.#env = env
    this.#look = look
  }

  /** Watches these files or folders; those that are not there are left out. */
  start(paths: readonly string[]): void {
    const wanted = [...new Set(paths)].toSorted().join('\n')
    if (this.#dueLate === undefined) this.#again()
    if (wanted === this.#watched) return
    this.#close()
    this.#watched = wanted
    for (const path of new Set(paths)) this.#watch(path)
  }

  stop(): void {
    this.#close()
    this.#dueSoon?.()
    this.#dueLate?.()
    this.#dueSoon = this.#dueLate = undefined
  }

  /** A look soon, one for all that happens until then. */
  nudge(): void {
    this.#dueSoon ??= this.#env.clock.after(SETTLE_MS, () => {
      this.#dueSoon = undefined
      this.#look()
    })
  }

  #again(): void {
    this.#dueLate = this.#env.clock.after(LOOK_EVERY_MS, () => {
      this.#again()
      this.#look()
    })
  }

  #watch(path: string): void {
    try {
      const watcher = watch(path, { persistent: false }, () => this.nudge())
      // A folder that goes away; the look every half minute is left.
      watcher.on('error', () => watcher.close())
      this.#watchers.push(watcher)
    } catch {
      // It is not there, or the system has no watches left.
    }
  }

  #close(): void {
    for (const watcher of this.#watchers.splice(0)) watcher.close()
    this.#watched = ''
  }
}
