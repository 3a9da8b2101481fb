/**
 * The pings of one peer's machine that wait for their pong, by number. Pure, bounded.
 */
import type { Candidate } from './candidates.ts'

/** A pong that takes longer is no answer any more. */
export const PING_TIMEOUT_MS = 5000
const MAX_OPEN = 256

export interface OpenPing {
  readonly candidate: Candidate
  readonly sentMs: number
  readonly sized: boolean
}

export class OpenPings {
  /** In the order in which they were sent. */
  readonly #byId = new Map<number, OpenPing>()
  #nextId = 1

  /** Notes one more; answers its number. */
  add(ping: OpenPing): number {
    this.#byId.set(this.#nextId, ping)
    if (this.#byId.size > MAX_OPEN) this.#byId.delete(this.#byId.keys().next().value!)
    return this.#nextId++
  }

  /** The ping that a pong answers, once. */
  take(id: number): OpenPing | undefined {
    const ping = this.#byId.get(id)
    this.#byId.delete(id)
    return ping
  }

  dropOld(nowMs: number): void {
    for (const [id, { sentMs }] of this.#byId) {
      if (nowMs - sentMs < PING_TIMEOUT_MS) return
      this.#byId.delete(id)
    }
  }

  clear(): void {
    this.#byId.clear()
  }
}
