/**
 * What the parts of Taildrop need of the engine and of each other.
 *
 *   send/      one try to bring one thing to one device (`Courier`), from a source that can be read again
 *   receive/   what others send us: permission, asks, and into the inbox
 *   queue      what is to be sent and what came in, kept on disk; starts tries, and tells the bus
 *
 * `queue` hands work down to `Courier` and hears of it; `receive` tells the queue's `IncomingBook` what comes in.
 */
import type { Duplex, Readable } from 'node:stream'
import type { Env } from '../../base/env.ts'
import type { NetMap } from '../../core/netmap/types.ts'
import type { BlockHash, InboxFault, InboxPlace, ManifestEntry, Saved, SourceLook, SourceRef, WaitingFile } from '../../core/taildrop/files.ts'
import type { Node } from '../../core/tailcfg/types.ts'
import type { TaildropSettings, TransferAsk, TransferKind, TransferPath, TransferWhy } from '../../../localapi/transfers.ts'

export { InboxFault, SourceFault } from '../../core/taildrop/files.ts'
export type { BlockHash, InboxPlace, ManifestEntry, Saved, SourceLook, SourceRef, WaitingFile } from '../../core/taildrop/files.ts'

/** What the engine knows of the network now. */
export interface TaildropNetwork {
  /** undefined: not connected. */
  netMap(): NetMap | undefined
  pathTo(node: Node): TransferPath | undefined
  /** Through the tunnel; the stream is the caller's. Rejects with EngineError. */
  dial(ip: string, port: number, timeoutMs: number): Promise<Duplex>
}

export interface TaildropEnv {
  readonly env: Env
  readonly network: TaildropNetwork
  readonly settings: () => TaildropSettings
}

// --- sources -------------------------------------------------------------------------------------------------------

/** The bytes of one thing, in order, from the start; forward only. */
export interface SourceReader {
  /** Whole bytes that will come; -1 unknown. */
  readonly size: number
  /** What is there, up to `most` bytes; empty = the end. The caller's from here on. Rejects with SourceFault. */
  read(most: number): Promise<Uint8Array>
  /** Puts bytes back that were read last; read again first. */
  unread(bytes: Uint8Array): void
  /** At any time, more than once too; a read that waits is over. */
  close(): Promise<void>
}

export interface Sources {
  /** Looks, without reading content. Rejects with SourceFault. */
  look(ref: SourceRef): Promise<SourceLook>
  /** Of a folder, in the order in which `open(…, 'stream')` gives the bytes of its files one after the other. */
  manifest(ref: SourceRef): Promise<readonly ManifestEntry[]>
  /** `plain` a file; `stream` a folder's files one after the other; `archive` a folder as a zip file (stored, the same bytes each time). Rejects when it no longer looks as `print` says. */
  open(ref: SourceRef, as: 'plain' | 'stream' | 'archive', print: string): Promise<SourceReader>
}

// --- sending -------------------------------------------------------------------------------------------------------

/** One thing to bring to one device. */
export interface Parcel {
  readonly id: string
  readonly batch: string
  /** Stable ID. */
  readonly peer: string
  readonly name: string
  readonly isFolder: boolean
  readonly files: number
  /** -1: unknown (a stream that another program sends). */
  readonly size: number
  /** Everything of the same batch that goes to the same device, for the one question that the receiver is asked. */
  readonly batchItems: readonly { readonly id: string; readonly name: string; readonly isFolder: boolean; readonly files: number; readonly size: number }[]
}

export type SendStep =
  /** A person there is asked. */
  | { readonly kind: 'asking' }
  /** Comparing what the receiver has from an earlier try. */
  | { readonly kind: 'comparing' }
  /** `size`: of what goes over the wire, which for an archive differs from the files' own; -1 unknown. */
  | { readonly kind: 'sending'; readonly as: TransferKind; readonly done: number; readonly size: number }
  /** All is sent; the receiver finishes. */
  | { readonly kind: 'checking' }

export type SendEnd =
  | { readonly kind: 'delivered'; readonly checked: boolean }
  /** Trying again as it is would end the same way. */
  | { readonly kind: 'refused'; readonly why: TransferWhy }
  /** Try again later; `isAway`: the device could not be reached at all. */
  | { readonly kind: 'broken'; readonly why: TransferWhy; readonly isAway: boolean; readonly afterMs?: number }
  | { readonly kind: 'aborted' }

