/**
 * What is partial: a regular file of this user, under one name, never reached through a link.
 *
 *   NAME.SENDER.partial   a file, or a directory for what is below a folder that comes in
 */
import { constants } from 'node:fs'
import type { Hash } from 'node:crypto'
import { InboxFault } from '../../core/taildrop/files.ts'
import { nameFault, nextName, partialName } from '../../core/taildrop/names.ts'
import type { Dir } from './dir.ts'
import { errnoOf, isSameFile } from './disk.ts'
import type { Disk, DiskFile } from './disk.ts'

/** Others may read what is in a partial file only if they may read the file itself. */
export const FILE_MODE = 0o644
export const READ_BYTES = 1024 * 1024
/** How many names are tried for one file. */
const NAME_TRIES = 10

const NO_LINK = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
export const TO_READ = constants.O_RDONLY | NO_LINK
const TO_WRITE = constants.O_RDWR | NO_LINK
const TO_MAKE = TO_WRITE | constants.O_CREAT | constants.O_EXCL

/** The name of what is partial. Throws InboxFault('bad-name'). */
export function partialOf(name: string, sender: string): string {
  const fault = nameFault(name)
  const partial = fault === undefined ? partialName(name, sender) : undefined
  if (partial === undefined) throw new InboxFault('bad-name', `The name is none that a file may have here: ${fault ?? 'it is too long'}.`)
  return partial
}

/** The names that a thing may get, best first. */
export function* namesFor(name: string): Iterable<string> {
  for (let i = 0; i < NAME_TRIES; i++, name = nextName(name)) yield name
}

export interface Opened {
  readonly file: DiskFile
  readonly size: number
}

/** Opens what is there; undefined when nothing is. Rejects with InboxFault('no-rights') for what is no partial file of ours. */
export async function openExisting(disk: Disk, path: string, forWriting: boolean): Promise<Opened | undefined> {
  let file: DiskFile
  try {
    file = await disk.open(path, forWriting ? TO_WRITE : TO_READ)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT') return undefined
    // A link; a directory; a pipe or socket that nobody serves.
    if (['ELOOP', 'EMLINK', 'EISDIR', 'ENXIO', 'EACCES', 'EPERM'].includes(errno)) throw notOurs(error)
    throw error
  }
  try {
    const stat = await file.stat()
    if (!stat.isFile() || stat.nlink !== 1 || stat.uid !== ownUid(stat.uid)) throw notOurs()
    return { file, size: stat.size }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Makes a file that is not there. Rejects with the system's error (EEXIST). */
export function makeFile(disk: Disk, path: string): Promise<DiskFile> {
  return disk.open(path, TO_MAKE, FILE_MODE)
}

/** The partial file, cut to `offset` bytes; new when it is not there and `offset` is 0. Rejects with InboxFault('bad-offset' | 'no-rights'), or the system's error. */
export async function openPartial(disk: Disk, dir: Dir, name: string, partial: string, offset: number): Promise<DiskFile> {
  const path = dir.at(partial)
  await forgetFinished(disk, dir, name, partial)
  const opened = await openExisting(disk, path, true)
  if (!opened) {
    if (offset > 0) throw badOffset()
    return makeFile(disk, path)
  }
  try {
    if (offset > opened.size) throw badOffset()
    if (offset < opened.size) await opened.file.truncate(offset)
    return opened.file
  } catch (error) {
    await opened.file.close()
    throw error
  }
}

/** A process that ended between the two steps of giving the final name has left both: the partial one goes. */
async function forgetFinished(disk: Disk, dir: Dir, name: string, partial: string): Promise<void> {
  const stat = await disk.lstat(dir.at(partial), { bigint: true }).catch(() => undefined)
  if (!stat?.isFile() || stat.nlink !== 2n) return
  for (const final of namesFor(name)) {
    const other = await disk.lstat(dir.at(final), { bigint: true }).catch(() => undefined)
    if (other && isSameFile(other, stat)) return disk.unlink(dir.at(partial))
  }
}

/** Reads `size` bytes of an open file from `from` on, in pieces that are good until the next is asked for. */
export async function* readPieces(file: DiskFile, from: number, size: number): AsyncGenerator<Uint8Array> {
  const piece = Buffer.allocUnsafe(Math.max(1, Math.min(READ_BYTES, size)))
  for (let done = 0; done < size; ) {
    const { bytesRead } = await file.read(piece, 0, Math.min(piece.length, size - done), from + done)
    if (bytesRead === 0) throw badOffset()
    done += bytesRead
    yield piece.subarray(0, bytesRead)
  }
}

/** Takes the first `size` bytes into a hash. */
export async function hashPrefix(file: DiskFile, size: number, hash: Hash): Promise<void> {
  for await (const piece of readPieces(file, 0, size)) hash.update(piece)
}

export const badOffset = (): InboxFault => new InboxFault('bad-offset', 'The place to go on from is not there.')

export const notOurs = (cause?: unknown): InboxFault => new InboxFault('no-rights', 'Something else has the name of the partial file.', { cause })

/** This user's number; where there are none, that of the file. */
export const ownUid = (otherwise: number): number => process.geteuid?.() ?? otherwise
