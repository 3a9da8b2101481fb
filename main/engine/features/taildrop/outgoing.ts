/**
 * Carries out what the queue wants: begins and ends tries, keeps its timer, and writes what became of each into the book.
 */
import type { Env } from '../../base/env.ts'
import { errorText } from '../../base/errors.ts'
import { peerByStableId } from '../../core/netmap/find-node.ts'
import { SendQueue } from '../../core/taildrop/queue.ts'
import type { NewItem, QueueEvent, QueueWishes, SendState } from '../../core/taildrop/queue-types.ts'
import { refusalOf } from '../../core/taildrop/targets.ts'
import { whyOf } from '../../core/taildrop/whys.ts'
import type { TransferWhy } from '../../../localapi/transfers.ts'
import type { Book } from './book.ts'
import type { Courier, Parcel, SendEnd, SendStep, Sources, TaildropNetwork } from './ports.ts'
import { noteDone, type Row } from './rows.ts'

export interface OutgoingDeps {
  readonly env: Env
  readonly book: Book
  readonly courier: Courier
  readonly sources: Pick<Sources, 'manifest' | 'open'>
  readonly network: Pick<TaildropNetwork, 'netMap'>
  /** It is over for good: what was kept for it may go once that is on disk. */
  readonly over: (row: Row) => void
}

interface Change {
  readonly row: Row
  readonly before: string
  readonly state: SendState
  readonly why: TransferWhy | undefined
}

/** More of a batch that change alike at once are told as one. */
const MOST_TOLD = 3

type Offered = Pick<Parcel, 'batch' | 'batchItems'>

export class Outgoing {
  readonly #deps: OutgoingDeps
  #queue = new SendQueue()
  readonly #tries = new Map<string, AbortController>()
  /** What is asked of a receiver once for all of a batch; made once, and anew when something in it is another. */
  #batches = new Map<string, Offered>()
  #takeBack: (() => void) | undefined

  constructor(deps: OutgoingDeps) {
    this.#deps = deps
  }

  /** Takes the place of what was there, whose tries are ended. */
  load(rows: readonly Row[], devices: ReadonlyMap<string, boolean> | undefined): void {
    this.stop()
    this.#queue = new SendQueue()
    this.#batches = new Map()
    this.handle({ kind: 'network', devices })
    this.add(rows)
  }

  /** Rows of the book that are to go out. */
  add(rows: readonly Row[]): void {
    this.handle({ kind: 'add', items: rows.filter((row) => row.source).map(itemOf) })
  }

  /** What is to be sent of a row is another by now: its batch is offered anew. */
  renewed(row: Row): void {
    this.#batches.delete(batchKey(row))
  }

  /** Something happened that may start or end tries. */
  handle(event: QueueEvent): void {
    const { env } = this.#deps
    this.#carry(this.#queue.handle(event, env.clock.nowMs()))
  }

  /** Ends all tries without a word about them. */
  stop(): void {
    this.#takeBack?.()
    this.#takeBack = undefined
    for (const controller of this.#tries.values()) controller.abort()
    this.#tries.clear()
  }

  #carry({ start, abort, changed, wakeAtMs }: QueueWishes): void {
    this.#tell([...changed].flatMap(([id, { state, why }]) => this.#show(id, state, why) ?? []))
    for (const id of abort) this.#tries.get(id)?.abort()
    for (const { id, why } of start) this.#begin(id, why)
    this.#takeBack?.()
    this.#takeBack = undefined
    if (wakeAtMs === undefined) return
    const waitMs = Math.max(0, wakeAtMs - this.#deps.env.clock.nowMs())
    this.#takeBack = this.#deps.env.clock.after(waitMs, () => this.handle({ kind: 'time' }))
  }

  /** Answers what is worth telling of it. */
  #show(id: string, state: SendState, why: TransferWhy | undefined): Change | undefined {
    const { book, over } = this.#deps
    const row = book.get(id)
    if (!row) return undefined
    const before = row.state
    row.state = state
    row.why = why
    if (state === 'delivered' && row.size >= 0) row.done = row.size
    book.changed(row)
    if (state === 'delivered' || state === 'canceled') over(row)
    return before === state ? undefined : { row, before, state, why }
  }

