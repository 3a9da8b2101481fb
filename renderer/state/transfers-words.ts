/**
 * What is said of a transfer: its title, its line, what stands at the right, and the one sentence for a screen reader. Pure.
 */
import { age, byteCount, clockTime, safeText } from '../../main/words/format.ts'
import type { PathKind } from '../../main/words/states.ts'
import { isWord, locale, t } from '../../main/words/words.ts'
import { isMoving, type TransferAsk, type TransferPath, type TransferRow, type TransferWhy } from '../../main/localapi/transfers.ts'
import { endMs, isMany, shareOf, type Counts, type Entry } from './transfers.ts'

/** A name that stands in a sentence: what it is made of turns nothing around it. */
export function named(name: string, limit = 120): string {
  const text = safeText(name, limit)
  return /^[\x20-\x7e]*$/.test(text) ? text : `\u2068${text}\u2069`
}

export type LineMark = 'path' | 'checked' | 'done' | 'stopped' | 'none'

export interface LineWords {
  readonly mark: LineMark
  /** With the mark `path`. */
  readonly path?: PathKind
  readonly words: string
  /** "1.1 GB of 1.8 GB" while bytes move. */
  readonly bytes?: string
}

/** Why in the person's words where the code is known, else the engine's. A clause without its full stop. */
export function whyWords(why: TransferWhy): string {
  const id = `transfers.why.${why.Code}`
  return isWord(id) ? t(id) : safeText(why.Text, 200).replace(/\.$/, '')
}

/** The name of one file or folder; of a batch its first name and how many more there are. */
export function titleOf(entry: Entry): string {
  const { row, rows } = entry
  if (isMany(entry)) return t('transfers.name.batch', { name: named(rows[0]!.Name), n: rows.length - 1 })
  return row.Kind === 'folder' && row.Files > 0 ? t('transfers.name.folder', { name: named(row.Name), n: row.Files }) : named(row.Name)
}

/** "direct", "relayed through sin"; "" while nobody knows. */
function way(path: TransferPath | undefined): 'direct' | 'relay' | 'peer' | 'none' {
  return path === undefined || path.Kind === 'unknown' ? 'none' : path.Kind === 'peer-relay' ? 'peer' : path.Kind
}

/** The line below the title. */
export function lineOf(row: TransferRow): LineWords {
  const device = named(row.PeerName, 60)
  const via = named(row.Path?.Via ?? '', 40)
  const out = row.Direction === 'out'
  switch (row.State) {
    case 'sending':
    case 'receiving': {
      const how = way(row.Path)
      return {
        ...(row.Path && how !== 'none' ? { mark: 'path' as const, path: row.Path.Kind } : { mark: 'none' as const }),
        words: t(out ? 'transfers.to' : 'transfers.from', { device, how: how === 'none' || via !== '' || how === 'direct' ? how : `${how}Some`, via }),
        bytes: bytesWords(row),
      }
    }
    case 'checking':
      return { mark: 'none', words: t(out ? 'transfers.checking.to' : 'transfers.checking.from', { device }) }
    case 'queued':
      return { mark: 'none', words: row.Why ? t('transfers.queued.again', { device, why: whyWords(row.Why) }) : t(out ? 'transfers.queued' : 'transfers.queued.from', { device }) }
    case 'waiting-device':
      return { mark: 'none', words: row.Why?.Code === 'not-connected' ? t('transfers.waiting.self', { device }) : t(row.Why?.Code === 'device-silent' ? 'transfers.waiting.silent' : 'transfers.waiting.device', { device }) }
    case 'waiting-answer':
      return { mark: 'none', words: t(out ? 'transfers.waiting.answer' : 'transfers.waiting.yours', { device }) }
    case 'paused':
      return { mark: 'none', words: pausedWords(row, device) }
    case 'delivered':
      return row.Checked ? { mark: 'checked', words: t('transfers.delivered.checked', { device }) } : { mark: 'done', words: t('transfers.delivered', { device }) }
    case 'received':
      return { mark: row.Checked ? 'checked' : 'done', words: receivedWords(row, device) }
    case 'stopped':
      return { mark: 'stopped', words: t(out ? 'transfers.stopped.to' : 'transfers.stopped.from', { device, why: row.Why ? whyWords(row.Why) : t('transfers.why.unknown') }) }
    case 'canceled':
      return { mark: 'none', words: t(out ? 'transfers.canceled.to' : 'transfers.canceled.from', { device }) }
  }
}

