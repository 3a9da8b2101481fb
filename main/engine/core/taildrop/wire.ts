/**
 * What two Bowlines say to each other around a transfer, beside the stock protocol. Pure codec; every limit is held here.
 *
 *   POST /v0/bowline/offer?wait=SEC          Offer → OfferAnswer
 *   PUT  /v0/put/NAME                        headers Bowline-Transfer, Bowline-Size; trailer Bowline-SHA256 → PutAnswer
 *   PUT  /v0/bowline/manifest/BATCH/INDEX    Manifest → PutAnswer without a hash
 *   GET, PUT /v0/bowline/folder/BATCH/INDEX  as /v0/put/, of the folder's files one after the other
 *   any refusal                              Refusal, with its status
 *
 * A batch is 32 hex digits that the sender drew. Fields that are not known are passed over. A device of another make answers 404
 * below /v0/bowline/ and reads none of the headers.
 */
import { decodeError, isDecodeError, type DecodeError } from '../../base/errors.ts'
import { printable } from '../../base/printable.ts'
import type { BlockHash, ManifestEntry } from './files.ts'
import { manifestFault, MAX_MANIFEST_ENTRIES, nameFault } from './names.ts'

export const BATCH_HEADER = 'bowline-transfer'
export const SIZE_HEADER = 'bowline-size'
export const HASH_TRAILER = 'bowline-sha256'
export const PUT_PATH = '/v0/put/'
export const OFFER_PATH = '/v0/bowline/offer'
export const MANIFEST_PATH = '/v0/bowline/manifest/'
export const FOLDER_PATH = '/v0/bowline/folder/'

export const MAX_OFFER_BYTES = 4 << 20
export const MAX_OFFER_ITEMS = 10_000
export const MAX_MANIFEST_BYTES = 16 << 20
/** Of an answer that is not a list of hashes. */
export const MAX_ANSWER_BYTES = 64 << 10
export const MAX_OFFER_WAIT_SEC = 25
export const BLOCK_BYTES = 64 << 10
const MAX_TEXT = 300
const MAX_MTIME_MS = 8.64e15

export interface OfferItem {
  readonly name: string
  /** Bytes of all its files; -1 unknown. */
  readonly size: number
  readonly isFolder: boolean
  readonly files: number
}

export interface Offer {
  readonly batch: string
  readonly items: readonly OfferItem[]
}

/** `code` is one of whys.ts or a newer one's; `text` is the other device's, fit for one line. */
export interface WireWhy {
  readonly code: string
  readonly text: string
}

export type OfferAnswer = { readonly state: 'accepted' | 'asking' } | { readonly state: 'refused'; readonly why: WireWhy }

export interface PutAnswer {
  /** The name that it got. */
  readonly name: string
  readonly size: number
  /** Lower-case hex of the whole; "" after a manifest. */
  readonly sha256: string
}

export function encodeOffer({ batch, items }: Offer): string {
  return JSON.stringify({ V: 1, Batch: batch, Items: items.map((item) => ({ Name: item.name, Size: item.size, Folder: item.isFolder, Files: item.files })) })
}

/** `bad-value` with detail "name" when only an item's name is refused. */
export function decodeOffer(text: string): Offer | DecodeError {
  const json = parse(text, MAX_OFFER_BYTES)
  if (isDecodeError(json)) return json
  const { Batch, Items } = json
  if (!isBatch(Batch) || !Array.isArray(Items)) return decodeError('bad-value')
  if (Items.length === 0 || Items.length > MAX_OFFER_ITEMS) return decodeError('bad-length')
  const items: OfferItem[] = []
  for (const item of Items as unknown[]) {
    if (!isObject(item)) return decodeError('bad-value')
    const { Name, Size, Folder, Files } = item
    if (typeof Name !== 'string' || typeof Folder !== 'boolean' || !isCount(Size, -1) || !isCount(Files, 0) || Files > MAX_MANIFEST_ENTRIES) return decodeError('bad-value')
    if (nameFault(Name) !== undefined) return decodeError('bad-value', 'name')
    items.push({ name: Name, size: Size, isFolder: Folder, files: Folder ? Files : 1 })
  }
  return { batch: Batch, items }
}

export function encodeOfferAnswer(answer: OfferAnswer): string {
  const State = answer.state
  return JSON.stringify(answer.state === 'refused' ? { V: 1, State, Why: { Code: answer.why.code, Text: answer.why.text } } : { V: 1, State })
}

export function decodeOfferAnswer(text: string): OfferAnswer | DecodeError {
  const json = parse(text, MAX_ANSWER_BYTES)
  if (isDecodeError(json)) return json
  const { State, Why } = json
  if (State === 'accepted' || State === 'asking') return { state: State }
  return State === 'refused' ? { state: 'refused', why: whyFrom(Why) } : decodeError('bad-value')
}

