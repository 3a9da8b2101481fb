/**
 * Files on their way, as every client of the engine sees them: bowline/transfers, bowline/transfer-targets, and `Transfers` on the bus.
 *
 *   out   waiting-device → waiting-answer → queued → sending → checking → delivered
 *   in    waiting-answer → receiving → checking → received
 *   any   ⇄ paused (out only), → stopped (Why says it; try again) → …, → canceled
 *
 * A row is one file, or one folder with all below it. Rows that were asked for together share a batch. Names as on the wire.
 */
import type { Node } from '../engine/core/tailcfg/types.ts'

export type TransferState =
  | 'queued' | 'waiting-device' | 'waiting-answer' | 'sending' | 'receiving' | 'checking' | 'paused'
  | 'delivered' | 'received' | 'stopped' | 'canceled'

/** `archive`: a folder that goes to a device of another make, packed into one zip file. */
export type TransferKind = 'file' | 'folder' | 'archive'

/** Why something stands still or cannot be: a code that windows have words for, and the sentence in English. */
export interface TransferWhy {
  readonly Code: string
  readonly Text: string
}

/** The way that bytes take now. */
export interface TransferPath {
  readonly Kind: 'direct' | 'peer-relay' | 'relay' | 'unknown'
  /** Relay's code, or the name of the device in between; "" when direct. */
  readonly Via: string
}

export interface TransferRow {
  readonly ID: string
  readonly Batch: string
  readonly Direction: 'out' | 'in'
  /** Stable ID and short name of the other device; the name is kept when the device is gone. */
  readonly Peer: string
  readonly PeerName: string
  readonly Name: string
  readonly Kind: TransferKind
  /** Files in it; 1 for a file. */
  readonly Files: number
  /** Bytes; -1 while nobody knows. */
  readonly Size: number
  /** Bytes that the receiver has, what it had from an earlier try included. */
  readonly Done: number
  readonly State: TransferState
  /** The receiver's hash of the whole equals the sender's. Only with `delivered` and `received`. */
  readonly Checked: boolean
  /** With `stopped`, `waiting-device` and (who paused it) `paused`. */
  readonly Why?: TransferWhy
  /** Bytes a second over the last seconds; absent while nothing moves. */
  readonly Rate?: number
  readonly LeftMs?: number
  readonly Path?: TransferPath
  /** RFC 3339. */
  readonly Created: string
  readonly Finished?: string
  /** Of what came in: the name it got, and the folder it lies in ("" = with the engine, until it is fetched). */
  readonly SavedAs?: string
  readonly SavedIn?: string
}

/** Somebody wants to send, and a person decides. One ask for everything that one device wants to send at that time. */
export interface TransferAsk {
  readonly Batch: string
  readonly Peer: string
  readonly PeerName: string
  /** Display name of the device's owner. */
  readonly Owner: string
  /** The first ten; `Count` and `Size` are of all. Size -1: one of them is not known. */
  readonly Items: readonly { readonly Name: string; readonly Kind: TransferKind; readonly Size: number; readonly Files: number }[]
  readonly Count: number
  readonly Size: number
  readonly Since: string
  /** The sender is still there and begins at once; else it is asked to send again, and then let in. */
  readonly Held: boolean
  /** How often a person has accepted from this device before. */
  readonly Accepted: number
  readonly Path?: TransferPath
}

/** Where files go that come in. */
export interface InboxState {
  /** "" = kept by the engine until they are fetched (`bowline file get`). */
  readonly Folder: string
  /** -1: cannot be told. */
  readonly FreeBytes: number
  /** Files that wait to be fetched. */
  readonly Waiting: number
  /** Why nothing can be received now. */
  readonly Problem?: TransferWhy
}

export interface TransferTotals {
  /** Rows that move bytes now, and rows that wait. */
  readonly Moving: number
  readonly Waiting: number
  /** Bytes a second. */
  readonly RateUp: number
  readonly RateDown: number
}

export interface TransfersPage {
  readonly Asks: readonly TransferAsk[]
  /** Open ones by age, then finished ones, the latest first (at most 200). */
  readonly Rows: readonly TransferRow[]
  readonly Totals: TransferTotals
  readonly Inbox: InboxState
}

/** On the bus: the whole at first (`Whole`), then what changed. What is absent has not changed. */
export interface TransfersNews {
  readonly Whole?: TransfersPage
  readonly Rows?: readonly TransferRow[]
  readonly Gone?: readonly string[]
  readonly Asks?: readonly TransferAsk[]
  readonly Totals?: TransferTotals
  readonly Inbox?: InboxState
}

/** One thing to send: a file or folder of this computer by its absolute path (callers that run as the engine's user only), or what was given to bowline/spool. */
export type SendItem = { readonly Path: string; readonly Name?: string } | { readonly Spool: string; readonly Name: string }

export type TransferAction =
  /** Answered with the new batch. `Peer` is a stable ID. */
  | { readonly Do: 'send'; readonly Peer: string; readonly Items: readonly SendItem[] }
  /**
   * `ID` is that of a row or of a batch. `retry` of what went out and is over sends the same files again, as they are now, and is
   * answered with the new batch (callers that run as the engine's user only). `forget` takes finished ones out of the list; without ID
   * all of them.
   */
  | { readonly Do: 'pause' | 'resume' | 'retry' | 'cancel'; readonly ID: string }
  | { readonly Do: 'forget'; readonly ID?: string }
  /** `Folder`: save these there instead (callers that run as the engine's user only). `Always`: accept from this device from now on. */
  | { readonly Do: 'accept'; readonly Batch: string; readonly Folder?: string; readonly Always?: boolean }
  /** `Always`: refuse from this device from now on. */
  | { readonly Do: 'refuse'; readonly Batch: string; readonly Always?: boolean }

