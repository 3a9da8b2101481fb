/**
 * The record of what comes in: a row each, and the stock daemon's `IncomingFiles` on the bus. Who receives keeps journal and log of it.
 *
 *   waiting-answer → receiving → checking → received      broken → stopped, kept until its partial is swept
 *
 * A thing that comes again from the same device under the same name goes on in the row in which it broke off.
 */
import type { Env } from '../../base/env.ts'
import type { TransferState, TransferWhy } from '../../../localapi/transfers.ts'
import type { PartialFile } from '../../../localapi/types.ts'
import type { Book } from './book.ts'
import type { IncomingBook, IncomingRow } from './ports.ts'
import { makeRow, nextId, noteDone, type Row } from './rows.ts'

const TELL_MS = 1_000

export type Begun = Parameters<IncomingBook['begin']>[0]

export interface IncomingDeps {
  readonly env: Env
  readonly book: Book
  readonly nameOf: (peer: string) => string
  /** Whether things in this folder wait with the engine. */
  readonly isStaged: (folder: string) => boolean
  readonly emit: (files: readonly PartialFile[]) => void
  readonly asksChanged: () => void
  /** Something is on disk under its final name, or is no longer partial. */
  readonly ended: () => void
}

interface Live {
  readonly row: Row
  readonly what: Begun
  readonly startedMs: number
  readonly controller: AbortController
  finalPath: string | undefined
}

/** A person or a rule here does not want it: nothing of it is to go on. */
const REFUSED_HERE: ReadonlySet<string> = new Set(['not-wanted', 'canceled-here'])

export class Incoming implements IncomingBook {
  readonly #deps: IncomingDeps
  readonly #live = new Map<string, Live>()
  /** Those that came in since watchers were told. */
  #done: Live[] = []
  #takeBack: (() => void) | undefined

  constructor(deps: IncomingDeps) {
    this.#deps = deps
  }

  begin(what: Begun): IncomingRow {
    const { env, book, nameOf } = this.#deps
    const again = this.#brokenBefore(what)
    const row = again ?? makeRow({
      id: nextId(env), batch: what.batch, direction: 'in', peer: what.peer, peerName: nameOf(what.peer), name: what.name, kind: what.kind,
      files: what.files, size: what.size, state: 'receiving', createdMs: env.clock.wallMs(), savedIn: this.#placeOf(what),
    })
    row.state = 'receiving'
    row.why = undefined
    row.size = what.size
    const live: Live = { row, what, startedMs: env.clock.wallMs(), controller: new AbortController(), finalPath: undefined }
    this.#live.set(row.id, live)
    book.add(row)
    this.#tell(TELL_MS)
    return {
      id: row.id,
      signal: live.controller.signal,
      waiting: () => this.#become(live, 'waiting-answer'),
      progress: (done) => this.#progress(live, done),
      checking: () => this.#become(live, 'checking'),
      received: ({ name, path, size }, checked) => {
        row.savedAs = name
        row.size = row.done = size
        row.checked = checked
        live.finalPath = path
        this.#end(live, 'received', undefined)
      },
      broken: (why) => this.#end(live, 'stopped', why),
      refused: (why) => this.#end(live, REFUSED_HERE.has(why.Code) ? 'canceled' : 'stopped', why),
    }
  }

  asksChanged(): void {
    this.#deps.asksChanged()
  }

  /** A person does not want it: one that comes in is told to end, of one that broke off only the row goes. */
  cancel(row: Row): void {
    if (row.direction !== 'in') return
    const live = this.#live.get(row.id)
    if (live) {
      // It is getting its name: what becomes of it is told in a moment.
      if (row.state === 'checking') return
      live.controller.abort()
      return this.#end(live, 'canceled', undefined)
    }
    row.state = 'canceled'
    this.#deps.book.changed(row)
  }

  stop(): void {
    this.#takeBack?.()
    this.#takeBack = undefined
    this.#live.clear()
  }

  #placeOf({ folder }: Begun): string {
    return this.#deps.isStaged(folder) ? '' : folder
  }

  #brokenBefore(what: Begun): Row | undefined {
    const { peer, name } = what
    const place = this.#placeOf(what)
    for (const row of this.#deps.book.rows()) {
      if (row.direction === 'in' && row.state === 'stopped' && row.peer === peer && row.name === name && row.savedIn === place && !this.#live.has(row.id)) return row
    }
    return undefined
  }

  #become(live: Live, state: TransferState): void {
    if (!this.#live.has(live.row.id) || live.row.state === state) return
    live.row.state = state
    this.#deps.book.changed(live.row)
  }

  #progress(live: Live, done: number): void {
    const { env, book } = this.#deps
    if (live.row.state === 'waiting-answer') this.#become(live, 'receiving')
    noteDone(live.row, done, env.clock.nowMs())
    book.moved(live.row)
    this.#tell(TELL_MS)
  }

  #end(live: Live, state: TransferState, why: TransferWhy | undefined): void {
    const { row } = live
    if (!this.#live.delete(row.id)) return
    row.state = state
    row.why = why
    this.#deps.book.changed(row)
    if (state === 'received') this.#done.push(live)
    this.#tell(0)
    this.#deps.ended()
  }

  /** At once when something ended, else now and then. */
  #tell(delayMs: number): void {
    if (delayMs === 0) {
      this.#takeBack?.()
      this.#takeBack = undefined
    }
    this.#takeBack ??= this.#deps.env.clock.after(delayMs, () => {
      this.#takeBack = undefined
      const done = this.#done
      this.#done = []
      if (done.length + this.#live.size > 0) this.#deps.emit([...done, ...this.#live.values()].map(partialFile))
    })
  }
}

/** As the stock daemon tells it: the path of what is partial only where a person chose the folder. */
function partialFile({ row, what, startedMs, finalPath }: Live): PartialFile {
  return {
    Name: row.name, Started: new Date(startedMs).toISOString(), DeclaredSize: what.size, Received: row.done,
    ...(what.partialPath === undefined || row.savedIn === '' ? {} : { PartialPath: what.partialPath }),
    ...(finalPath === undefined ? {} : { FinalPath: finalPath, Done: true }),
  }
}