  /** What happens to many of a batch at once is one piece of news. */
  #tell(changes: readonly Change[]): void {
    const alike = new Map<string, Change[]>()
    for (const change of changes) {
      const key = JSON.stringify([change.row.batch, change.before, change.state, change.why?.Code])
      const group = alike.get(key)
      if (group) group.push(change)
      else alike.set(key, [change])
    }
    for (const group of alike.values()) {
      if (group.length > MOST_TOLD) this.#tellOne(group[0]!, group.length)
      else for (const change of group) this.#tellOne(change, 1)
    }
  }

  #tellOne({ row, before, state, why }: Change, count: number): void {
    const { log, journal } = this.#deps.env
    const reason = why?.Text ?? REASONS[state]
    const what = count > 1 ? { count } : { id: row.id, name: row.name }
    log.part('taildrop').info(`to ${row.peerName}: ${before} → ${state}`, { ...(count > 1 ? { count } : { id: row.id }), why: reason })
    journal.add({ part: 'taildrop', kind: 'state', why: reason, ...what, batch: row.batch, peer: row.peer, from: before, to: state, ...(why ? { code: why.Code } : {}) })
  }

  #begin(id: string, why: string): void {
    const { env, book } = this.#deps
    const row = book.get(id)!
    const controller = new AbortController()
    this.#tries.set(id, controller)
    env.journal.add({ part: 'taildrop', kind: 'try', why, id, peer: row.peer, name: row.name })
    void this.#try(row, controller).then((end) => {
      // Of a queue that is no longer ours.
      if (this.#tries.get(id) !== controller) return
      this.#tries.delete(id)
      env.journal.add({ part: 'taildrop', kind: 'try-ended', why: endWords(end), id, peer: row.peer, end: end.kind, done: row.done })
      if (end.kind === 'delivered') row.checked = end.checked
      this.handle({ kind: 'end', id, end })
    })
  }

  async #try(row: Row, { signal }: AbortController): Promise<SendEnd> {
    const { courier, sources } = this.#deps
    const source = row.source!
    const parcel: Parcel = {
      id: row.id, peer: row.peer, name: row.name, isFolder: source.isFolder, files: row.files, size: source.size, ...this.#batchOf(row),
    }
    const readable = { manifest: () => sources.manifest(source.ref), open: (as: 'plain' | 'stream' | 'archive') => sources.open(source.ref, as, source.print) }
    // The wishes of this moment are carried out before a try may have any of its own.
    await Promise.resolve()
    const why = this.#whyNot(row.peer)
    if (why) return { kind: 'refused', why }
    try {
      return await courier.send(parcel, readable, (step) => this.#step(row, step, signal), signal)
    } catch (error) {
      this.#deps.env.log.error('a try to send failed', { error: errorText(error) })
      return { kind: 'broken', why: whyOf('io', errorText(error)), isAway: false }
    }
  }

  /** It may have waited for days: whose the device is by now, and what may go to it, counts. What it lacks while it is away does not. */
  #whyNot(peer: string): TransferWhy | undefined {
    const netMap = this.#deps.network.netMap()
    const node = netMap && peerByStableId(netMap, peer)
    const refusal = node && refusalOf(netMap, node)
    return refusal === undefined || refusal === 'cannot-receive' ? undefined : whyOf(refusal)
  }

  #step(row: Row, step: SendStep, signal: AbortSignal): void {
    if (signal.aborted) return
    const { env, book } = this.#deps
    if (step.kind === 'sending') {
      const isMore = step.done > row.done
      row.kind = step.as
      row.size = step.size
      noteDone(row, step.done, env.clock.nowMs())
      book.moved(row)
      if (isMore) this.handle({ kind: 'progress', id: row.id })
    }
    this.handle({ kind: 'step', id: row.id, step: step.kind })
  }

  #batchOf(whole: Row): Offered {
    const { batch, peer, source: own } = whole
    const key = batchKey(whole)
    const known = this.#batches.get(key)
    if (known) return known
    const items = [...this.#deps.book.rows()].flatMap((row) => {
      if (row.batch !== batch || row.peer !== peer || !row.source) return []
      return [{ id: row.id, name: row.name, isFolder: row.source.isFolder, files: row.files, size: row.source.size }]
    })
    // Things of a batch are known by their place in it. Of one whose finished rows are no longer known, the rest is another batch.
    const isWhole = items.length === own!.of
    const offered = { batch: isWhole ? batch : items.length.toString(16).padStart(8, '0') + batch.slice(8), batchItems: items }
    this.#batches.set(key, offered)
    return offered
  }
}

const batchKey = ({ batch, peer }: Row): string => `${batch} ${peer}`

function itemOf(row: Row): NewItem {
  return { id: row.id, peer: row.peer, batch: row.batch, name: row.name, size: row.source?.size ?? row.size, state: row.state as SendState, why: row.why }
}

const REASONS: Readonly<Record<SendState, string>> = {
  queued: 'it is to be sent', 'waiting-device': 'the device is not there', 'waiting-answer': 'a person there is asked', sending: 'the receiver takes it',
  checking: 'all of it is sent', paused: 'a person paused it', delivered: 'the receiver has it under its final name', stopped: 'it cannot go on', canceled: 'a person canceled it',
}

function endWords(end: SendEnd): string {
  if (end.kind === 'refused' || end.kind === 'broken') return end.why.Text
  return end.kind === 'aborted' ? 'it was told to end' : end.checked ? 'delivered, and the same there' : 'delivered'
}
