/**
 * What the path machine decided and why: goes into the journal as it is. Addresses are in fields of their own, so that
 * redaction finds them; `why` never holds one.
 */
import type { AddrPort } from '../../base/ip.ts'
import type { CandidateSource } from './candidates.ts'
import type { RefusedAddr } from './acceptable.ts'
import type { Path, UdpAddr } from './types.ts'

export type PathEvent =
  | { readonly kind: 'candidates'; readonly source: CandidateSource; readonly added: readonly UdpAddr[]; readonly total: number; readonly why: string }
  | { readonly kind: 'candidate-refused'; readonly addr: AddrPort; readonly reason: RefusedAddr; readonly why: string }
  | { readonly kind: 'probe-round'; readonly pinged: number; readonly calledPeer: boolean; readonly why: string }
  | { readonly kind: 'first-pong'; readonly addr: UdpAddr; readonly latencyMs: number; readonly why: string }
  | { readonly kind: 'pong-missed'; readonly addr: UdpAddr; readonly misses: number; readonly why: string }
  | { readonly kind: 'narrow'; readonly addr: UdpAddr; readonly isNarrow: boolean; readonly why: string }
  | { readonly kind: 'path'; readonly from: Path; readonly to: Path; readonly why: string }

/** What the machine wants done. */
export type PathOutput =
  /** A disco ping to an address, `sized` = as large as our largest packet; its pong comes back under `pingId`. */
  | { readonly kind: 'ping'; readonly pingId: number; readonly to: UdpAddr; readonly sized: boolean }
  /** Our own addresses to the peer, over the relay; `isDoubtful`: a path just failed, so they may be others now. */
  | { readonly kind: 'call-me-maybe'; readonly region: number; readonly isDoubtful: boolean }
  /** A session on a node that relays would be better than what there is. */
  | { readonly kind: 'find-peer-relay'; readonly why: string }
  | { readonly kind: 'set-path'; readonly path: Path }
