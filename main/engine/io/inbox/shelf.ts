/**
 * What lies in a folder whole, for whoever fetches it: regular files, never through a link, nothing that is partial.
 */
import type { WaitingFile } from '../../core/taildrop/files.ts'
import { nameFault } from '../../core/taildrop/names.ts'
import type { Dir } from './dir.ts'
import { errnoOf } from './disk.ts'
import type { Disk, DiskFile } from './disk.ts'
import { TO_READ } from './partial.ts'

/** Looked at together, so that a folder of thousands is listed soon. */
const AT_ONCE = 32

/** Files in it by name, sorted as bytes are. */
export async function listFiles(disk: Disk, dir: Dir): Promise<readonly WaitingFile[]> {
  const names = (await dir.names()).filter((name) => nameFault(name) === undefined)
  const found: WaitingFile[] = []
  for (let i = 0; i < names.length; i += AT_ONCE) {
    const some = await Promise.all(names.slice(i, i + AT_ONCE).map((name) => look(disk, dir, name)))
    for (const one of some) if (one) found.push(one)
  }
  return found.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
}

async function look(disk: Disk, dir: Dir, name: string): Promise<WaitingFile | undefined> {
  const stat = await disk.lstat(dir.at(name)).catch(() => undefined)
  return stat?.isFile() ? { name, size: stat.size } : undefined
}

/** One file, open; undefined when it is none. Rejects with the system's error. */
export async function openWhole(disk: Disk, dir: Dir, name: string): Promise<{ readonly file: DiskFile; readonly size: number } | undefined> {
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
  if (!stat?.isFile()) return false
  await disk.unlink(dir.at(name))
  await dir.sync()
  return true
}
