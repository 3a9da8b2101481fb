/**
 * What lies in a folder whole, for whoever fetches it: regular files, never through a link, nothing that is partial. A folder that came
 * from another Bowline is there as one zip file, NAME.zip, since files are all that can be fetched; a file of that name goes before it.
 */
import { Readable } from 'node:stream'
import type { WaitingFile } from '../../core/taildrop/files.ts'
import { nameFault } from '../../core/taildrop/names.ts'
import type { Dir } from './dir.ts'
import { errnoOf } from './disk.ts'
import type { Disk, DiskFile } from './disk.ts'
import { archiveOf } from '../outgoing/archive.ts'
import { walk } from '../outgoing/walk.ts'
import { READ_BYTES, TO_READ } from './partial.ts'

const ZIP = '.zip'

/** Looked at together, so that a folder of thousands is listed soon. */
const AT_ONCE = 32

/** Files in it by name, sorted as bytes are. */
export async function listFiles(disk: Disk, dir: Dir): Promise<readonly WaitingFile[]> {
  const names = (await dir.names()).filter((name) => nameFault(name) === undefined)
  const found: Found[] = []
  for (let i = 0; i < names.length; i += AT_ONCE) {
    const some = await Promise.all(names.slice(i, i + AT_ONCE).map((name) => look(disk, dir, name)))
    for (const one of some) if (one) found.push(one)
  }
  const files = new Set(found.flatMap(({ name, isPacked }) => (isPacked ? [] : [name])))
  return found.filter(({ name, isPacked }) => !isPacked || !files.has(name)).map(({ name, size }) => ({ name, size })).sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
}

interface Found extends WaitingFile {
  readonly isPacked: boolean
}

async function look(disk: Disk, dir: Dir, name: string): Promise<Found | undefined> {
  const stat = await disk.lstat(dir.at(name)).catch(() => undefined)
  if (stat?.isFile()) return { name, size: stat.size, isPacked: false }
  if (!stat?.isDirectory() || nameFault(name + ZIP) !== undefined) return undefined
  const pack = await packOf(dir, name).catch(() => undefined)
  await pack?.close()
  return pack && { name: name + ZIP, size: pack.size, isPacked: true }
}

const packOf = async (dir: Dir, name: string): Promise<ReturnType<typeof archiveOf>> => archiveOf(name, (await walk(`${dir.path}/${name}`)).found)

/** The directory that is given out under this name; undefined when there is none. */
async function folderFor(disk: Disk, dir: Dir, name: string): Promise<string | undefined> {
  if (!name.endsWith(ZIP) || name === ZIP) return undefined
  const folder = name.slice(0, -ZIP.length)
  return (await disk.lstat(dir.at(folder)).catch(() => undefined))?.isDirectory() ? folder : undefined
}

/** The content of a whole file, or of a folder as a zip file; undefined when there is none. What is open closes with the stream. Rejects with the system's error. */
export async function readWhole(disk: Disk, dir: Dir, name: string): Promise<{ readonly size: number; readonly stream: Readable } | undefined> {
  const opened = await openWhole(disk, dir, name)
  if (!opened) {
    const folder = await folderFor(disk, dir, name)
    return folder === undefined ? undefined : streamOf(await packOf(dir, folder))
  }
  const { file, size } = opened
  // What grows meanwhile is not what was told; an empty range cannot be told to a stream.
  const stream = size === 0 ? Readable.from([]).once('close', () => void file.close()) : file.createReadStream({ start: 0, end: size - 1, highWaterMark: READ_BYTES })
  return { size, stream }
}

function streamOf(pack: ReturnType<typeof archiveOf>): { readonly size: number; readonly stream: Readable } {
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    for (let bytes = await pack.read(READ_BYTES); bytes.length > 0; bytes = await pack.read(READ_BYTES)) yield bytes
  }
  // One that nobody ever reads is closed, too.
  return { size: pack.size, stream: Readable.from(pieces(), { objectMode: false, highWaterMark: READ_BYTES }).once('close', () => void pack.close()) }
}

/** One file, open; undefined when it is none. */
async function openWhole(disk: Disk, dir: Dir, name: string): Promise<{ readonly file: DiskFile; readonly size: number } | undefined> {
  let file: DiskFile
  try {
    file = await disk.open(dir.at(name), TO_READ)
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'EMLINK', 'ENXIO', 'EISDIR'].includes(errnoOf(error))) return undefined
    throw error
  }
  const stat = await file.stat().catch(() => undefined)
  if (stat?.isFile()) return { file, size: stat.size }
  await file.close()
  return undefined
}

/** Whether there was such a file. Rejects with the system's error. */
export async function removeWhole(disk: Disk, dir: Dir, name: string): Promise<boolean> {
  const stat = await disk.lstat(dir.at(name)).catch(() => undefined)
  if (stat?.isFile()) {
    await disk.unlink(dir.at(name))
  } else {
    const folder = stat ? undefined : await folderFor(disk, dir, name)
    if (folder === undefined) return false
    await disk.rm(dir.at(folder), { recursive: true })
  }
  await dir.sync()
  return true
}
