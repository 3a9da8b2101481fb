/**
 * Files on their way, as the page lists them. Pure.
 *
 *   entry     one row of the engine, or many that were asked for together, which stand as one and open
 *   section   Now (bytes move), Waiting, then by day what is over or stopped; the latest first within a day
 *
 * An entry that did not change keeps its identity from one page to the next, so that only news are drawn anew.
 */
import { isEnded, isMoving, isOver, openBatches, type TransferAsk, type TransferRow, type TransfersPage, type TransferState } from '../../main/localapi/transfers.ts'

export interface Entry {
  readonly key: string
  /** The row, or the sum of all: then its ID is the batch's and its name that of the first. */
  readonly row: TransferRow
  /** All rows of it, in their order. */
  readonly rows: readonly TransferRow[]
}

export type SectionId = 'now' | 'waiting' | 'today' | 'yesterday' | 'earlier'

export interface Section {
  readonly id: SectionId
  readonly entries: readonly Entry[]
}

/** So many of one batch stand as one. */
const MANY = 4
const DAY_MS = 86_400_000

export const isMany = (entry: Entry): boolean => entry.rows.length > 1

/** Makes entries of pages. */
export class EntryTable {
  #made = new Map<string, Entry>()

  /** Without what is asked for still: asks stand above. */
  look(page: TransfersPage): readonly Entry[] {
    const asked = new Set(page.Asks.map((ask) => ask.Batch))
    const batches = new Map<string, TransferRow[]>()
    for (const row of page.Rows) {
      if (row.Direction === 'in' && row.State === 'waiting-answer' && asked.has(row.Batch)) continue
      const key = `${row.Direction} ${row.Batch}`
      const rows = batches.get(key)
      if (rows) rows.push(row)
      else batches.set(key, [row])
    }
    const made = new Map<string, Entry>()
    for (const [key, rows] of batches) {
      // Rows that went out of a batch leave it one entry: what a person has opened does not fall apart.
      const isOne = rows.length >= MANY || (rows.length > 1 && this.#made.has(key))
      // By name, so that none changes its place while others end.
      if (isOne) made.set(key, this.#kept(key, rows.toSorted((a, b) => (a.Name < b.Name ? -1 : a.Name > b.Name ? 1 : 0))))
      else for (const row of rows) made.set(row.ID, this.#kept(row.ID, [row]))
    }
    this.#made = made
    return [...made.values()]
  }

  #kept(key: string, rows: readonly TransferRow[]): Entry {
    const old = this.#made.get(key)
    if (old && old.rows.length === rows.length && rows.every((row, i) => row === old.rows[i])) return old
    return { key, rows, row: rows.length === 1 ? rows[0]! : sumOf(rows) }
  }
}

/** What a batch does as a whole is what the busiest of its rows does. */
const BUSIEST: readonly TransferState[] = ['sending', 'receiving', 'checking', 'waiting-answer', 'queued', 'waiting-device', 'paused', 'stopped', 'delivered', 'received', 'canceled']

function sumOf(rows: readonly TransferRow[]): TransferRow {
  const [first] = rows as readonly [TransferRow]
  const rank = Math.min(...rows.map((row) => BUSIEST.indexOf(row.State)))
  const State = BUSIEST[rank] ?? first.State
  const told = rows.find((row) => row.State === State)!
  const kept = rows.filter((row) => row.State !== 'canceled')
  const Size = kept.some((row) => row.Size < 0) ? -1 : total(kept, (row) => row.Size)
  const Done = total(kept, (row) => row.Done)
  const Rate = total(rows, (row) => (isMoving(row) ? (row.Rate ?? 0) : 0))
  const path = rows.find((row) => isMoving(row) && row.Path)?.Path ?? told.Path
  const ends = rows.every(isEnded) ? rows.map((row) => row.Finished ?? row.Created) : []
  const { Why: _why, Rate: _rate, LeftMs: _left, Path: _path, Finished: _finished, SavedAs: _as, SavedIn: _in, ...rest } = first
  return {
    ...rest, ID: first.Batch, Files: total(kept, (row) => row.Files), Size, Done, State, Checked: kept.length > 0 && kept.every((row) => row.Checked),
    ...(told.Why ? { Why: told.Why } : {}),
    ...(path ? { Path: path } : {}),
    ...(Rate > 0 ? { Rate, ...(Size < 0 ? {} : { LeftMs: Math.ceil((Size - Done) / Rate) * 1000 }) } : {}),
    ...(ends.length > 0 ? { Finished: ends.reduce((a, b) => (a > b ? a : b)) } : {}),
    ...(told.SavedIn === undefined ? {} : { SavedIn: told.SavedIn }),
  }
}

const total = (rows: readonly TransferRow[], of: (row: TransferRow) => number): number => rows.reduce((sum, row) => sum + of(row), 0)

/** `midnightMs`: when today began where the person is. */
export function sectionsOf(entries: readonly Entry[], midnightMs: number): readonly Section[] {
  const lists: Record<SectionId, Entry[]> = { now: [], waiting: [], today: [], yesterday: [], earlier: [] }
  for (const entry of entries) lists[sectionOf(entry.row, midnightMs)].push(entry)
  for (const id of ['today', 'yesterday', 'earlier'] as const) lists[id].sort((a, b) => endMs(b.row) - endMs(a.row))
  return (Object.keys(lists) as SectionId[]).filter((id) => lists[id].length > 0).map((id) => ({ id, entries: lists[id] }))
}

function sectionOf(row: TransferRow, midnightMs: number): SectionId {
  if (isMoving(row)) return 'now'
  if (!isEnded(row)) return 'waiting'
  const ms = endMs(row)
  return ms >= midnightMs ? 'today' : ms >= midnightMs - DAY_MS ? 'yesterday' : 'earlier'
}

/** When it ended, else when it was begun; in ms, 0 for what is no time. */
export function endMs(row: TransferRow): number {
  const ms = Date.parse(row.Finished ?? row.Created)
  return Number.isNaN(ms) ? 0 : ms
}

export type Line =
  | { readonly kind: 'section'; readonly key: string; readonly id: SectionId }
  | { readonly kind: 'entry'; readonly key: string; readonly entry: Entry }
  /** A row of a batch that is open. */
  | { readonly kind: 'part'; readonly key: string; readonly entry: Entry; readonly row: TransferRow }

/** What is drawn, in order, and where each line begins: heights are known, so no line is measured. */
export interface Lines {
  readonly all: readonly Line[]
  /** In px; one more than lines, the last is the whole. */
  readonly tops: readonly number[]
}

export interface Heights {
  readonly section: number
  readonly entry: number
  /** What a bar adds. */
  readonly bar: number
  readonly part: number
}

export function linesOf(sections: readonly Section[], open: ReadonlySet<string>, heights: Heights): Lines {
  const all: Line[] = []
  const tops = [0]
  const add = (line: Line, height: number): void => {
    all.push(line)
    tops.push(tops.at(-1)! + height)
  }
  for (const { id, entries } of sections) {
    add({ kind: 'section', key: `section ${id}`, id }, heights.section)
    for (const entry of entries) {
      add({ kind: 'entry', key: entry.key, entry }, heights.entry + (hasBar(entry.row) ? heights.bar : 0))
      if (isMany(entry) && open.has(entry.key)) for (const row of entry.rows) add({ kind: 'part', key: row.ID, entry, row }, heights.part)
    }
  }
  return { all, tops }
}

/** Something of it is there, and more is to come. */
export function hasBar(row: TransferRow): boolean {
  return isMoving(row) || (row.State === 'paused' && row.Done > 0)
}

/** How much of it is there, 0–1; undefined while nobody knows. */
export function shareOf(row: TransferRow): number | undefined {
  if (row.Size < 0) return undefined
  return row.Size === 0 ? (isOver(row) ? 1 : 0) : Math.min(1, Math.max(0, row.Done / row.Size))
}

export interface Counts {
  readonly sending: number
  readonly receiving: number
  readonly waiting: number
}

/** Rows that move, by direction, and those that wait; a paused one waits for a person. */
export function countsOf(entries: readonly Entry[]): Counts {
  const counts = { sending: 0, receiving: 0, waiting: 0 }
  for (const { row } of entries) {
    if (isMoving(row)) counts[row.Direction === 'out' ? 'sending' : 'receiving']++
    else if (!isEnded(row)) counts.waiting++
  }
  return counts
}

const counts = new WeakMap<TransfersPage, number>()

/** What still has an end before it. Counted once for a page. */
export function openCount(page: TransfersPage | undefined): number {
  if (!page) return 0
  const count = counts.get(page) ?? openBatches(page)
  counts.set(page, count)
  return count
}

/** The last ones of one device, open ones first. */
export function entriesOf(entries: readonly Entry[], peer: string, limit: number): readonly Entry[] {
  const own = entries.filter(({ row }) => row.Peer === peer)
  const rank = ({ row }: Entry): number => (isMoving(row) ? 0 : isEnded(row) ? 2 : 1)
  return own.toSorted((a, b) => rank(a) - rank(b) || endMs(b.row) - endMs(a.row)).slice(0, limit)
}

/** Letters for the picture of whoever asks: of the first and the last word of a name. */
export function initials(name: string): string {
  const words = name.trim().split(/[\s._@-]+/u).filter((word) => /^[\p{L}\p{N}]/u.test(word))
  const letter = (word: string | undefined): string => (word === undefined ? '' : Array.from(word)[0]!.toLocaleUpperCase())
  return words.length === 0 ? '?' : `${letter(words[0])}${words.length > 1 ? letter(words.at(-1)) : ''}`
}

/** Whether the person may say "always" to this ask: they have said yes to that device before. */
export const mayAlways = (ask: TransferAsk): boolean => ask.Accepted >= 1
