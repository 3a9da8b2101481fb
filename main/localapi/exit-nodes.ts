/**
 * bowline/exit-nodes: where this computer's internet traffic goes, why, and where else it could go. Names as on the wire.
 */
import type { ExitNodeFailure } from './extras.ts'

/** What becomes of traffic to the internet now. */
export type Egress =
  /** No exit node is chosen. */
  | { readonly Kind: 'direct' }
  | { readonly Kind: 'exit'; readonly ID: string; readonly Name: string; readonly Why: string }
  /** An exit node is chosen and cannot be used: nothing goes out. */
  | { readonly Kind: 'blocked'; readonly ID: string; readonly Name: string; readonly Why: string }
  /** A person's rule, or a sign-in page of the network here, lets traffic past the exit node for now. */
  | { readonly Kind: 'paused'; readonly ID: string; readonly Name: string; readonly Why: string; readonly Until?: string }

export interface ExitNodeRow {
  /** Stable ID. */
  readonly ID: string
  readonly Name: string
  readonly IP: string
  /** Login name, or its tags. */
  readonly Owner: string
  readonly Place?: string
  readonly Online: boolean
  /** Of the path to it, as in PathRow; absent: not measured. */
  readonly Path?: string
  readonly LatencyMs?: number
  readonly Suggested: boolean
  /** Why it is suggested. */
  readonly Why?: string
  /** Why it cannot be used now: offline, says the server · not approved · … */
  readonly Unavailable?: string
}

/** POST bowline/exit-nodes; answered with the page. */
export type ExitNodeAction =
  /** `Node`: a name, an address, a stable ID, or "auto". What is not named stays. */
  | { readonly Do: 'use'; readonly Node: string; readonly AllowLAN?: boolean; readonly Failure?: ExitNodeFailure }
  | { readonly Do: 'clear' }
  /** Lets traffic past it on this network, 600 seconds when none are named. */
  | { readonly Do: 'pause'; readonly Seconds?: number }
  | { readonly Do: 'resume' }
  /** Measures the way to every one of them, and proves anew that traffic goes out there. */
  | { readonly Do: 'check' }

/** One thing that was looked at, never guessed: without `Ok` nothing is known. */
export interface ExitProof {
  readonly What: 'ipv4' | 'ipv6' | 'names' | 'leak'
  readonly Ok?: boolean
  readonly Value: string
  readonly At?: string
}

export interface ExitNodesPage {
  /** Another one whenever anything here changes; `?after=VERSION` holds the answer back until then, 30 s at most. */
  readonly Version: number
  /** `auto`: the engine chooses, and chooses again when it has to. `Since`: traffic goes there, or does not, since then. */
  readonly Chosen: { readonly Kind: 'none' } | { readonly Kind: 'node' | 'auto'; readonly ID: string; readonly Name: string; readonly Since?: string }
  readonly Egress: Egress
  readonly AllowLAN: boolean
  /** Networks that this computer is on: kept or lost by AllowLAN. */
  readonly LAN: readonly { readonly Prefix: string; readonly Interface: string }[]
  readonly Failure: ExitNodeFailure
  /** Suggested first, then by latency, then by name. */
  readonly Nodes: readonly ExitNodeRow[]
  readonly Proofs: readonly ExitProof[]
  /** This computer as an exit node for others. */
  readonly Offer: { readonly Advertised: boolean; readonly Approved: boolean; readonly Flows: number }
}
