/**
 * What tells that a file is still the one that was looked at: its size, its time to the nanosecond, and its inode. And what
 * a fault of the disk means for something that is to be sent.
 */
import { constants } from 'node:fs'
import type { BigIntStats } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { SourceFault } from '../../core/taildrop/files.ts'

export interface Stamp {
  readonly size: number
  readonly mtimeNs: bigint
  readonly inode: bigint
}

/** A file to read, as it was when it was looked at. */
export interface StampedFile {
  readonly absolute: string
  readonly stamp: Stamp
}

export function stampOf(stats: BigIntStats): Stamp {
  return { size: Number(stats.size), mtimeNs: stats.mtimeNs, inode: stats.ino }
}

export function printOf({ size, mtimeNs, inode }: Stamp): string {
  return `${size}:${mtimeNs}:${inode}`
}

/** Opens a file that must be the one that was looked at. Never waits for a pipe. Rejects with SourceFault. */
export async function openStamped({ absolute, stamp }: StampedFile, follow: boolean): Promise<FileHandle> {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants as Partial<typeof constants>
  let handle: FileHandle | undefined
  try {
    handle = await open(absolute, (O_RDONLY ?? 0) | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW))
    await checkStamp(handle, stamp)
    return handle
  } catch (error) {
    await handle?.close()
    throw faultOf(error)
  }
}

/** Rejects with SourceFault('source-changed') when the file is another one by now. */
export async function checkStamp(handle: FileHandle, stamp: Stamp): Promise<void> {
  const stats = await handle.stat({ bigint: true })
  if (!stats.isFile() || printOf(stampOf(stats)) !== printOf(stamp)) throw changed()
}

export const changed = (): SourceFault => new SourceFault('source-changed', 'what was to be sent has changed since')

export function faultOf(error: unknown): SourceFault {
  if (error instanceof SourceFault) return error
  const { code = 'unknown' } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return new SourceFault('source-gone', 'what was to be sent is no longer there')
  if (code === 'ELOOP') return changed()
  return new SourceFault('source-unreadable', `what was to be sent cannot be read (${code})`)
}
