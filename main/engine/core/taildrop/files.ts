/**
 * Shapes of files on their way that the disk (io) and the transfers (features) both speak of, and the faults of both ends.
 */

/** SHA-256 in lower-case hex of one block; every block but the last is 64 KiB. As the wire has it. */
export interface BlockHash {
  readonly checksum: string
  readonly algo: 'sha256'
  readonly size: number
}

/** One file or directory below a folder that is sent: path with "/" between the parts, relative, checked (core/taildrop/names.ts). */
export interface ManifestEntry {
  readonly path: string
  /** -1: a directory (only empty ones need to be named). */
  readonly size: number
  /** ms since 1970. */
  readonly mtimeMs: number
}

/** Where the bytes of a thing to send come from; plain data, kept in the queue's file. */
export type SourceRef =
  | { readonly kind: 'path'; readonly path: string; readonly isFolder: boolean }
  /** In the engine's own spool; deleted with its transfer. */
  | { readonly kind: 'spool'; readonly id: string }

/** What a source was when it was added, so that a change in between is seen. */
export interface SourceLook {
  readonly name: string
  readonly isFolder: boolean
  readonly files: number
  /** Bytes of all files. */
  readonly size: number
  /** Links and special files in it, which are not sent. */
  readonly skipped: number
  /** Changes when the content may have: of sizes, times and inodes. */
  readonly print: string
}

/** `source-stopped`: the program whose bytes it is. */
export type SourceFaultCode = 'source-gone' | 'source-changed' | 'source-unreadable' | 'source-stopped'

export class SourceFault extends Error {
  readonly code: SourceFaultCode

  constructor(code: SourceFaultCode, message: string) {
    super(message)
    this.code = code
  }
}

/** Where one incoming thing is kept while it comes: at most one per sender and name. */
export interface InboxPlace {
  /** Absolute. */
  readonly folder: string
  /** Stable ID of the sender. */
  readonly sender: string
  /** Checked (core/taildrop/names.ts). */
  readonly name: string
  /** Name of the sender, for the marks of files in a folder. */
  readonly from?: string
}

/** What became of a thing that came in. */
export interface Saved {
  /** The name that it got. */
  readonly name: string
  /** Absolute. */
  readonly path: string
  readonly size: number
  readonly sha256: string
  /** The same file was there already, byte for byte, and this one was dropped. */
  readonly isDuplicate: boolean
}

export interface WaitingFile {
  readonly name: string
  readonly size: number
}

export type InboxFaultCode =
  | 'no-space' | 'folder-gone' | 'not-a-folder' | 'no-rights' | 'bad-offset' | 'busy' | 'wrong-size' | 'wrong-hash' | 'no-free-name' | 'bad-name' | 'io'

/** The message is a sentence for a person; it may name the folder. */
export class InboxFault extends Error {
  readonly code: InboxFaultCode

  constructor(code: InboxFaultCode, message: string, options?: { readonly cause: unknown }) {
    super(message, options)
    this.code = code
  }
}
