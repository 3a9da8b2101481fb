/**
 * What a person might have to be told of files: somebody asks to send some, some came in, were delivered, or stopped for good. Pure.
 *
 * One notification for everything of a batch, told when nothing of it is under way any more. What lay in the list before this program began
 * to look is history, and nobody is told of it.
 */
import { FILE_KEY } from '../../localapi/app-state.ts'
import { isEnded, isMoving, type TransferAsk, type TransferRow, type TransfersPage } from '../../localapi/transfers.ts'
import { byteCount, safeText } from '../../words/format.ts'
import { isWord, t } from '../../words/words.ts'
import { isShownKind } from '../files/opening.ts'
import type { Cause, NoticeAction } from './machine.ts'

/** News of files are over after that. */
export const FILE_NEWS_MS = 10 * 60_000
const PAGE = { kind: 'go', hash: '#/transfers' } as const
const NAME = 60

export interface FileMemory {
  /** When the first list was seen; undefined: none yet. */
  readonly sinceMs: number | undefined
  /** Rows that were under way, or waited. */
  readonly open: ReadonlySet<string>
  /** Rows that came to an end since then, and when that was seen. */
  readonly ended: ReadonlyMap<string, number>
}

export const NO_FILES: FileMemory = { sinceMs: undefined, open: new Set(), ended: new Map() }

/** What is known after a look at the list. */
export function rememberFiles(before: FileMemory, { Rows }: TransfersPage, nowMs: number): FileMemory {
  const sinceMs = before.sinceMs ?? nowMs
  const ended = new Map<string, number>()
  for (const row of Rows.filter(isEnded)) {
    const atMs = before.ended.get(row.ID) ?? (before.open.has(row.ID) || Date.parse(row.Finished ?? row.Created) >= sinceMs ? nowMs : undefined)
    if (atMs !== undefined) ended.set(row.ID, atMs)
  }
  return { sinceMs, open: new Set(Rows.filter((row) => !isEnded(row)).map(({ ID }) => ID)), ended }
}

/** When time alone changes the causes. */
export function nextFileLookMs({ ended }: FileMemory): number | undefined {
  return ended.size === 0 ? undefined : Math.min(...ended.values()) + FILE_NEWS_MS
}

export function fileCauses({ ended }: FileMemory, { Asks, Rows }: TransfersPage, nowMs: number): readonly Cause[] {
  const busy = new Set(Rows.filter((row) => isMoving(row) || row.State === 'queued').map(({ Batch }) => Batch))
  const groups = new Map<string, TransferRow[]>()
  for (const row of Rows) {
    if (busy.has(row.Batch) || nowMs - (ended.get(row.ID) ?? -Infinity) >= FILE_NEWS_MS) continue
    const key = `${FILE_KEY}${row.State} ${row.Direction} ${row.Batch}`
    groups.set(key, [...(groups.get(key) ?? []), row])
  }
  return [...Asks.map(asked), ...[...groups].map(([key, rows]) => over(key, rows))].filter((cause) => cause !== undefined)
}

function asked({ Batch, PeerName, Owner, Items, Count, Size }: TransferAsk): Cause {
  const device = safeText(PeerName, NAME)
  const words = { name: safeText(Items[0]?.Name ?? '', NAME), more: Math.max(0, Count - 1), device }
  return {
    key: `${FILE_KEY}ask ${Batch}`, category: 'incoming-files', inWindow: false, open: PAGE,
    title: t('notice.files.ask', words),
    body: [safeText(Owner, NAME), ...(Size >= 0 ? [byteCount(Size)] : [])].filter((part) => part !== '').join(', '),
    actions: [
      { label: t('notice.files.accept'), action: { kind: 'transfer', do: { Do: 'accept', Batch } } },
      { label: t('notice.files.refuse'), action: { kind: 'transfer', do: { Do: 'refuse', Batch } } },
    ],
  }
}

function over(key: string, rows: readonly TransferRow[]): Cause | undefined {
  const { State, Direction, PeerName, Name, SavedAs, Batch, Why } = rows[0]!
  const words = { name: safeText(SavedAs ?? Name, NAME), n: rows.length, device: safeText(PeerName, NAME) }
  const base = { key, category: Direction === 'in' ? 'incoming-files' : 'delivered-files', inWindow: false, isNews: true, open: PAGE } as const
  if (State === 'received') return { ...base, title: t('notice.files.received', words), body: whereWords(rows), actions: receivedActions(rows) }
  if (State === 'delivered') return { ...base, title: t('notice.files.delivered', words), body: sizeWords(rows), actions: [{ label: t('notice.show'), action: PAGE }] }
  if (State !== 'stopped') return undefined
  const again: NoticeAction = { label: t('notice.files.retry'), action: { kind: 'transfer', do: { Do: 'retry', ID: rows.length === 1 ? rows[0]!.ID : Batch } } }
  const show: NoticeAction = { label: t('notice.show'), action: PAGE }
  return { ...base, title: Direction === 'in' ? t('notice.files.notReceived', words) : t('notice.files.notDelivered', words), body: whyWords(Why), actions: Direction === 'in' ? [show] : [again, show] }
}

function receivedActions(rows: readonly TransferRow[]): readonly NoticeAction[] {
  const { ID, SavedIn, SavedAs, Kind } = rows[0]!
  if (SavedIn === undefined || SavedIn === '') return [{ label: t('notice.show'), action: PAGE }]
  const show: NoticeAction = { label: t('notice.files.folder'), action: { kind: 'received', id: ID, how: 'show' } }
  return rows.length === 1 && Kind !== 'folder' && isShownKind(SavedAs ?? '') ? [{ label: t('notice.files.open'), action: { kind: 'received', id: ID, how: 'open' } }, show] : [show]
}

const sizeWords = (rows: readonly TransferRow[]): string => (rows.some(({ Size }) => Size < 0) ? '' : byteCount(rows.reduce((sum, { Size }) => sum + Size, 0)))

function whereWords(rows: readonly TransferRow[]): string {
  const { SavedIn } = rows[0]!
  const size = sizeWords(rows)
  const folder = safeText((SavedIn ?? '').split(/[/\\]/).findLast((part) => part !== '') ?? '', NAME)
  return folder === '' ? t('notice.files.waits', { size }) : t('notice.files.saved', { size, folder })
}

function whyWords(why: TransferRow['Why']): string {
  const word = `transfers.why.${why?.Code ?? ''}`
  return isWord(word) ? t(word) : safeText(why?.Text ?? '', 200)
}
