/**
 * What watchers are told of transfers: the whole at first, then what changed, at most four times a second. What has come to an end
 * does not wait for that, since somebody may wait for it; ends, too, are told at most four times a second.
 */
import type { Env } from '../../base/env.ts'
import type { TransfersNews } from '../../../localapi/transfers.ts'

const APART_MS = 250

/** What the news are made of, at the moment when they are told. */
export interface NewsSource {
  changes(rows: ReadonlySet<string>): Pick<TransfersNews, 'Rows' | 'Totals'>
  asks(): NonNullable<TransfersNews['Asks']>
  inbox(): NonNullable<TransfersNews['Inbox']>
  whole(): NonNullable<TransfersNews['Whole']>
  emit(news: TransfersNews): void
}

export class News {
  readonly #env: Env
  readonly #source: NewsSource
  #rows = new Set<string>()
  #gone = new Set<string>()
  #asks = false
  #inbox = false
  #whole = false
  #toldMs = -APART_MS
  #endToldMs = -APART_MS
  #hasEnd = false
  #dueMs = 0
  #takeBack: (() => void) | undefined

  constructor(env: Env, source: NewsSource) {
    this.#env = env
    this.#source = source
  }

  /** `isEnd`: nothing more happens to it by itself. */
  row(id: string, isEnd: boolean): void {
    this.#rows.add(id)
    this.#soon(isEnd)
  }

  gone(id: string): void {
    this.#rows.delete(id)
    this.#gone.add(id)
    this.#soon()
  }

  asks(): void {
    this.#asks = true
    this.#soon()
  }

  inbox(): void {
    this.#inbox = true
    this.#soon()
  }

  /** All of it is another. */
  whole(): void {
    this.#whole = true
    this.#soon()
  }

  stop(): void {
    this.#takeBack?.()
    this.#takeBack = undefined
  }

  #soon(isEnd = false): void {
    this.#hasEnd ||= isEnd
    const nowMs = this.#env.clock.nowMs()
    const dueMs = Math.max(nowMs, APART_MS + (isEnd ? Math.min(this.#toldMs, this.#endToldMs) : this.#toldMs))
    if (this.#takeBack && this.#dueMs <= dueMs) return
    this.#takeBack?.()
    this.#dueMs = dueMs
    // Also the first waits for the end of the turn: of a thousand changes in one, there is one message.
    this.#takeBack = this.#env.clock.after(dueMs - nowMs, () => this.#tell())
  }

  #tell(): void {
    this.#takeBack = undefined
    this.#toldMs = this.#env.clock.nowMs()
    if (this.#hasEnd) this.#endToldMs = this.#toldMs
    this.#hasEnd = false
    const [rows, gone, asks, inbox, whole] = [this.#rows, this.#gone, this.#asks, this.#inbox, this.#whole]
    this.#rows = new Set()
    this.#gone = new Set()
    this.#asks = this.#inbox = this.#whole = false
    if (whole) return this.#source.emit({ Whole: this.#source.whole() })
    this.#source.emit({
      ...(rows.size > 0 || gone.size > 0 ? this.#source.changes(rows) : {}),
      ...(gone.size > 0 ? { Gone: [...gone] } : {}),
      ...(asks ? { Asks: this.#source.asks() } : {}),
      ...(inbox ? { Inbox: this.#source.inbox() } : {}),
    })
  }
}
