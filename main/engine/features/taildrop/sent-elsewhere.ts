/**
 * Rows of what other programs send by themselves (LocalAPI file-put): the queue has no part in them, and nothing of them can be sent again.
 */
import type { Env } from '../../base/env.ts'
import type { TransferState, TransferWhy } from '../../../localapi/transfers.ts'
import type { Book } from './book.ts'
import type { OutgoingBook, OutgoingRow, SendEnd, SendStep } from './ports.ts'
import { makeRow, nextId, noteDone, type Row } from './rows.ts'

export class SentElsewhere implements OutgoingBook {
  readonly #deps: { env: Env; book: Book; nameOf: (peer: string) => string }
  readonly #cancels = new Map<string, () => void>()

  constructor(deps: { env: Env; book: Book; nameOf: (peer: string) => string }) {
    this.#deps = deps
  }

  begin(what: { readonly peer: string; readonly batch: string; readonly name: string; readonly size: number }, cancel: () => void): OutgoingRow {
    const { env, book, nameOf } = this.#deps
    const row = makeRow({
      ...what, id: nextId(env), direction: 'out', peerName: nameOf(what.peer), kind: 'file', files: 1, state: 'sending', createdMs: env.clock.wallMs(),
    })
    this.#cancels.set(row.id, cancel)
    book.add(row)
    return { step: (step) => this.#step(row, step), end: (end) => this.#end(row, end) }
  }

  /** Ends one that is on its way; false: none of these. */
  cancel(id: string): boolean {
    const cancel = this.#cancels.get(id)
    cancel?.()
    return cancel !== undefined
  }

  /** Whether it is one of these, on its way. */
  has(id: string): boolean {
    return this.#cancels.has(id)
  }

  #step(row: Row, step: SendStep): void {
    if (!this.#cancels.has(row.id)) return
    const { env, book } = this.#deps
    if (step.kind === 'sending') {
      noteDone(row, step.done, env.clock.nowMs())
      if (step.size >= 0) row.size = step.size
    }
    const state: TransferState = step.kind === 'asking' ? 'waiting-answer' : step.kind === 'checking' ? 'checking' : 'sending'
    if (state === row.state) return book.moved(row)
    row.state = state
    book.changed(row)
  }

  #end(row: Row, end: SendEnd): void {
    if (!this.#cancels.delete(row.id)) return
    const { env, book } = this.#deps
    const why: TransferWhy | undefined = end.kind === 'refused' || end.kind === 'broken' ? end.why : undefined
    row.state = end.kind === 'delivered' ? 'delivered' : end.kind === 'aborted' ? 'canceled' : 'stopped'
    row.why = why
    row.checked = end.kind === 'delivered' && end.checked
    if (end.kind === 'delivered') row.size = row.done = Math.max(row.size, row.done)
    book.changed(row)
    const reason = why?.Text ?? (end.kind === 'delivered' ? 'the receiver has it under its final name' : 'it was told to end')
    env.log.part('taildrop').info(`to ${row.peerName}: ${row.state}`, { id: row.id, why: reason })
    env.journal.add({ part: 'taildrop', kind: 'state', why: reason, id: row.id, batch: row.batch, peer: row.peer, name: row.name, to: row.state, ...(why ? { code: why.Code } : {}) })
  }
}
