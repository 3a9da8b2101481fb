/**
 * bowline/journal: the newest events, oldest first; `n` how many (200), `after` only later sequence numbers.
 */
import type { JournalEvent } from '../core/journal/journal.ts'
import type { Call } from './handlers.ts'
import { json } from './reply.ts'
import type { Reply } from './reply.ts'

export interface JournalReader {
  tail(count: number, afterSeq: number): readonly JournalEvent[]
  /** Calls with each event from now on; the returned function ends it. */
  follow(call: (event: JournalEvent) => void): () => void
}

const DEFAULT_EVENTS = 200
const MAX_EVENTS = 5_000

export function journalPage({ journal, query }: Call): Reply {
  const count = Math.min(MAX_EVENTS, wholeNumber(query.get('n')) ?? DEFAULT_EVENTS)
  const events = journal.tail(count, wholeNumber(query.get('after')) ?? 0)
  return json({ events: events.map(({ atMs, ...event }) => ({ ...event, at: new Date(atMs).toISOString() })) })
}

function wholeNumber(text: string | null): number | undefined {
  return text !== null && /^\d{1,12}$/.test(text) ? Number(text) : undefined
}
