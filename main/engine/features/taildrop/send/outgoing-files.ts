/**
 * `OutgoingFiles` on the bus, as stock clients know it: every file that is on its way out, told each second while one moves and
 * when one ends. Those that ended are told of for a minute more.
 */
import type { Env } from '../../../base/env.ts'
import type { OutgoingFile } from '../../../../localapi/types.ts'

const EACH_MS = 1_000
/** Many that end together are told of together. */
const GATHER_MS = 100
const KEPT_MS = 60_000
const MAX_KEPT = 100

interface Entry {
  file: OutgoingFile
  endedMs: number
}

export class OutgoingFiles {
  readonly #env: Env
  readonly #tell: (files: readonly OutgoingFile[]) => void
  readonly #entries = new Map<string, Entry>()
  #dueMs = Number.POSITIVE_INFINITY
  #cancel: () => void = () => {}

  constructor(env: Env, tell: (files: readonly OutgoingFile[]) => void) {
    this.#env = env
    this.#tell = tell
  }

  /** Another try of the same `id` takes the place of the one before. `size` -1 unknown. */
  begin(what: { readonly id: string; readonly peer: string; readonly name: string; readonly size: number }): void {
    const Started = new Date(this.#env.clock.wallMs()).toISOString()
    const file = { ID: what.id, PeerID: what.peer, Name: what.name, Started, DeclaredSize: what.size, Sent: 0, Finished: false, Succeeded: false }
    this.#entries.set(what.id, { file, endedMs: Number.POSITIVE_INFINITY })
    this.#within(GATHER_MS)
  }

  sent(id: string, bytes: number): void {
    const entry = this.#entries.get(id)
    if (!entry) return
    entry.file = { ...entry.file, Sent: bytes }
    this.#within(EACH_MS)
  }

  end(id: string, succeeded: boolean): void {
    const entry = this.#entries.get(id)
    if (!entry) return
    entry.file = { ...entry.file, Finished: true, Succeeded: succeeded }
    entry.endedMs = this.#env.clock.nowMs()
    this.#within(GATHER_MS)
  }

  stop(): void {
    this.#cancel()
    this.#dueMs = Number.POSITIVE_INFINITY
  }

  #within(ms: number): void {
    const dueMs = this.#env.clock.nowMs() + ms
    if (this.#dueMs <= dueMs) return
    this.#cancel()
    this.#dueMs = dueMs
    this.#cancel = this.#env.clock.after(ms, () => {
      this.#dueMs = Number.POSITIVE_INFINITY
      this.#forget()
      this.#tell([...this.#entries.values()].map(({ file }) => file))
    })
  }

  /** The oldest of those that ended come first in the table. */
  #forget(): void {
    const ended = [...this.#entries].filter(([, { endedMs }]) => endedMs !== Number.POSITIVE_INFINITY)
    const beforeMs = this.#env.clock.nowMs() - KEPT_MS
    ended.forEach(([id, { endedMs }], i) => {
      if (endedMs < beforeMs || i < ended.length - MAX_KEPT) this.#entries.delete(id)
    })
  }
}
