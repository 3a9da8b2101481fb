/**
 * bowline/path: one peer's path, why it is so, and what led there. `peer` is a node key, an address or a name.
 * `after=N` holds the answer back until the journal has something newer to say of this path than event N, at most `wait`
 * seconds (30). A reader that may turn to another path soon asks for less, since an answer held back is a request held.
 *
 * The page's version is the sequence number of the newest event that concerns the path.
 */
import { formatAddrPort } from '../base/ip.ts'
import type { JournalEvent } from '../core/journal/journal.ts'
import type { PathPage } from '../../localapi/types.ts'
import type { Call } from './handlers.ts'
import type { JournalReader } from './journal-page.ts'
import { json, text } from './reply.ts'
import type { Reply } from './reply.ts'

const MAX_WAIT_SEC = 30
/** News come in bursts; a reader gets one page for all of them. */
const SETTLE_MS = 200
const MAX_LOOK = 5_000
const MAX_EVENTS = 20
const MAX_REFUSED = 16
/** Of these parts everything concerns every path. */
const OF_ALL_PATHS: ReadonlySet<string> = new Set(['netmon', 'magicsock', 'netcheck'])
/** Too many to be worth showing: each round of pings, each run of a netcheck. */
const NOT_SHOWN: ReadonlySet<string> = new Set(['probe-round', 'candidate-refused', 'run', 'settled', 'done'])

export async function pathPage(call: Call): Promise<Reply> {
  const { backend, query } = call
  const { pathViews } = backend.views
  const wanted = query.get('peer') ?? ''
  if (wanted === '') return text(400, "missing 'peer' parameter")
  const node = pathViews.find(wanted)
  if (!node) return text(404, 'no such device')
  const after = query.get('after')
  if (after !== null && /^\d{1,16}$/.test(after)) await news(call, node.Key, Number(after), waitMs(query.get('wait')))
  // Meanwhile the device may have got another key, or have left.
  const present = pathViews.find(node.Key) ?? pathViews.find(wanted)
  if (!present) return text(404, 'no such device')
  const events = eventsOf(call.journal, present.Key)
  const page: PathPage = {
    ...pathViews.page(present),
    version: events.at(-1)?.seq ?? 0,
    refused: refusedIn(events),
    events: worthShowing(events).map(({ atMs, ...event }) => ({ ...event, at: new Date(atMs).toISOString() })),
  }
  return json(page)
}

const concerns = (event: JournalEvent, key: string): boolean => event['peer'] === key || OF_ALL_PATHS.has(event.part)

const eventsOf = (journal: JournalReader, key: string): JournalEvent[] => journal.tail(MAX_LOOK, 0).filter((event) => concerns(event, key))

/** Every change of the path; of anything else that happens again and again the last time. */
function worthShowing(events: readonly JournalEvent[]): JournalEvent[] {
  const last = new Map<string, number>()
  const nameOf = ({ part, kind, why }: JournalEvent): string => `${part} ${kind} ${why ?? ''}`
  for (const event of events) last.set(nameOf(event), event.seq)
  const isStart = ({ from }: JournalEvent): boolean => (from as { readonly kind?: unknown } | undefined)?.kind === 'none'
  const isChange = (event: JournalEvent): boolean => event.part === 'path' && event.kind === 'path'
  return events.filter((event) => (isChange(event) ? !isStart(event) : !NOT_SHOWN.has(event.kind) && last.get(nameOf(event)) === event.seq)).slice(-MAX_EVENTS)
}

/** Waits for an event of this path after `seq`, for the time to be up, or for the reader to go. */
async function news({ journal, clock, response }: Call, key: string, seq: number, maxMs: number): Promise<void> {
  const isNew = (event: JournalEvent): boolean => event.seq > seq && concerns(event, key)
  if (journal.tail(MAX_LOOK, seq).some(isNew)) return
  await new Promise<void>((resolve) => {
    const ends: (() => void)[] = []
    const finish = (): void => {
      for (const end of ends) end()
      response.off('close', finish)
      resolve()
    }
    let settling = false
    ends.push(clock.after(maxMs, finish), journal.follow((event) => {
      if (settling || !isNew(event)) return
      settling = true
      ends.push(clock.after(SETTLE_MS, finish))
    }))
    response.once('close', finish)
  })
}

const waitMs = (text: string | null): number => 1000 * (text !== null && /^\d{1,2}$/.test(text) ? Math.min(MAX_WAIT_SEC, Math.max(1, Number(text))) : MAX_WAIT_SEC)

/** The last word on each address that was refused. */
function refusedIn(events: readonly JournalEvent[]): PathPage['refused'] {
  const found = new Map<string, string>()
  for (const { kind, addr, why } of events) {
    const at = addr as { readonly ip?: unknown; readonly port?: unknown } | undefined
    if (kind !== 'candidate-refused' || typeof at?.ip !== 'string' || typeof at.port !== 'number') continue
    const name = formatAddrPort({ ip: at.ip, port: at.port })
    found.delete(name)
    found.set(name, why ?? '')
  }
  return [...found].slice(-MAX_REFUSED).map(([addr, why]) => ({ addr, why }))
}
