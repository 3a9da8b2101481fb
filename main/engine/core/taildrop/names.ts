/**
 * Names of files that other devices send: which are let onto a disk, on every system the same, and what they become when taken.
 *
 *   refused   "" . ..  any of / \ : * " < > | , what does not show (controls, directions, joiners, halves of pairs), outer spaces,
 *             a dot at the end, device names of Windows, over 255 bytes of UTF-8, ends of .partial and .deleted
 *   twins     names that some disk takes for the same: they differ in case or in how accents are written only
 *
 * Source: dataplane facts §8.3; tailscale feature/taildrop. Ours beyond that: device names and dots at the end are refused
 * on every system, since the folder may lie on a disk of another one.
 */
import type { ManifestEntry } from './files.ts'

export const MAX_NAME_BYTES = 255
/** Of one path below a folder, in bytes, and parts of it. */
const MAX_PATH_BYTES = 2_048
const MAX_DEPTH = 64
export const MAX_MANIFEST_ENTRIES = 100_000

/** Longer ones are no endings, but names with many dots. */
const MAX_ENDING = 64
const PARTIAL = '.partial'
const FORBIDDEN = /[/\\:*"<>|]/
const SHOWS = /^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]+$/u
const OUTER_SPACE = /^\p{White_Space}|\p{White_Space}$/u
/** With any ending: "nul.txt" is the device as well. The digits may be raised ones. */
const DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\p{White_Space}*(?:\..*)?$/iu
const KEPT_ENDS = /\.(?:partial|deleted)$/i

/** Why a name is refused as that of a received file or folder; undefined when it is good. Bounded work for any text. */
export function nameFault(name: string): string | undefined {
  return partFault(name) ?? (KEPT_ENDS.test(name) ? 'it ends like the name of something unfinished' : undefined)
}

/** The name at the end of a request's path, percent-decoded exactly once; undefined when it is none or refused. `raw`: as sent, bytes above 0x7f as one character each. */
export function nameFromPath(raw: string): string | undefined {
  if (raw.length > 3 * MAX_NAME_BYTES) return undefined
  try {
    // eslint-disable-next-line no-control-regex
    const name = decodeURIComponent(raw.replace(/[\u0080-\u00ff]/g, (char) => `%${char.charCodeAt(0).toString(16)}`))
    return nameFault(name) === undefined ? name : undefined
  } catch {
    return undefined
  }
}

/** What a file is called on disk while it comes, as stock clients call it; undefined when that is too long for a disk. A stable ID is the server's text: of anything else than letters, digits, - and _ a stand-in is used. */
export function partialName(name: string, stableId: string): string | undefined {
  const sender = stableId.replace(/[^\w-]/gu, (char) => `%${char.codePointAt(0)!.toString(16)}`)
  const whole = `${name}.${sender}${PARTIAL}`
  return utf8Length(whole) <= MAX_NAME_BYTES ? whole : undefined
}

/** The next name to try when one is taken: "a.jpg" → "a (1).jpg" → "a (2).jpg"; "a.tar.gz" → "a (1).tar.gz". Never over 255 bytes. */
export function nextName(name: string): string {
  const from = endingAt(name)
  const [stem, ending] = [name.slice(0, from), name.slice(from)]
  const counted = / \(([1-9]\d{0,8})\)$/.exec(stem)
  const mark = ` (${counted ? Number(counted[1]) + 1 : 1})`
  const room = MAX_NAME_BYTES - utf8Length(mark + ending)
  return `${cutTo(counted ? stem.slice(0, counted.index) : stem, room)}${mark}${ending}`
}

/** Names with the same key are twins. */
export function foldKey(name: string): string {
  return name.normalize('NFD').toUpperCase().toLowerCase().normalize('NFC')
}

/** Why the content of a folder is refused; undefined when every path is good, none is there twice, and nothing is both file and folder. */
export function manifestFault(entries: readonly ManifestEntry[]): string | undefined {
  if (entries.length > MAX_MANIFEST_ENTRIES) return 'there are too many files in it'
  const keys: string[] = []
  const folders = new Set<string>()
  for (const { path, size } of entries) {
    const fault = pathFault(path)
    if (fault !== undefined) return `a path in it is refused: ${fault}`
    const key = `${path.replaceAll('/', '\0')}\0`
    keys.push(key)
    if (size < 0) folders.add(key)
  }
  // Sorted so, all that lies below a path comes right behind it.
  keys.sort()
  for (let i = 1; i < keys.length; i++) {
    const [before, key] = [keys[i - 1]!, keys[i]!]
    if (key === before) return 'a path is in it twice'
    if (key.startsWith(before) && !folders.has(before)) return 'something in it is both a file and a folder'
  }
  return undefined
}

/** Why a path below a folder is refused: relative, "/" between its parts, each as good as a name; undefined when it is good. */
export function pathFault(path: string): string | undefined {
  if (utf8Length(path) > MAX_PATH_BYTES) return 'it is too long'
  const parts = path.split('/')
  if (parts.length > MAX_DEPTH) return 'it is too deep'
  for (const part of parts) {
    const fault = partFault(part)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** Bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    // Each half of a pair counts two.
    bytes += code < 0x80 ? 1 : code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 2 : 3
  }
  return bytes
}

function partFault(name: string): string | undefined {
  if (name === '') return 'it is empty'
  if (name.length > MAX_NAME_BYTES || utf8Length(name) > MAX_NAME_BYTES) return 'it is too long'
  if (name === '.' || name === '..') return 'it leads elsewhere'
  if (FORBIDDEN.test(name)) return 'it has a character that not every disk takes'
  if (!SHOWS.test(name)) return 'it has a character that cannot be seen'
  if (OUTER_SPACE.test(name)) return 'it begins or ends with a space'
  if (name.endsWith('.')) return 'it ends with a dot'
  return DEVICE.test(name) ? 'it is the name of a device' : undefined
}

/** Where the ending begins: pieces of at most seven letters and digits, a letter among the middle ones, behind dots; not the name's own first character. */
function endingAt(name: string): number {
  const found = /(?:\.[a-zA-Z0-9]{0,3}[a-zA-Z][a-zA-Z0-9]{0,3})*$/.exec(name.slice(1))!
  return found[0].length > MAX_ENDING ? name.length : found.index + 1
}

/** The beginning of a text in at most `room` bytes; no character is cut in two, and no space left at its end. */
function cutTo(text: string, room: number): string {
  let kept = ''
  let bytes = 0
  for (const char of text) {
    bytes += utf8Length(char)
    if (bytes > room) return kept.trimEnd()
    kept += char
  }
  return kept
}
