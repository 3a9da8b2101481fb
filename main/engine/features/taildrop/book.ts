/**
 * All transfers of a profile, both ways: who wants to change a row changes it and says so here.
 *
 * Bounds: so many finished rows, the oldest go first; so many open ones, more are refused; of things that broke off and that only
 * somebody else can send again the latest. What changed goes to whoever watches (`touched`) and, when it is more than progress, to disk (`kept`).
 */
import type { Env, WallMs } from '../../base/env.ts'
import { EngineError } from '../../base/errors.ts'
import { isMovingState, isOverState, type TransferRow, type TransferTotals } from '../../../localapi/transfers.ts'
import { rowJson, type Row } from './rows.ts'

export const MAX_FINISHED = 200
export const MAX_OPEN = 20_000
const MAX_BROKEN = 200

export interface BookListener {
  /** Somebody may want to see it. */
  touched(row: Row): void
  gone(id: string): void
  /** Worth more than progress: it must outlive the process. */
  kept(): void
}

export class Book {
  readonly #env: Env
  readonly #listener: BookListener
  #rows = new Map<string, Row>()
  /** In the order in which they became so. */
  #over = new Set<string>()
  #broken = new Set<string>()
  readonly #used = new Map<string, WallMs>()

  constructor(env: Env, listener: BookListener) {
    this.#env = env
    this.#listener = listener
  }

  get(id: string): Row | undefined {
    return this.#rows.get(id)
  }

  rows(): Iterable<Row> {
    return this.#rows.values()
  }

  get openCount(): number {
    return this.#rows.size - this.#over.size
  }

  /** Throws EngineError('bad-argument') when that would be too many. */
  assertRoom(count: number): void {
    if (this.openCount + count > MAX_OPEN) throw new EngineError('bad-argument', `At most ${MAX_OPEN} transfers can wait at once; ${this.openCount} do.`)
  }

  /** When a transfer to the device of that stable ID was last begun. */
  usedMs(peer: string): WallMs | undefined {
    return this.#used.get(peer)
  }

  add(row: Row): void {
    this.#rows.set(row.id, row)
    this.#noteUse(row)
    this.changed(row)
  }

  /** Its state, its why or where it lies is another. */
  changed(row: Row): void {
    if (this.#rows.get(row.id) !== row) return
    if (!isMovingState(row.state)) row.meter = row.path = undefined
    const rests = isOverState(row.state) || row.state === 'stopped'
    row.finishedMs = rests ? (row.finishedMs ?? this.#env.clock.wallMs()) : undefined
    this.#sort(row)
    this.#listener.touched(row)
    this.#listener.kept()
  }

  /** Only how far it is. */
  moved(row: Row): void {
    if (this.#rows.get(row.id) === row) this.#listener.touched(row)
  }

  remove(id: string): void {
    if (!this.#rows.delete(id)) return
    this.#over.delete(id)
    this.#broken.delete(id)
    this.#listener.gone(id)
    this.#listener.kept()
  }

  /** Takes the place of everything; nobody is told. */
  load(rows: readonly Row[]): void {
    this.#rows = new Map(rows.map((row) => [row.id, row]))
    this.#used.clear()
    for (const row of rows) this.#noteUse(row)
    const over = rows.filter((row) => isOverState(row.state)).toSorted((a, b) => (a.finishedMs ?? 0) - (b.finishedMs ?? 0))
    this.#over = new Set(over.map((row) => row.id))
    this.#broken = new Set(rows.filter(isBroken).map((row) => row.id))
  }

  json(rows: Iterable<Row> = this.#rows.values()): TransferRow[] {
    const nowMs = this.#env.clock.nowMs()
    return [...rows].map((row) => rowJson(row, nowMs))
  }

  totals(): TransferTotals {
    const nowMs = this.#env.clock.nowMs()
    const sums = { Moving: 0, Waiting: 0, RateUp: 0, RateDown: 0 }
    for (const row of this.#rows.values()) {
      if (isMovingState(row.state)) sums.Moving++
      else if (row.state === 'queued' || row.state === 'waiting-device' || row.state === 'waiting-answer') sums.Waiting++
      const rate = row.meter?.rate(nowMs) ?? 0
      if (row.direction === 'out') sums.RateUp += rate
      else sums.RateDown += rate
    }
    return sums
  }

  #noteUse({ direction, peer, createdMs }: Row): void {
    if (direction === 'out' && createdMs > (this.#used.get(peer) ?? 0)) this.#used.set(peer, createdMs)
  }

  #sort(row: Row): void {
    keep(this.#over, row.id, isOverState(row.state))
    keep(this.#broken, row.id, isBroken(row))
    for (const [set, most] of [[this.#over, MAX_FINISHED], [this.#broken, MAX_BROKEN]] as const) {
      for (const id of set) {
        if (set.size <= most) break
        this.remove(id)
      }
    }
  }
}

const isBroken = (row: Row): boolean => !row.source && row.state === 'stopped'

function keep(set: Set<string>, id: string, belongs: boolean): void {
  if (!belongs) set.delete(id)
  else set.add(id)
}
