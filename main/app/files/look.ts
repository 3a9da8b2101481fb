/**
 * A look at files and folders that somebody wants to send: what they are, how many, how large. Nothing is opened and no link is followed.
 *
 * Counting ends when it takes too long (a home folder, a network that hangs): then size and number are not told. What is neither a file nor
 * a folder, or cannot be looked at, is left out.
 */
import { lstat, readdir } from 'node:fs/promises'
import { basename, isAbsolute, join } from 'node:path'
import type { OfferedFiles, OfferedItem } from '../../localapi/app-state.ts'

export const PATH_LIMIT = 10_000
const PATH_CHARS = 32_768
const SHOWN = 100
const COUNT_MS = 1500
const COUNT_ENTRIES = 200_000
const STAT_MS = 5000
const AT_ONCE = 16

export interface Looked {
  /** Of what can be sent. */
  readonly paths: readonly string[]
  readonly look: Omit<OfferedFiles, 'Offer'>
}

/** A list of paths as the system gives them; undefined: it is none. */
export function pathList(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > PATH_LIMIT) return undefined
  return value.every((one): one is string => typeof one === 'string' && one.length <= PATH_CHARS) ? value : undefined
}

export async function lookAt(paths: readonly string[]): Promise<Looked> {
  const wanted = [...new Set(paths)]
  const budget = { untilMs: Date.now() + COUNT_MS, entries: COUNT_ENTRIES }
  const found: { path: string; item: OfferedItem }[] = []
  // A few at a time: one place that hangs must not hold up all the others one after the other.
  for (let at = 0; at < wanted.length; at += AT_ONCE) {
    const items = await Promise.all(wanted.slice(at, at + AT_ONCE).map(async (path) => ({ path, item: await itemAt(path, budget) })))
    for (const { path, item } of items) if (item) found.push({ path, item })
  }
  const sizes = found.map(({ item }) => item.Size)
  const Size = sizes.includes(-1) ? -1 : sizes.reduce((sum, size) => sum + size, 0)
  return { paths: found.map(({ path }) => path), look: { Items: found.slice(0, SHOWN).map(({ item }) => item), Count: found.length, Size, LeftOut: paths.length - found.length } }
}

interface Budget {
  readonly untilMs: number
  entries: number
}

async function itemAt(path: string, budget: Budget): Promise<OfferedItem | undefined> {
  const Name = basename(path)
  if (!isAbsolute(path) || path.includes('\0') || Name === '' || Name === '..') return undefined
  const stat = await inTime(lstat(path))
  if (stat?.isFile() === true) return { Name, Kind: 'file', Size: stat.size, Files: 1 }
  if (stat?.isDirectory() !== true) return undefined
  const counted = await inTime(count(path, budget))
  return { Name, Kind: 'folder', Size: counted?.size ?? -1, Files: counted?.files ?? -1 }
}

/** Files below a folder and their bytes; undefined: too many, or not to be read. */
async function count(folder: string, budget: Budget): Promise<{ readonly files: number; readonly size: number } | undefined> {
  const folders = [folder]
  let [files, size] = [0, 0]
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    for (const entry of await readdir(at, { withFileTypes: true })) {
      if (--budget.entries < 0 || Date.now() > budget.untilMs) return undefined
      if (entry.isDirectory()) folders.push(join(at, entry.name))
      else if (entry.isFile()) {
        files++
        size += (await lstat(join(at, entry.name))).size
      }
    }
  }
  return { files, size }
}

/** undefined also when it fails or takes too long. */
async function inTime<T>(work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), STAT_MS)
  })
  try {
    return await Promise.race([work, late])
  } catch {
    return undefined
  } finally {
    clearTimeout(timer)
    work.catch(() => undefined)
  }
}
