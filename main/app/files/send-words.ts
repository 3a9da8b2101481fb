/**
 * Files named on the command line: `bowline-app --send FILE…`, for "send to" menus of file managers.
 *
 * A second start hands over what it was given in one message that has room for 32 KiB; a longer one would end the app that runs. So a long
 * list goes through a file of its own, readable by the person alone, and the program starts once more with that file's name.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PATH_LIMIT, pathList } from './look.ts'

const FLAG = '--send'
const LIST_FLAG = '--send-list='
/** Of all words together; the rest of the message has room too. */
const MESSAGE_CHARS = 8000
const LIST_CHARS = 64 * 1024 * 1024

/** Absolute paths of the files that the words name; what begins with "--" is a switch, also after the flag. */
export function filesAmong(words: readonly string[], folder: string): readonly string[] {
  const at = words.indexOf(FLAG)
  if (at < 0) return []
  return words.slice(at + 1).filter((word) => word !== '' && !word.startsWith('--')).slice(0, PATH_LIMIT).map((word) => pathOf(word, folder))
}

function pathOf(word: string, folder: string): string {
  try {
    return word.startsWith('file://') ? fileURLToPath(word) : resolve(folder, word)
  } catch {
    return resolve(folder, word)
  }
}

/** The same command in few words: files are in a list, and other words that are too long are left away. undefined: it is short enough. */
export function shortened(words: readonly string[], folder: string): readonly string[] | undefined {
  if (words.join(' ').length <= MESSAGE_CHARS) return undefined
  const at = words.indexOf(FLAG)
  const others = (at < 0 ? words : words.slice(0, at)).filter((word) => word.length <= MESSAGE_CHARS / 2)
  return at < 0 ? others : [...others, `${LIST_FLAG}${writeList(filesAmong(words, folder))}`]
}

function writeList(files: readonly string[]): string {
  const path = join(tmpdir(), `bowline-send-${randomBytes(16).toString('hex')}.json`)
  writeFileSync(path, JSON.stringify(files), { mode: 0o600, flag: 'wx' })
  return path
}

/** Name of the list among the words. */
export function listAmong(words: readonly string[]): string | undefined {
  return words.find((word) => word.startsWith(LIST_FLAG))?.slice(LIST_FLAG.length)
}

/** Reads such a list and removes it; nothing else is ever read or removed. */
export function takeList(path: unknown): readonly string[] {
  if (typeof path !== 'string' || dirname(path) !== resolve(tmpdir()) || !/^bowline-send-[0-9a-f]{32}\.json$/.test(basename(path))) return []
  try {
    const text = readFileSync(path, 'utf8')
    rmSync(path)
    return text.length > LIST_CHARS ? [] : (pathList(JSON.parse(text)) ?? [])
  } catch {
    return []
  }
}
