/**
 * The journal: what happened, in order, bounded. Every part adds entries through Env; readers take the newest.
 *
 *   event = { seq, atMs (wall), part, kind, why?, … }      seq never repeats within one engine's life
 *
 * An entry is cut to plain JSON values of bounded size when it comes in, so that a hostile name or a forgotten buffer
 * can neither fill memory nor break a line. Private keys redact themselves (their JSON form is "privkey:redacted").
 */
import type { JournalEntry } from '../../base/env.ts'

export interface JournalEvent extends JournalEntry {
  readonly seq: number
  /** Wall time. */
  readonly atMs: number
}

const MAX_TEXT = 400
const MAX_ITEMS = 16
const MAX_DEPTH = 3
const MAX_FIELDS = 24

/** Ring of the newest events. */
export class JournalRing {
  readonly #capacity: number
  #events: JournalEvent[] = []
  #start = 0
  #seq = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** Takes an entry in and answers the event made of it. */
  add(atMs: number, entry: JournalEntry): JournalEvent {
    const event = { ...(bounded(entry, 0) as JournalEntry), seq: ++this.#seq, atMs }
    if (this.#events.length < this.#capacity) this.#events.push(event)
    else {
      this.#events[this.#start] = event
      this.#start = (this.#start + 1) % this.#capacity
    }
    return event
  }

  /** The newest `count` events after `afterSeq`, oldest first. */
  tail(count: number, afterSeq = 0): JournalEvent[] {
    const all = [...this.#events.slice(this.#start), ...this.#events.slice(0, this.#start)]
    return all.filter((event) => event.seq > afterSeq).slice(-Math.max(1, count))
  }

  /** Makes numbering go on behind what an earlier engine wrote. */
  startAfter(seq: number): void {
    this.#seq = Math.max(this.#seq, seq)
  }
}

/** One line of the journal file, without line end. */
export function encodeEvent(event: JournalEvent): string {
  return JSON.stringify(event)
}

/** An event of a journal line; undefined for a torn or foreign line. */
export function decodeEvent(line: string): JournalEvent | undefined {
  if (line.length > 64_000) return undefined
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { seq, atMs, part, kind } = value as Record<string, unknown>
  const ok = Number.isSafeInteger(seq) && typeof atMs === 'number' && typeof part === 'string' && typeof kind === 'string'
  return ok ? (value as JournalEvent) : undefined
}

function bounded(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'boolean':
      return value
    case 'bigint':
      return value.toString()
    case 'object':
      return value === null ? null : boundedObject(value, depth)
    case 'undefined':
    case 'symbol':
    case 'function':
      return undefined
  }
}

function boundedObject(value: object, depth: number): unknown {
  if (value instanceof Error) return bounded(value.message, depth)
  if (ArrayBuffer.isView(value)) return `${value.byteLength} B`
  if (depth >= MAX_DEPTH) return '…'
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => bounded(item, depth + 1))
  if ('toJSON' in value && typeof value.toJSON === 'function') return bounded((value as { toJSON(): unknown }).toJSON(), depth + 1)
  const out: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value).slice(0, MAX_FIELDS)) {
    const cut = bounded(item, depth + 1)
    if (cut !== undefined) out[key] = cut
  }
  return out
}
