/**
 * What the inbox asks of the file system, and what its errors mean for who sends. Tests put faults between.
 */
import type * as promises from 'node:fs/promises'
import { errorText } from '../../base/errors.ts'
import { InboxFault } from '../../core/taildrop/files.ts'
import type { InboxFaultCode } from '../../core/taildrop/files.ts'

export type Disk = Pick<typeof promises, 'access' | 'link' | 'lstat' | 'mkdir' | 'open' | 'readdir' | 'rename' | 'rm' | 'rmdir' | 'statfs' | 'unlink'>
export type DiskFile = promises.FileHandle

/** Which file this is, whatever it is called. */
export interface FileId {
  readonly dev: bigint
  readonly ino: bigint
}

export const isSameFile = (a: FileId, b: FileId): boolean => a.dev === b.dev && a.ino === b.ino

const CODES: Readonly<Record<string, InboxFaultCode>> = {
  ENOENT: 'folder-gone', ESTALE: 'folder-gone', ENODEV: 'folder-gone',
  ENOTDIR: 'not-a-folder', ELOOP: 'not-a-folder',
  EACCES: 'no-rights', EPERM: 'no-rights', EROFS: 'no-rights',
  ENOSPC: 'no-space', EDQUOT: 'no-space', EFBIG: 'no-space',
  ENAMETOOLONG: 'bad-name', EILSEQ: 'bad-name',
}

export const errnoOf = (error: unknown): string => (error as NodeJS.ErrnoException | null)?.code ?? ''

const WORDS: Partial<Readonly<Record<InboxFaultCode, string>>> = {
  'folder-gone': 'The folder is gone.',
  'not-a-folder': 'The folder is none, or a link to one: choose the folder itself.',
  'no-rights': 'The folder cannot be written to.',
  'no-space': 'The disk is full.',
  'bad-name': 'The disk does not take this name.',
}

/** What a failed call means for the whole. The sentence names no path: it goes to whoever sends, too. */
export function faultOf(error: unknown): InboxFault {
  if (error instanceof InboxFault) return error
  const code = CODES[errnoOf(error)] ?? 'io'
  return new InboxFault(code, WORDS[code] ?? `The disk reported a fault (${errnoOf(error) || errorText(error)}).`, { cause: error })
}
