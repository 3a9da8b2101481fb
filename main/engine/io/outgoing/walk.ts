/**
 * What a folder to send has in it: the same list each time for the same content, by name in each folder, depth first.
 *
 *   sent      regular files, and folders that have nothing to send in them
 *   skipped   links and special files: counted, never followed or opened
 *   refused   the whole folder, for a name that no receiver takes, and for more than can be sent in one piece
 */
import { createHash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { SourceFault } from '../../core/taildrop/files.ts'
import { MAX_MANIFEST_ENTRIES, pathFault } from '../../core/taildrop/names.ts'
import { faultOf, printOf, stampOf } from './stamp.ts'
import type { Stamp } from './stamp.ts'

/** Names that are looked at, skipped ones too. */
const MAX_SEEN = 2 * MAX_MANIFEST_ENTRIES
const LOOKS_AT_ONCE = 32

export interface Found {
  /** Below the folder, with "/" between its parts. */
  readonly path: string
  readonly absolute: string
  readonly mtimeMs: number
  /** undefined: a folder. */
  readonly stamp: Stamp | undefined
}

export interface Walked {
  readonly found: readonly Found[]
  readonly files: number
  readonly size: number
  readonly skipped: number
  /** Another one when anything in it is another. */
  readonly print: string
}

/** Rejects with SourceFault. */
export async function walk(folder: string): Promise<Walked> {
  const found: Found[] = []
  let skipped = 0
  let seen = 0
  const visit = async (absolute: string, path: string): Promise<void> => {
    const before = found.length
    const names = await namesIn(absolute, () => MAX_SEEN - seen++)
    const files = await lookAtAll(absolute, names)
    for (const { name, kind } of names) {
      const below = path === '' ? name : `${path}/${name}`
      const stats = files.get(name)
      if (kind !== 'folder' && !stats?.isFile()) {
        skipped++
        continue
      }
      const fault = pathFault(below)
      if (fault !== undefined) throw new SourceFault('source-unreadable', `“${below.slice(0, 200)}” cannot be sent: ${fault}`)
      if (stats) found.push({ path: below, absolute: join(absolute, name), mtimeMs: Number(stats.mtimeMs), stamp: stampOf(stats) })
      else await visit(join(absolute, name), below)
      if (found.length > MAX_MANIFEST_ENTRIES) throw tooMuch()
    }
    if (found.length === before && path !== '') found.push({ path, absolute, mtimeMs: (await lstat(absolute)).mtimeMs, stamp: undefined })
  }
  try {
    await visit(folder, '')
  } catch (error) {
    throw faultOf(error)
  }
  return { found, skipped, ...summed(found) }
}

async function lookAtAll(folder: string, names: readonly Name[]): Promise<Map<string, BigIntStats>> {
  const files = names.filter(({ kind }) => kind === 'file')
  const out = new Map<string, BigIntStats>()
  for (let at = 0; at < files.length; at += LOOKS_AT_ONCE) {
    const looks = files.slice(at, at + LOOKS_AT_ONCE).map(async ({ name }) => [name, await lstat(join(folder, name), { bigint: true })] as const)
    for (const [name, stats] of await Promise.all(looks)) out.set(name, stats)
  }
  return out
}

interface Name {
  readonly name: string
  readonly kind: 'file' | 'folder' | 'other'
}

async function namesIn(folder: string, left: () => number): Promise<Name[]> {
  const names: Name[] = []
  for await (const entry of await opendir(folder, { bufferSize: 256 })) {
    if (left() <= 0) throw tooMuch()
    names.push({ name: entry.name, kind: entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : 'other' })
  }
  return names.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function summed(found: readonly Found[]): Pick<Walked, 'files' | 'size' | 'print'> {
  const digest = createHash('sha256')
  let files = 0
  let size = 0
  for (const { path, stamp } of found) {
    digest.update(`${path}\0${stamp ? printOf(stamp) : '/'}\n`)
    if (!stamp) continue
    files++
    size += stamp.size
  }
  return { files, size, print: `folder:${digest.digest('hex')}` }
}

const tooMuch = (): SourceFault => new SourceFault('source-unreadable', `a folder with more than ${MAX_MANIFEST_ENTRIES} files in it cannot be sent`)
