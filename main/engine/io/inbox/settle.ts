/**
 * The last step of what came in: from its partial name to its final one, and never over anything that has that name.
 *
 *   file     link + unlink; where a disk has no links: an empty file made under the final name, then renamed over
 *   folder   an empty directory made under the final name, then renamed over (which the system does for empty ones only)
 *
 * When a name is taken by another the next is tried: "a (1).txt" … What is there already, byte for byte, is not kept twice.
 */
import { createHash } from 'node:crypto'
import { InboxFault } from '../../core/taildrop/files.ts'
import type { Saved } from '../../core/taildrop/files.ts'
import type { Dir } from './dir.ts'
import { errnoOf, isSameFile } from './disk.ts'
import type { Disk, FileId } from './disk.ts'
import { hashPrefix, makeFile, namesFor, TO_READ } from './partial.ts'

export interface Finished {
  readonly dir: Dir
  readonly name: string
  readonly partial: string
  /** Which file or directory the partial one is. */
  readonly id: FileId
  readonly size: number
  readonly sha256: string
}

/** Errors of disks that have no hard links. */
const NO_LINKS = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'EINVAL', 'ENOTTY'])

/** Gives a file its final name. Rejects with InboxFault('no-free-name' | 'io'), or the system's error. */
export async function settleFile(disk: Disk, thing: Finished): Promise<Saved> {
  const { dir, partial } = thing
  for (const name of namesFor(thing.name)) {
    await stillOurs(disk, thing)
    const how = await giveFileName(disk, thing, name)
    if (how === 'taken' && !(await isSame(disk, thing, name))) continue
    if (how !== 'renamed') await disk.unlink(dir.at(partial))
    return savedAs(thing, name, how === 'taken')
  }
  throw noName()
}

/** Gives a folder its final name; the partial one stays when `isSame` knows a name as that of a duplicate. Rejects as `settleFile`. */
export async function settleFolder(disk: Disk, thing: Finished, isSame: (name: string) => Promise<boolean>): Promise<Saved> {
  const { dir, partial } = thing
  for (const name of namesFor(thing.name)) {
    await stillOurs(disk, thing)
    // Windows renames no directory over another, and none is needed.
    const needsPlace = process.platform !== 'win32'
    if (needsPlace && !(await tookName(() => disk.mkdir(dir.at(name), 0o700)))) {
      if (await isSame(name)) return savedAs(thing, name, true)
      continue
    }
    try {
      if (await tookName(() => disk.rename(dir.at(partial), dir.at(name)))) return savedAs(thing, name, false)
      if (!needsPlace && (await isSame(name))) return savedAs(thing, name, true)
    } catch (error) {
      if (needsPlace) await disk.rmdir(dir.at(name)).catch(() => {})
      throw error
    }
  }
  throw noName()
}

const TAKEN = new Set(['EEXIST', 'ENOTEMPTY', 'ENOTDIR', 'EISDIR'])

async function tookName(take: () => Promise<unknown>): Promise<boolean> {
  try {
    await take()
    return true
  } catch (error) {
    const errno = errnoOf(error)
    if (TAKEN.has(errno) || (process.platform === 'win32' && errno === 'EPERM')) return false
    throw error
  }
}

async function giveFileName(disk: Disk, thing: Finished, name: string): Promise<'linked' | 'renamed' | 'taken'> {
  const { dir, partial, id } = thing
  try {
    await disk.link(dir.at(partial), dir.at(name))
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'EEXIST') return 'taken'
    if (NO_LINKS.has(errno)) return renameOverOwn(disk, thing, name)
    throw error
  }
  if (isSameFile(await disk.lstat(dir.at(name), { bigint: true }), id)) return 'linked'
  // Somebody put another file in the partial one's place a moment ago.
  await disk.unlink(dir.at(name))
  throw notOurs()
}

async function renameOverOwn(disk: Disk, { dir, partial }: Finished, name: string): Promise<'renamed' | 'taken'> {
  const path = dir.at(name)
  let placeholder: FileId
  try {
    const file = await makeFile(disk, path)
    try {
      placeholder = await file.stat({ bigint: true })
    } finally {
      await file.close()
    }
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return 'taken'
    throw error
  }
  try {
    const there = await disk.lstat(path, { bigint: true })
    if (!isSameFile(there, placeholder) || there.size !== 0n) return 'taken'
    await disk.rename(dir.at(partial), path)
    return 'renamed'
  } catch (error) {
    const there = await disk.lstat(path, { bigint: true }).catch(() => undefined)
    if (there && isSameFile(there, placeholder)) await disk.unlink(path).catch(() => {})
    throw error
  }
}

/** Whether the file of this name has the same bytes. */
async function isSame(disk: Disk, { dir, size, sha256 }: Finished, name: string): Promise<boolean> {
  const file = await disk.open(dir.at(name), TO_READ).catch(() => undefined)
  if (!file) return false
  try {
    const stat = await file.stat()
    if (!stat.isFile() || stat.size !== size) return false
    const hash = createHash('sha256')
    await hashPrefix(file, size, hash)
    return hash.digest('hex') === sha256
  } catch {
    return false
  } finally {
    await file.close()
  }
}

async function stillOurs(disk: Disk, { dir, partial, id }: Finished): Promise<void> {
  const there = await disk.lstat(dir.at(partial), { bigint: true }).catch(() => undefined)
  if (!there || !isSameFile(there, id)) throw notOurs()
}

const savedAs = ({ dir, size, sha256 }: Finished, name: string, isDuplicate: boolean): Saved => ({ name, path: `${dir.path}/${name}`, size, sha256, isDuplicate })
const noName = (): InboxFault => new InboxFault('no-free-name', 'Too many files of this name are there already.')
const notOurs = (): InboxFault => new InboxFault('io', 'The partial file was taken away while it came in.')
