/**
 * What receiving needs: a request of another device as the PeerAPI brings it, a place on disk, the book of transfers, and the rules.
 */
import type { Readable } from 'node:stream'
import type { Env } from '../../../base/env.ts'
import type { AsksKept } from '../../../core/taildrop/asks.ts'
import type { Headers } from '../../../core/taildrop/put-request.ts'
import type { Node } from '../../../core/tailcfg/types.ts'
import type { IncomingRule, TaildropSettings } from '../../../../localapi/transfers.ts'
import type { Asks, Inbox, IncomingBook, TaildropNetwork } from '../ports.ts'

/** One request, from a device of the network and from no web page. */
export interface Visit {
  readonly caller: { readonly node: Node }
  /** Address of the caller. */
  readonly from: string
  readonly method: string
  /** As sent, without the query: not decoded. */
  readonly path: string
  readonly query: string
  readonly headers: Headers
  /** Ends or fails with the connection. */
  readonly body: Readable
  /** Known once the body has ended. */
  readonly trailers: () => Headers
  /** Aborts when the caller is gone, or the request is over. */
  readonly over: AbortSignal
  /** The connection may stand still until the returned function is called. */
  readonly hold: () => () => void
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string | AsyncIterable<string>
}

/** Serves one path, or all below it when `path` ends with a slash. */
export interface Route {
  readonly path: string
  serve(visit: Visit): Promise<Answer>
}

export interface ReceiverDeps {
  readonly env: Env
  readonly network: TaildropNetwork
  readonly settings: () => TaildropSettings
  /** Sets what is done from now on with what a device sends. */
  readonly setRule: (stableId: string, rule: IncomingRule) => void
  /** Where files go now: absolute. */
  readonly folder: () => string
  readonly inbox: Inbox
  readonly book: IncomingBook
  /** What an earlier run remembered, and where to keep what this one does. */
  readonly kept?: AsksKept | undefined
  readonly keep?: (kept: AsksKept) => void
}

export interface Receiver {
  readonly routes: readonly Route[]
  readonly asks: Asks
  /** Rules or the network have changed. */
  changed(): void
  /** Since the start, by name. */
  counters(): Readonly<Record<string, number>>
  /** Everything that comes in is broken off and stays partial. */
  stop(): void
}