export interface Courier {
  /** One try. `open` is called with what the receiver can take. Never rejects. Progress comes at most four times a second. */
  send(parcel: Parcel, source: ParcelSource, onStep: (step: SendStep) => void, signal: AbortSignal): Promise<SendEnd>
}

/** The queue's record of what another program sends by itself (LocalAPI file-put). */
export interface OutgoingBook {
  /** `size` -1 unknown; `cancel`: a person does not want it sent. */
  begin(what: { readonly peer: string; readonly batch: string; readonly name: string; readonly size: number }, cancel: () => void): OutgoingRow
}

/** Hears of the one try there is; nothing of it can be sent again. */
export interface OutgoingRow {
  step(step: SendStep): void
  end(end: SendEnd): void
}

export interface ParcelSource {
  manifest(): Promise<readonly ManifestEntry[]>
  open(as: 'plain' | 'stream' | 'archive'): Promise<SourceReader>
}

// --- receiving -----------------------------------------------------------------------------------------------------

/** One thing that is coming in. Exactly one of `finish`, `keep` and `discard` ends it. */
export interface Receiving {
  /** Bytes that it has. */
  readonly received: number
  /** The bytes are not kept by the callee after it resolves. Rejects with InboxFault. */
  write(bytes: Uint8Array): Promise<void>
  /** On disk, under its final name, marked as from the internet; `sha256`: what the sender says it is. Rejects with InboxFault, and then what is partial stays or goes by rule. */
  finish(expected: { readonly size?: number; readonly sha256?: string; readonly from: string }): Promise<Saved>
  /** Stays partial, for a later try. */
  keep(): Promise<void>
  discard(): Promise<void>
}

/** Files that come in, on disk. Nothing outside the folder is ever written, and no link is followed inside it. */
export interface Inbox {
  /** Free bytes (-1 unknown), and what is wrong with it. Makes the folder when its parent is there. */
  look(folder: string): Promise<{ readonly freeBytes: number; readonly fault?: InboxFault }>
  /** Names of what is partial from this sender. */
  partials(folder: string, sender: string): Promise<readonly string[]>
  /** Of what is partial; none when there is nothing. `manifest`: of a folder's files one after the other. Rejects with InboxFault. */
  hashes(place: InboxPlace, manifest?: readonly ManifestEntry[]): AsyncIterable<BlockHash>
  /** From `offset` on (at most what is partial; the rest of it is cut off). `manifest`: a folder. `size` -1 unknown. Rejects with InboxFault. */
  open(place: InboxPlace, offset: number, size: number, manifest?: readonly ManifestEntry[]): Promise<Receiving>
  /** Removes what was left partial for longer than `olderMs` and nobody is writing to. */
  sweep(folder: string, olderMs: number): Promise<void>
  waiting(folder: string): Promise<readonly WaitingFile[]>
  /** undefined: there is none. */
  read(folder: string, name: string): Promise<{ readonly size: number; readonly stream: Readable } | undefined>
  remove(folder: string, name: string): Promise<boolean>
}

/** The queue's record of what comes in. */
export interface IncomingBook {
  begin(what: { readonly peer: string; readonly batch: string; readonly name: string; readonly kind: TransferKind; readonly files: number; readonly size: number; readonly folder: string; readonly partialPath?: string }): IncomingRow
  /** Anything of the asks has changed. */
  asksChanged(): void
}

export interface IncomingRow {
  readonly id: string
  /** Aborted when a person here wants it no longer: it is refused ("canceled-here") and discarded. */
  readonly signal: AbortSignal
  waiting(): void
  /** `done`: bytes it has. */
  progress(done: number): void
  checking(): void
  received(saved: Saved, checked: boolean): void
  /** It stays where it is: the sender may go on later. */
  broken(why: TransferWhy): void
  refused(why: TransferWhy): void
}

/** Who waits for a person's answer. */
export interface Asks {
  all(): readonly TransferAsk[]
  /** Throws EngineError('not-found'). */
  answer(batch: string, answer: { readonly accept: boolean; readonly folder?: string; readonly always?: boolean }): void
}
