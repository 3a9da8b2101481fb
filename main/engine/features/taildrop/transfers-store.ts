/**
 * The transfers of a profile on disk, as `transfers-ID`: what a person asked for is there before the answer, what became of it
 * soon after. Progress is not written: what the receiver has is asked of it.
 *
 *   { version: 1, rows: [{ id, batch, direction, …, source? }] }
 *
 * A row that was on its way when the process ended is to be sent again (its blocks are compared first); one that came in broke off.
 * A damaged file is kept aside by the store, which says so; it starts empty then. Nobody else's file is read: the profile names it.
 */
import type { Env } from '../../base/env.ts'
import { errorText } from '../../base/errors.ts'
import type { SourceRef } from '../../core/taildrop/files.ts'
import { whyOf } from '../../core/taildrop/whys.ts'
import { isOverState, type TransferKind, type TransferState, type TransferWhy } from '../../../localapi/transfers.ts'
import { MAX_FINISHED, MAX_OPEN } from './book.ts'
import { makeRow, type Row, type RowSource } from './rows.ts'

export interface TransfersStorePort {
  load<T>(name: string, parse: (text: string) => T | undefined): { readonly value: T } | undefined
  /** On disk when it returns; throws EngineError('io'). */
  save(name: string, text: string): void
}

const LATER_MS = 500
/** Writing takes no more than one part in this many of the time. */
const LATER_SHARE = 50

const fileOf = (profileId: string): string => `transfers-${profileId}`

export class TransfersStore {
  readonly #env: Env
  readonly #store: TransfersStorePort
  readonly #rows: () => Iterable<Row>
  readonly #saved: () => void
  #profileId: string | undefined
  #takeBack: (() => void) | undefined
  #tookMs = 0

  /** `saved`: all that `rows` gives is on disk. */
  constructor(env: Env, store: TransfersStorePort, rows: () => Iterable<Row>, saved: () => void) {
    this.#env = env
    this.#store = store
    this.#rows = rows
    this.#saved = saved
  }

  /** What was saved for this profile, from now on the one that is written. */
  open(profileId: string): Row[] {
    this.#profileId = profileId
    return this.#store.load(fileOf(profileId), parseRows)?.value ?? []
  }

