/**
 * What is in the folders that are about to come: few lists, for an hour each.
 */
import type { Clock } from '../../../base/env.ts'
import type { ManifestEntry } from '../ports.ts'

const KEPT_MS = 3_600_000
/** In entries of usual length; long paths count for more. */
const MOST = 300_000
const MOST_PER_SENDER = 150_000
const CHARS_AS_ENTRY = 200

interface Kept {
  readonly sender: string
  readonly entries: readonly ManifestEntry[]
  readonly weight: number
  readonly atMs: number
}

export class Manifests {
  readonly #clock: Clock
  /** The oldest first. */
  readonly #kept = new Map<string, Kept>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Keeps one, and of the same sender's as many before it as there is room for; false: others' take it all. */
  put(sender: string, key: string, entries: readonly ManifestEntry[]): boolean {
    this.drop(sender, key)
    const nowMs = this.#clock.nowMs()
    const weight = weightOf(entries)
    for (const [id, one] of this.#kept) {
      const isTooMuch = this.#weight(sender) + weight > MOST_PER_SENDER
      if (nowMs - one.atMs >= KEPT_MS || (one.sender === sender && isTooMuch)) this.#kept.delete(id)
    }
    if (this.#weight() + weight > MOST) return false
    this.#kept.set(`${sender} ${key}`, { sender, entries, weight, atMs: nowMs })
    return true
  }

  get(sender: string, key: string): readonly ManifestEntry[] | undefined {
    const found = this.#kept.get(`${sender} ${key}`)
    return found && this.#clock.nowMs() - found.atMs < KEPT_MS ? found.entries : undefined
  }

  drop(sender: string, key: string): void {
    this.#kept.delete(`${sender} ${key}`)
  }

  #weight(sender?: string): number {
    let all = 0
    for (const one of this.#kept.values()) if (sender === undefined || one.sender === sender) all += one.weight
    return all
  }
}

function weightOf(entries: readonly ManifestEntry[]): number {
  const chars = entries.reduce((all, { path }) => all + path.length, 0)
  return 1 + entries.length + Math.ceil(chars / CHARS_AS_ENTRY)
}