export interface TransferResult {
  /** With `send`, and with `retry` of what was over. */
  readonly Batch?: string
  readonly IDs?: readonly string[]
}

export interface SpoolResult {
  readonly Spool: string
  readonly Size: number
}

export type TargetReason = 'self-no-capability' | 'other-owner' | 'tagged' | 'self-tagged' | 'cannot-receive' | 'unsigned' | 'not-connected'

/** One of file-targets, as the stock daemon writes it. */
export interface FileTarget {
  readonly Node: Node
  readonly PeerAPIURL: string
}

/** A device that files could be sent to, or why not. */
export interface TransferTarget {
  /** Stable ID. */
  readonly ID: string
  readonly Name: string
  readonly DNSName: string
  readonly OS: string
  /** Display name of its owner, or its tags. */
  readonly Owner: string
  readonly Own: boolean
  /** As the server says. An offline one can be chosen: it is sent to when it comes. */
  readonly Online: boolean
  readonly Usable: boolean
  readonly Why?: TransferWhy & { readonly Code: TargetReason }
  /** What an administrator would add to the policy, where that helps: whole text, ready to paste. */
  readonly Grant?: string
  /** The stock daemon's number (TaildropTarget of status). */
  readonly Target: number
  /** When a transfer to it was last begun here; absent: never. RFC 3339. */
  readonly Used?: string
}

export interface TransferTargetsPage {
  /** Usable ones first, those used last in front; then the others by name. */
  readonly Targets: readonly TransferTarget[]
  /** Why nothing can be sent to anybody. */
  readonly Why?: TransferWhy
}

export type IncomingRule = 'ask' | 'accept' | 'refuse'

/** Settings of a profile (in Extras): what may come in, and where to. */
export interface TaildropSettings {
  /** Absolute; "" = kept by the engine until fetched. */
  readonly Folder: string
  /** From devices of the same owner. */
  readonly Own: IncomingRule
  /** From devices of others, whom a grant lets send. */
  readonly Others: IncomingRule
  /** By stable ID; goes before the two. */
  readonly Senders: Readonly<Record<string, IncomingRule>>
}

export const DEFAULT_TAILDROP: TaildropSettings = { Folder: '', Own: 'accept', Others: 'ask', Senders: {} }

export const NO_TRANSFERS: TransfersPage = {
  Asks: [], Rows: [], Totals: { Moving: 0, Waiting: 0, RateUp: 0, RateDown: 0 }, Inbox: { Folder: '', FreeBytes: -1, Waiting: 0 },
}

const OVER: ReadonlySet<TransferState> = new Set<TransferState>(['delivered', 'received', 'canceled'])
const MOVING: ReadonlySet<TransferState> = new Set<TransferState>(['sending', 'receiving', 'checking'])

export const isOverState = (state: TransferState): boolean => OVER.has(state)
export const isMovingState = (state: TransferState): boolean => MOVING.has(state)

/** Nothing more will happen to it. A stopped one may be tried again. */
export const isOver = (row: TransferRow): boolean => isOverState(row.State)
export const isMoving = (row: TransferRow): boolean => isMovingState(row.State)
/** Nothing happens with it by itself any more. */
export const isEnded = (row: TransferRow): boolean => isOver(row) || row.State === 'stopped'

/** How much still has an end before it: asks, and batches that move or wait. What was asked for together counts once; a stopped one is over until somebody tries again. */
export function openBatches({ Asks, Rows }: TransfersPage): number {
  return new Set([...Asks, ...Rows.filter((row) => !isEnded(row))].map(({ Batch }) => Batch)).size
}

/** The page after some news. What is not spoken of keeps its identity. */
export function reduceTransfers(was: TransfersPage, news: TransfersNews): TransfersPage {
  const page = news.Whole ?? was
  const Rows = news.Rows || news.Gone ? rowsAfter(page.Rows, news.Rows ?? [], new Set(news.Gone)) : page.Rows
  return { Asks: news.Asks ?? page.Asks, Rows, Totals: news.Totals ?? page.Totals, Inbox: news.Inbox ?? page.Inbox }
}

/** Order: open ones by age, then finished ones, the latest first. A stopped row counts as open. */
export function sortRows(rows: readonly TransferRow[]): readonly TransferRow[] {
  const open = rows.filter((row) => !isOver(row)).toSorted((a, b) => compare(a.Created, b.Created) || compare(a.ID, b.ID))
  const over = rows.filter(isOver).toSorted((a, b) => compare(b.Finished ?? b.Created, a.Finished ?? a.Created) || compare(a.ID, b.ID))
  return [...open, ...over]
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function rowsAfter(before: readonly TransferRow[], changed: readonly TransferRow[], gone: ReadonlySet<string>): readonly TransferRow[] {
  const byId = new Map(before.map((row) => [row.ID, row]))
  for (const row of changed) byId.set(row.ID, row)
  for (const id of gone) byId.delete(id)
  return sortRows([...byId.values()])
}
