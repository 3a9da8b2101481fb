/**
 * The journal's file: lines appended, at most 20 MB and 7 days, in two generations (journal.ndjson, journal.1.ndjson).
 * Writing is by the way: a failure is told once and the engine goes on; lines wait at most a second.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Clock, Journal, JournalEntry } from '../base/env.ts'
import { decodeEvent, encodeEvent, JournalRing } from '../core/journal/journal.ts'
import type { JournalEvent } from '../core/journal/journal.ts'

const GENERATION_BYTES = 10 * 1024 * 1024
const MAX_AGE_MS = 7 * 24 * 3_600_000
const WRITE_DELAY_MS = 1_000
const RING_EVENTS = 5_000

export class JournalFile implements Journal {
  readonly #clock: Clock
  readonly #path: string | undefined
  readonly #onFailure: (message: string) => void
  readonly #ring = new JournalRing(RING_EVENTS)
  readonly #followers = new Set<(event: JournalEvent) => void>()
  #lines: string[] = []
  #takeBack: (() => void) | undefined
  #sizeBytes = 0
  #oldestMs = Infinity
  #failed = false

  /** `dir` undefined keeps the journal in memory alone. */
  constructor(deps: { clock: Clock; dir: string | undefined; onFailure: (message: string) => void }) {
    this.#clock = deps.clock
    this.#path = deps.dir === undefined ? undefined : join(deps.dir, 'journal.ndjson')
    this.#onFailure = deps.onFailure
    if (this.#path !== undefined) this.#open(this.#path)
  }

  add(entry: JournalEntry): void {
    const event = this.#ring.add(this.#clock.wallMs(), entry)
    for (const call of this.#followers) call(event)
    if (this.#path === undefined || this.#failed) return
    this.#lines.push(encodeEvent(event))
    this.#takeBack ??= this.#clock.after(WRITE_DELAY_MS, () => this.flush())
  }

  /** The newest events of this engine's life, oldest first. */
  tail(count: number, afterSeq = 0): JournalEvent[] {
    return this.#ring.tail(count, afterSeq)
  }

  /** Calls with each event from now on; the returned function ends it. */
  follow(call: (event: JournalEvent) => void): () => void {
    this.#followers.add(call)
    return () => void this.#followers.delete(call)
  }

  /** Writes what waits. */
  flush(): void {
    this.#takeBack?.()
    this.#takeBack = undefined
    if (this.#path === undefined || this.#failed || this.#lines.length === 0) return
    const text = `${this.#lines.join('\n')}\n`
    this.#lines = []
    this.#guard(() => {
      if (this.#sizeBytes + text.length > GENERATION_BYTES || this.#clock.wallMs() - this.#oldestMs > MAX_AGE_MS / 2) this.#rotate(this.#path!)
      appendFileSync(this.#path!, text, { mode: 0o600 })
      this.#sizeBytes += text.length
      this.#oldestMs = Math.min(this.#oldestMs, this.#clock.wallMs())
    })
  }

  #open(path: string): void {
    this.#guard(() => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      if (existsSync(previousOf(path)) && this.#clock.wallMs() - statSync(previousOf(path)).mtimeMs > MAX_AGE_MS) rmSync(previousOf(path))
      if (!existsSync(path)) return
      this.#sizeBytes = statSync(path).size
      const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
      this.#oldestMs = decodeEvent(lines[0] ?? '')?.atMs ?? this.#clock.wallMs()
      this.#ring.startAfter(decodeEvent(lines.at(-1) ?? '')?.seq ?? 0)
    })
  }

  #rotate(path: string): void {
    if (existsSync(path)) renameSync(path, previousOf(path))
    this.#sizeBytes = 0
    this.#oldestMs = Infinity
  }

  #guard(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.#failed = true
      this.#onFailure(error instanceof Error ? error.message : String(error))
    }
  }
}

function previousOf(path: string): string {
  return path.replace(/\.ndjson$/, '.1.ndjson')
}
