/**
 * What the queue of things to send speaks of: items, what happens to them, and what is to be done.
 */
import type { MonoMs } from '../../base/env.ts'

export type SendState = 'queued' | 'waiting-device' | 'waiting-answer' | 'sending' | 'checking' | 'paused' | 'delivered' | 'stopped' | 'canceled'

/** As the LocalAPI has it. */
export interface TransferWhy {
  readonly Code: string
  readonly Text: string
}

/** One thing on its way to one device; `size` -1: unknown. */
export interface QueueItem {
  readonly id: string
  /** Stable ID. */
  readonly peer: string
  readonly batch: string
  /** Two of the same name are not tried at once: the receiver keeps one partial of a name. */
  readonly name: string
  readonly size: number
  readonly state: SendState
  readonly why: TransferWhy | undefined
  /** A try of it is under way, perhaps one that was told to end. */
  readonly isTried: boolean
}

export type NewItem = Pick<QueueItem, 'id' | 'peer' | 'batch' | 'name' | 'size'> & { readonly state?: SendState; readonly why?: TransferWhy | undefined }

/** How a try ended. */
export type TryEnd =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'refused'; readonly why: TransferWhy }
  | { readonly kind: 'broken'; readonly why: TransferWhy; readonly isAway: boolean; readonly afterMs?: number }
  | { readonly kind: 'aborted' }

export type QueueEvent =
  | { readonly kind: 'add'; readonly items: readonly NewItem[] }
  /** The devices that there are, by stable ID, and whether the server calls them online; undefined: not connected. */
  | { readonly kind: 'network'; readonly devices: ReadonlyMap<string, boolean> | undefined }
  /** A packet came from it. */
  | { readonly kind: 'heard'; readonly peer: string }
  /** What was known of the ways to devices may hold no longer. */
  | { readonly kind: 'moved' }
  | { readonly kind: 'step'; readonly id: string; readonly step: 'asking' | 'comparing' | 'sending' | 'checking' }
  /** The receiver has more of it than before. */
  | { readonly kind: 'progress'; readonly id: string }
  | { readonly kind: 'end'; readonly id: string; readonly end: TryEnd }
  | { readonly kind: 'pause' | 'resume' | 'retry' | 'cancel'; readonly ids: readonly string[] }
  /** It cannot be sent as it is. */
  | { readonly kind: 'stop'; readonly id: string; readonly why: TransferWhy }
  | { readonly kind: 'time' }

export interface QueueWishes {
  readonly start: readonly { readonly id: string; readonly why: string }[]
  readonly abort: readonly string[]
  /** State or why are others now. What is over is forgotten here once its try has ended. */
  readonly changed: ReadonlyMap<string, { readonly state: SendState; readonly why: TransferWhy | undefined }>
  /** When something is to be done without news; undefined: never. */
  readonly wakeAtMs: MonoMs | undefined
}
