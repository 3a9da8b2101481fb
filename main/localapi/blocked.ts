/**
 * bowline/blocked: what was not let through lately, by this device or by others, repetitions folded. Names as on the wire.
 */
import type { BlockedReason } from '../engine/core/filter/blocked-words.ts'

export interface BlockedRow {
  /** `out`: what this device tried. `in`: what others tried here. */
  readonly Direction: 'in' | 'out'
  /** "tcp", "udp", "icmp", or the number of an IP protocol. */
  readonly Proto: string
  /** Short name of the other device; "" when it is gone from the network. */
  readonly Peer: string
  /** Node key of the other device. */
  readonly PeerKey: string
  /** Address and, outbound, the port of the last attempt; with no port where the protocol has none. */
  readonly From: string
  readonly To: string
  readonly Reason: BlockedReason
  /** One sentence. */
  readonly Why: string
  readonly Count: number
  /** RFC 3339. */
  readonly First: string
  readonly Last: string
}

export interface BlockedPage {
  /** Since when rows are kept: the engine's start. */
  readonly Since: string
  /** The latest first; at most 200. */
  readonly Rows: readonly BlockedRow[]
  /** Packets that did not get through the filter since then, by reason; some are only counted. */
  readonly Dropped: Readonly<Record<string, number>>
}