  /** On disk when it returns. Throws EngineError('io'). */
  now(): void {
    this.#cancel()
    if (this.#profileId === undefined) return
    const startedMs = this.#env.clock.nowMs()
    this.#store.save(fileOf(this.#profileId), rowsText(this.#rows()))
    this.#tookMs = this.#env.clock.nowMs() - startedMs
    this.#saved()
  }

  /** On disk soon. */
  soon(): void {
    if (this.#profileId === undefined) return
    this.#takeBack ??= this.#env.clock.after(Math.max(LATER_MS, LATER_SHARE * this.#tookMs), () => this.flush())
  }

  /** What still waits is not written: the profile is gone. */
  drop(): void {
    this.#cancel()
    this.#profileId = undefined
  }

  /** Writes what waits; a failure is told in the log, and the next change tries again. */
  flush(): void {
    if (!this.#takeBack) return
    try {
      this.now()
    } catch (error) {
      this.#env.log.error('the list of transfers could not be saved', { error: errorText(error) })
    }
  }

  #cancel(): void {
    this.#takeBack?.()
    this.#takeBack = undefined
  }
}

/** What of the spool a profile that is not in use still wants sent. */
export function spooledBy(store: TransfersStorePort, profileId: string): readonly string[] {
  return spooledIds(store.load(fileOf(profileId), parseRows)?.value ?? [])
}

export function spooledIds(rows: Iterable<Row>): readonly string[] {
  return [...rows].flatMap(({ source, state }) => (source?.ref.kind === 'spool' && !isOverState(state) ? [source.ref.id] : []))
}

export function rowsText(rows: Iterable<Row>): string {
  const saved = [...rows].map((row) => ({ ...row, meter: undefined, path: undefined }))
  return JSON.stringify({ version: 1, rows: saved })
}

/** Rows of a file, each as it can go on; undefined when it is none of ours. A row that makes no sense is left out. */
export function parseRows(text: string): Row[] | undefined {
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(raw) || raw['version'] !== 1 || !Array.isArray(raw['rows'])) return undefined
  const rows = (raw['rows'] as unknown[]).flatMap((one) => rowOf(one) ?? [])
  const ids = new Set<string>()
  const unique = rows.filter(({ id }) => !ids.has(id) && ids.add(id))
  const over = unique.filter((row) => isOverState(row.state)).slice(-MAX_FINISHED)
  return [...unique.filter((row) => !isOverState(row.state)).slice(0, MAX_OPEN), ...over]
}

const KINDS: readonly unknown[] = ['file', 'folder', 'archive'] satisfies TransferKind[]
const STATES_OUT: readonly unknown[] = ['queued', 'waiting-device', 'waiting-answer', 'sending', 'checking', 'paused', 'delivered', 'stopped', 'canceled'] satisfies TransferState[]
const STATES_IN: readonly unknown[] = ['waiting-answer', 'receiving', 'checking', 'received', 'stopped', 'canceled'] satisfies TransferState[]
const MAX_TEXT = 8_192
const MAX_DATE_MS = 8.64e15

function rowOf(raw: unknown): Row | undefined {
  if (!isRecord(raw)) return undefined
  const { id, batch, direction, peer, peerName, name, kind, files, size, done, state, checked, createdMs, finishedMs, savedIn, savedAs } = raw
  if (![id, batch, peer, peerName, name].every(isText) || !KINDS.includes(kind) || !isCount(files) || !isSize(size) || !isSize(done) || !isDate(createdMs)) return undefined
  const source = direction === 'out' ? sourceOf(raw['source']) : undefined
  const isWhole = direction === 'out' ? STATES_OUT.includes(state) : direction === 'in' && STATES_IN.includes(state)
  if (!isWhole || ![savedIn, savedAs].every((text) => text === undefined || isText(text))) return undefined
  const row = makeRow({
    id: id as string, batch: batch as string, direction: direction as 'in', peer: peer as string, peerName: peerName as string, name: name as string,
    kind: kind as TransferKind, files, size, done, state: state as TransferState, checked: checked === true, createdMs, why: whyIn(raw['why']),
    finishedMs: isDate(finishedMs) ? finishedMs : undefined, source, savedIn: savedIn as string | undefined, savedAs: savedAs as string | undefined,
  })
  // The process ended while it came in, or another program sent it.
  if (!row.source && !isOverState(row.state) && row.state !== 'stopped') {
    row.state = 'stopped'
    row.why = whyOf(row.direction === 'in' ? 'stopped' : 'source-stopped')
    row.finishedMs ??= row.createdMs
  }
  return row
}

function sourceOf(raw: unknown): RowSource | undefined {
  if (!isRecord(raw) || !isRecord(raw['ref'])) return undefined
  const { isFolder, size, print, of } = raw
  const { kind, path, id, isFolder: isDirectory } = raw['ref']
  const ref: SourceRef | undefined = kind === 'path' && isText(path) && typeof isDirectory === 'boolean' ? { kind, path, isFolder: isDirectory } : kind === 'spool' && isText(id) ? { kind, id } : undefined
  return ref && typeof isFolder === 'boolean' && isSize(size) && isText(print) && isCount(of) ? { ref, isFolder, size, print, of } : undefined
}

function whyIn(raw: unknown): TransferWhy | undefined {
  if (!isRecord(raw)) return undefined
  const { Code, Text } = raw
  return isText(Code) && isText(Text) ? { Code, Text } : undefined
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= MAX_TEXT
const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= -1
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isDate = (value: unknown): value is number => typeof value === 'number' && Math.abs(value) <= MAX_DATE_MS

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
