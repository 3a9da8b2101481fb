/**
 * Follows what was asked to be sent until nothing of it is open any more: the bus tells of every row, from before the asking on.
 */
import { isEnded } from '../../localapi/transfers.ts'
import type { TransferResult, TransferRow } from '../../localapi/transfers.ts'
import { WATCH } from '../../localapi/watch-mask.ts'
import type { LocalApi } from '../client.ts'
import { CliError, EXIT } from '../exit.ts'

export interface Followed {
  readonly batch: string
  /** As they were last seen, in the order in which they were asked for. */
  readonly rows: readonly TransferRow[]
  /** `closed`: the engine ended meanwhile. */
  readonly end: 'over' | 'aborted' | 'closed'
}

/** Forgotten by somebody, or of an account that is in use no longer. */
const LOST = { Code: 'lost', Text: 'it was taken out of the list before its end was told' }

/** With the path that it took, which is told only while bytes move. */
function withPath(row: TransferRow, before: TransferRow | undefined): TransferRow {
  return row.Path ?? before?.Path ? { ...row, Path: (row.Path ?? before?.Path)! } : row
}

/** `begin` asks for the sending; `onRows` gets all rows of it after each change. Throws CliError. */
export async function follow(api: LocalApi, begin: () => Promise<TransferResult>, onRows: (rows: readonly TransferRow[]) => void, signal: AbortSignal): Promise<Followed> {
  const enough = new AbortController()
  const seen = new Map<string, TransferRow>()
  let asked: { readonly batch: string; readonly ids: readonly string[] } | undefined
  const rows = (): readonly TransferRow[] => (asked?.ids ?? []).flatMap((id) => seen.get(id) ?? [])
  const isDone = (): boolean => asked !== undefined && rows().length === asked.ids.length && rows().every(isEnded)
  const look = (): boolean => {
    if (!asked) return false
    onRows(rows())
    return isDone()
  }
  let open: () => void = () => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  const watched = api.watch(WATCH.transfers, ({ Transfers }) => {
    if (!Transfers) return false
    for (const row of Transfers.Whole?.Rows ?? Transfers.Rows ?? []) seen.set(row.ID, withPath(row, seen.get(row.ID)))
    const { Whole, Gone = [] } = Transfers
    for (const [id, row] of seen) if (!isEnded(row) && (Gone.includes(id) || (Whole && !Whole.Rows.some(({ ID }) => ID === id)))) seen.set(id, { ...row, State: 'stopped', Why: LOST })
    open()
    return look()
  }, AbortSignal.any([signal, enough.signal]))
  try {
    const ended = await Promise.race([watched, opened])
    if (ended === 'closed') throw new CliError(EXIT.noEngine, 'no-engine', `The engine at ${api.socketPath} ended.`)
    if (ended === 'aborted') return { batch: '', rows: [], end: 'aborted' }
    const { Batch = '', IDs = [] } = await begin()
    asked = { batch: Batch, ids: IDs }
    if (look()) return { batch: Batch, rows: rows(), end: 'over' }
    const end = await watched
    return { batch: Batch, rows: rows(), end: end === 'done' ? 'over' : end }
  } finally {
    enough.abort()
    await watched.catch(() => undefined)
  }
}