export function encodeManifest(entries: readonly ManifestEntry[]): string {
  return JSON.stringify({ V: 1, Entries: entries.map(({ path, size, mtimeMs }) => ({ Path: path, Size: size, Mtime: mtimeMs })) })
}

/** Every path in it is fit to be written below a folder. `bad-value` with detail "name" when only a path is refused. */
export function decodeManifest(text: string): readonly ManifestEntry[] | DecodeError {
  const json = parse(text, MAX_MANIFEST_BYTES)
  if (isDecodeError(json)) return json
  if (!Array.isArray(json['Entries'])) return decodeError('bad-value')
  if (json['Entries'].length > MAX_MANIFEST_ENTRIES) return decodeError('bad-length')
  const entries: ManifestEntry[] = []
  let whole = 0
  for (const entry of json['Entries'] as unknown[]) {
    if (!isObject(entry)) return decodeError('bad-value')
    const { Path, Size, Mtime } = entry
    if (typeof Path !== 'string' || !isCount(Size, -1) || typeof Mtime !== 'number' || !(Math.abs(Mtime) <= MAX_MTIME_MS)) return decodeError('bad-value')
    whole += Math.max(0, Size)
    entries.push({ path: Path, size: Size, mtimeMs: Mtime })
  }
  if (!Number.isSafeInteger(whole)) return decodeError('bad-value')
  return manifestFault(entries) === undefined ? entries : decodeError('bad-value', 'name')
}

export function encodePutAnswer({ name, size, sha256 }: PutAnswer): string {
  return `${JSON.stringify({ V: 1, Name: name, Size: size, SHA256: sha256 })}\n`
}

export function decodePutAnswer(text: string): PutAnswer | DecodeError {
  const json = parse(text, MAX_ANSWER_BYTES)
  if (isDecodeError(json)) return json
  const { Name, Size, SHA256 } = json
  if (typeof Name !== 'string' || !isCount(Size, 0) || (SHA256 !== '' && !isHash(SHA256))) return decodeError('bad-value')
  return { name: printable(Name), size: Size, sha256: SHA256 }
}

export function encodeRefusal({ code, text }: WireWhy): string {
  return `${JSON.stringify({ V: 1, Code: code, Text: text })}\n`
}

/** undefined: the text is no refusal of a Bowline's (a stock client says a line). */
export function decodeRefusal(text: string): WireWhy | undefined {
  const json = parse(text, MAX_ANSWER_BYTES)
  return isDecodeError(json) || typeof json['Code'] !== 'string' ? undefined : whyFrom(json)
}

/** One line of the stock list of hashes. */
export function decodeBlockHash(line: string): BlockHash | DecodeError {
  if (line.length > 1_024) return decodeError('long')
  const json = anyJson(line)
  if (!isObject(json)) return decodeError('bad-value')
  const { checksum, algo, size } = json
  if (!isHash(checksum) || algo !== 'sha256' || !isCount(size, 1) || size > BLOCK_BYTES) return decodeError('bad-value')
  return { checksum, algo, size }
}

/** The stock form of one, with its end of line. */
export function encodeBlockHash({ checksum, algo, size }: BlockHash): string {
  return `{"checksum":"${checksum}","algo":"${algo}","size":${size}}\n`
}

export function isBatch(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)
}

/** SHA-256 in lower-case hex. */
export function isHash(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
}

/** A size as decimal digits, up to 2^53 − 1; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const size = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(size) ? size : undefined
}

/** BATCH and INDEX behind a path of ours; undefined when they are none. */
export function parseItemPath(rest: string): { readonly batch: string; readonly index: number } | undefined {
  const [, batch, index] = /^([0-9a-f]{32})\/(0|[1-9]\d{0,4})$/.exec(rest) ?? []
  return batch === undefined || Number(index) >= MAX_OFFER_ITEMS ? undefined : { batch, index: Number(index) }
}

function parse(text: string, most: number): Readonly<Record<string, unknown>> | DecodeError {
  if (text.length > most) return decodeError('long')
  const json = anyJson(text)
  if (!isObject(json)) return decodeError('bad-value')
  return json['V'] === 1 ? json : decodeError('bad-version')
}

function anyJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown, least: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least
}

function whyFrom(value: unknown): WireWhy {
  const { Code, Text } = isObject(value) ? value : {}
  return { code: typeof Code === 'string' && /^[a-z][a-z-]{0,39}$/.test(Code) ? Code : 'refused', text: typeof Text === 'string' ? printable(Text, MAX_TEXT) : '' }
}
