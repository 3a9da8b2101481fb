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
const MAX_NAME = 80
/** Characters of a whole event, before JSON makes up to six of one: a line is never too long to be read back. */
const MAX_EVENT = 9_000
/** What a value costs beside its text. */
const VALUE_COST = 8

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
    const event = { ...(bounded(entry, 0, { left: MAX_EVENT }) as JournalEntry), seq: ++this.#seq, atMs }
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

/** Characters that are left for an event. */
interface Room {
  left: number
}

function bounded(value: unknown, depth: number, room: Room): unknown {
  room.left -= VALUE_COST
  switch (typeof value) {
    case 'string':
      return boundedText(value, MAX_TEXT, room)
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'boolean':
      return value
    case 'bigint':
      return boundedText(value.toString(), MAX_TEXT, room)
    case 'object':
      return value === null ? null : boundedObject(value, depth, room)
    case 'undefined':
    case 'symbol':
    case 'function':
      return undefined
  }
}

function boundedText(text: string, most: number, room: Room): string {
  const length = Math.max(0, Math.min(most, room.left))
  room.left -= Math.min(text.length, length)
  return text.length > length ? `${text.slice(0, length)}…` : text
}

function boundedObject(value: object, depth: number, room: Room): unknown {
  if (value instanceof Error) return bounded(value.message, depth, room)
  if (ArrayBuffer.isView(value)) return `${value.byteLength} B`
  if (depth >= MAX_DEPTH || room.left <= 0) return '…'
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => bounded(item, depth + 1, room))
  if ('toJSON' in value && typeof value.toJSON === 'function') return bounded((value as { toJSON(): unknown }).toJSON(), depth + 1, room)
  const out: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value).slice(0, MAX_FIELDS)) {
    if (room.left <= 0) break
    const cut = bounded(item, depth + 1, room)
    if (cut !== undefined && key !== '__proto__') out[boundedText(key, MAX_NAME, room)] = cut
  }
  return out
}
