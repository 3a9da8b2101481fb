/**
 * bowline/reach: whether a place of the network can be reached, and what is in the way, rung by rung. Names as on the wire.
 */
import type { RungName, RungState, VerdictCode } from '../engine/core/reach/ladder.ts'

export type { RungName, RungState, VerdictCode } from '../engine/core/reach/ladder.ts'

export interface ReachRung {
  readonly Name: RungName
  readonly State: RungState
  /** An address, a device, a prefix, a path or a reason: raw. */
  readonly Value?: string
  readonly LatencyMs?: number
  /** Since the last handshake. */
  readonly AgeMs?: number
}

export interface ReachVerdict {
  readonly Code: VerdictCode
  /** The rung that failed. */
  readonly Rung?: RungName
  /** Two sentences in English: what, and what to know or do. */
  readonly Text: string
  readonly More: string
  /** What whoever looked said, as a clause. */
  readonly Why?: string
}

/**
 * `?target=nas:22` looks anew, or goes along with the same look of somebody else; with `&after=VERSION` it looks no more and is
 * answered when there is another version, after 30 s in any case. A look that nobody reads is given up.
 */
export interface ReachPage {
  readonly Version: number
  /** As it was understood: "nas:22", "[fd7a::1]:22", "nas". */
  readonly Target: string
  readonly Host: string
  /** 0: none was named. */
  readonly Port: number
  readonly Address?: string
  /** Who has the address, or carries the network it is in. */
  readonly Device?: { readonly ID: string; readonly Key: string; readonly Name: string; readonly IsItself: boolean }
  /** RFC 3339; `Ended` absent: it goes on. */
  readonly Started: string
  readonly Ended?: string
  readonly Rungs: readonly ReachRung[]
  readonly Verdict?: ReachVerdict
  /** What an admin would need to allow it, to paste; only where the device blamed a rule. */
  readonly Request?: string
}
