/**
 * What the PeerAPI needs of the rest, and what it hands to whoever serves a path of it.
 */
import type { Readable } from 'node:stream'
import type { Node, UserProfile } from '../core/tailcfg/types.ts'

/** A device that called: known by the address that its packets come from inside the tunnel, and by nothing else. */
export interface Caller {
  readonly node: Node
  readonly user: UserProfile
  readonly self: Node
}

export interface Directory {
  /** The peer that has `ip` as an address of its own; undefined for anybody else, and while we are not connected. */
  callerAt(ip: string): Caller | undefined
}

/** One request, checked: it names us as its host and no web page sent it. */
export interface Visit {
  readonly caller: Caller
  /** Address of the caller. */
  readonly from: string
  readonly method: string
  /** As sent, without the query: not decoded. */
  readonly path: string
  /** Without its question mark. */
  readonly query: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Ends or fails with the connection. What a route leaves unread is thrown away. */
  readonly body: Readable
  /** Headers that came behind the body: empty until that has ended. */
  readonly trailers: () => Readonly<Record<string, string | string[] | undefined>>
  /** Aborts when the caller is gone, or the request is over. A caller whose body nobody reads may be gone unnoticed. */
  readonly over: AbortSignal
  /** From here on the connection is not cut for standing still, until the returned function is called or the request is over. */
  readonly hold: () => () => void
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Pieces are asked for as fast as the caller takes them; when one fails, the connection is cut. */
  readonly body: string | Uint8Array | AsyncIterable<string | Uint8Array>
}

/** Serves one path, or all below it when `path` ends with a slash. */
export interface Route {
  readonly path: string
  serve(visit: Visit): Answer | Promise<Answer>
}