function pausedWords(row: TransferRow, device: string): string {
  const share = shareOf(row)
  return share === undefined || row.Done === 0 ? t('transfers.paused', { device }) : t('transfers.paused.at', { device, percent: percent(share) })
}

function receivedWords(row: TransferRow, device: string): string {
  const folder = row.SavedIn === undefined || row.SavedIn === '' ? '' : folderWords(row.SavedIn)
  if (folder === '') return t('transfers.received.engine', { device })
  const isOther = row.SavedAs !== undefined && row.SavedAs !== row.Name
  return isOther ? t('transfers.received.as', { device, folder, name: named(row.SavedAs!, 80) }) : t('transfers.received', { device, folder })
}

/** The last two parts of a path: enough to know the place. */
export function folderWords(path: string): string {
  const parts = path.split(/[/\\]+/).filter((part) => part !== '')
  return parts.length === 0 ? '/' : named(parts.slice(-2).join('/'), 80)
}

/** Whole percents, as the language writes them; 100 only when all is there. */
export function percent(share: number): string {
  return t('transfers.percent', { n: Math.floor(share * 100) })
}

/** "1.1 GB of 1.8 GB", "58 of 640 MB". */
function bytesWords(row: TransferRow): string {
  if (row.Size < 0) return byteCount(row.Done)
  const [done, size] = [byteCount(row.Done), byteCount(row.Size)]
  const [number, unit] = done.split(' ') as [string, string]
  return t('transfers.bytes', { done: size.endsWith(` ${unit}`) && row.Done >= 1000 && !/[.,]/.test(size) ? number : done, size })
}

/** At the right of the title. */
export function rightOf(entry: Entry, midnightMs: number): string {
  const { row } = entry
  if (isMoving(row)) {
    if (row.Rate === undefined) return ''
    const rate = rateWords(row.Rate)
    return row.LeftMs === undefined ? rate : t('transfers.rate.left', { rate, time: age(row.LeftMs) })
  }
  if (row.Finished !== undefined || row.State === 'stopped') {
    const ms = endMs(row)
    return ms >= midnightMs - 86_400_000 ? clockTime(ms) : new Intl.DateTimeFormat(locale(), { day: 'numeric', month: 'short' }).format(ms)
  }
  return sizeWords(row.Size)
}

const rateWords = (bytes: number): string => t('transfers.rate', { bytes: byteCount(bytes) })
export const sizeWords = (bytes: number): string => (bytes < 0 ? '' : byteCount(bytes))

/** What did not go well with parts of a batch; "" = nothing. */
export function partsWords(entry: Entry): string {
  if (!isMany(entry)) return ''
  const stopped = entry.rows.filter((row) => row.State === 'stopped').length
  return stopped === 0 ? '' : t('transfers.parts.stopped', { n: stopped, all: entry.rows.length })
}

/** One sentence for a screen reader. */
export function spokenOf(entry: Entry, midnightMs: number): string {
  const { row } = entry
  const line = lineOf(row)
  const share = isMoving(row) ? shareOf(row) : undefined
  const parts = [titleOf(entry), line.words, share === undefined ? '' : percent(share), line.bytes ?? '', rightOf(entry, midnightMs), partsWords(entry)]
  return parts.filter((part) => part !== '').map((part) => part.replace(/\.$/, '')).join('. ').concat('.')
}

/** A relayed one that would take long: worth a look at its path. */
const SLOW_BYTES = 5_000_000
const LONG_MS = 60_000

export function isSlow(row: TransferRow): boolean {
  const relayed = row.Path?.Kind === 'relay' || row.Path?.Kind === 'peer-relay'
  return isMoving(row) && relayed && row.Rate !== undefined && row.Rate < SLOW_BYTES && (row.LeftMs ?? LONG_MS) >= LONG_MS
}

/** Who asks: the owner, or the device where it belongs to nobody. */
export const askerOf = (ask: TransferAsk): string => named(ask.Owner === '' ? ask.PeerName : ask.Owner, 60)

