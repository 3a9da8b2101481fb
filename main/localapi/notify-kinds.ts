/**
 * What a message of the bus is about, for those who look at the whole again after most of them. Pure.
 */
import type { Notify } from './types.ts'

/** News of files alone: they come often while something is sent, and change nothing of the status. */
export function isOfFiles(notify: Notify): boolean {
  const { Version: _version, Transfers, IncomingFiles, OutgoingFiles, FilesWaiting, ...rest } = notify
  return Boolean(Transfers || IncomingFiles || OutgoingFiles || FilesWaiting) && Object.values(rest).every((value) => value === null || value === undefined)
}
