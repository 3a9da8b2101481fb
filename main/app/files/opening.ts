/**
 * What may be done with a file that came in. Opened are only kinds that show or play something, by their name's ending, and only where the
 * file may not be run; everything else is shown in its folder, and the person decides there. Pure, but for the look at the file.
 */
import { lstat } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import type { TransferRow } from '../../localapi/transfers.ts'

/** Documents without macros, pictures, sound, film, text that no program runs, and archives, which only unpack. */
const SHOWN_KINDS: ReadonlySet<string> = new Set([
  'pdf', 'txt', 'md', 'rtf', 'csv', 'tsv', 'log', 'json', 'epub', 'odt', 'ods', 'odp', 'odg', 'docx', 'xlsx', 'pptx',
  'png', 'jpg', 'jpeg', 'gif', 'webp', 'bmp', 'tif', 'tiff', 'heic', 'heif', 'avif',
  'mp3', 'm4a', 'aac', 'ogg', 'oga', 'opus', 'flac', 'wav', 'aiff', 'mp4', 'm4v', 'mov', 'mkv', 'webm', 'avi', 'ogv',
  'zip', 'gz', 'tgz', 'bz2', 'xz', 'zst', '7z', 'tar', 'rar',
])

/** Whether the name is of a kind that only shows something. The last ending counts; a name that hides it does not. */
export function isShownKind(name: string): boolean {
  // What turns the order of letters around, and what Windows leaves away at the end.
  if (/[\p{Cc}\p{Cf}:]/u.test(name) || /[. ]$/.test(name)) return false
  const ending = /^.*[^.]\.([a-z0-9]{1,5})$/i.exec(name)?.[1]
  return ending !== undefined && SHOWN_KINDS.has(ending.toLowerCase())
}

/** Something to say to the person, with its code. */
export class OpeningFault extends Error {
  readonly code: 'not-there' | 'with-engine'

  constructor(code: OpeningFault['code'], message: string) {
    super(message)
    this.code = code
  }
}

export interface ReceivedFile {
  readonly path: string
  /** It may be opened by the program that shows its kind. */
  readonly opens: boolean
}

/** Where a received row lies now. Rejects with OpeningFault when it is not there any more, or is not what came in. */
export async function receivedFile(row: TransferRow | undefined, platform: string): Promise<ReceivedFile> {
  if (!row || row.Direction !== 'in' || row.State !== 'received' || row.SavedAs === undefined) throw gone()
  if (row.SavedIn === undefined || row.SavedIn === '') throw new OpeningFault('with-engine', 'The engine keeps this file until it is fetched (bowline file get).')
  const path = join(row.SavedIn, row.SavedAs)
  // A name that leads anywhere else is none.
  if (!isAbsolute(row.SavedIn) || /^\.{0,2}$|[/\0]/.test(row.SavedAs) || dirname(path) !== resolve(row.SavedIn)) throw gone()
  const stat = await lstat(path).catch(() => undefined)
  if (row.Kind === 'folder' ? stat?.isDirectory() !== true : stat?.isFile() !== true) throw gone()
  // Windows has no such bit: there the ending alone says what runs.
  const runs = platform !== 'win32' && (stat!.mode & 0o111) !== 0
  return { path, opens: row.Kind !== 'folder' && !runs && isShownKind(row.SavedAs) }
}

const gone = (): OpeningFault => new OpeningFault('not-there', 'It is not there any more. Somebody has moved or removed it.')