/** "site-photos.zip and 2 more, 214 MB." */
export function askedWords(ask: TransferAsk): string {
  const name = named(ask.Items[0]?.Name ?? '', 80)
  const size = ask.Size < 0 ? t('transfers.size.unknown') : byteCount(ask.Size)
  return t('transfers.ask.what', { name, n: ask.Count - 1, size })
}

/** What they are: files, one folder, or both. */
export function askedKind(ask: TransferAsk): 'files' | 'folder' | 'things' {
  const folders = ask.Items.filter((item) => item.Kind === 'folder').length
  return folders === 0 ? 'files' : ask.Count === 1 ? 'folder' : 'things'
}

/** "From mateo-framework, direct." */
export function askedWay(ask: TransferAsk): string {
  const via = named(ask.Path?.Via ?? '', 40)
  const how = way(ask.Path)
  return t('transfers.ask.from', { device: named(ask.PeerName, 60), how: how === 'none' || via !== '' || how === 'direct' ? how : `${how}Some`, via })
}

/** "2 sending, 2 waiting. 88 MB/s up"; rates only while bytes go. */
export function footWords(counts: Counts, up: number, down: number): string {
  const said = (['sending', 'receiving', 'waiting'] as const).filter((id) => counts[id] > 0).map((id) => t(`transfers.count.${id}`, { n: counts[id] }))
  if (said.length === 0) return t('transfers.count.none')
  const rates = [...(up > 0 ? [t('transfers.rate.up', { rate: rateWords(up) })] : []), ...(down > 0 ? [t('transfers.rate.down', { rate: rateWords(down) })] : [])]
  const list = (parts: readonly string[]): string => new Intl.ListFormat(locale(), { type: 'unit', style: 'short' }).format(parts)
  return rates.length === 0 ? list(said) : t('transfers.foot', { counts: list(said), rates: list(rates) })
}

const IMAGES = ['png', 'jpg', 'jpeg', 'gif', 'webp', 'heic', 'heif', 'avif', 'svg', 'bmp', 'tif', 'tiff', 'psd', 'raw', 'dng']
const VIDEOS = ['mp4', 'mov', 'mkv', 'webm', 'avi', 'm4v', 'mpg', 'mpeg', 'wmv', 'flv']
const SOUNDS = ['mp3', 'wav', 'flac', 'ogg', 'opus', 'm4a', 'aac', 'aiff', 'wma', 'mid']
const ARCHIVES = ['zip', 'tar', 'gz', 'tgz', 'bz2', 'xz', 'zst', '7z', 'rar', 'iso', 'dmg', 'img', 'deb', 'rpm', 'jar']
const TABLES = ['xlsx', 'xls', 'ods', 'csv', 'tsv', 'numbers', 'parquet']
const TEXTS = ['pdf', 'txt', 'md', 'doc', 'docx', 'odt', 'rtf', 'pages', 'ppt', 'pptx', 'odp', 'key', 'epub', 'log']
const SOURCES = ['js', 'ts', 'tsx', 'jsx', 'py', 'rs', 'go', 'c', 'h', 'cpp', 'cs', 'java', 'kt', 'swift', 'rb', 'php', 'sh', 'html', 'css', 'json', 'xml', 'yml', 'yaml', 'toml', 'sql', 'patch', 'diff']
const KINDS: ReadonlyMap<string, FileKind> = new Map<string, FileKind>(
  ([['image', IMAGES], ['video', VIDEOS], ['sound', SOUNDS], ['archive', ARCHIVES], ['table', TABLES], ['text', TEXTS], ['source', SOURCES]] as const).flatMap(([kind, ends]) => ends.map((end) => [end, kind] as const)))

export type FileKind = 'file' | 'folder' | 'many' | 'image' | 'video' | 'sound' | 'archive' | 'table' | 'text' | 'source'

/** By the end of its name, as people see it; says nothing of what is in it. */
export function kindOf(entry: Entry): FileKind {
  if (isMany(entry)) return 'many'
  return kindOfRow(entry.row)
}

export function kindOfRow({ Kind, Name }: { readonly Kind: TransferRow['Kind']; readonly Name: string }): FileKind {
  if (Kind === 'folder') return 'folder'
  if (Kind === 'archive') return 'archive'
  return KINDS.get(/\.([a-z0-9]{1,8})$/i.exec(Name)?.[1]?.toLowerCase() ?? '') ?? 'file'
}
