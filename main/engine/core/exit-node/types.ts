/**
 * What choosing an exit node goes by, and what comes of it.
 */
import type { ExitVerdict } from '../plan/egress.ts'

/** A device of the map that offers itself as exit node. */
export interface ExitCandidate {
  readonly id: string
  readonly name: string
  /** By the server; undefined: it does not say. */
  readonly online: boolean | undefined
  /** Why it cannot be used whatever it answers, as the end of a sentence that begins with its name. */
  readonly fault: string | undefined
  /** The server recommends it for choosing by itself. */
  readonly recommended: boolean
}

/** How packets go to a device, the best first. */
export type ExitWay = 'direct' | 'peer-relay' | 'relay'

/** As measured last. */
export interface ExitMeasure {
  readonly way: ExitWay
  readonly latencyMs: number
}

/** Whom a person wants: nobody, one device, or whoever is best. `id`: the one that was in use last, "" = none. */
export type ExitChoice = { readonly kind: 'none' } | { readonly kind: 'node'; readonly id: string } | { readonly kind: 'auto'; readonly id: string }

export interface ExitFacts {
  readonly choice: ExitChoice
  /** When the one in use does not answer. With `auto` the next one is taken in any case, and the rule counts when there is none. */
  readonly failure: 'block' | 'next' | 'direct'
  /** IDs that a person prefers, the best first. */
  readonly order: readonly string[]
  readonly candidates: ReadonlyMap<string, ExitCandidate>
  /** Without a network of our own nobody's silence means anything. */
  readonly hasNetwork: boolean
}

export interface ExitPause {
  readonly why: string
  /** Monotonic; undefined: until somebody ends it. */
  readonly untilMs: number | undefined
}

export interface ExitStep {
  /** undefined: the choice is used as it stands, or there is none. A pause has no time in it: that is wall time. */
  readonly verdict: ExitVerdict | undefined
  /** To be asked now whether they answer. */
  readonly ask: readonly string[]
  /** Of an automatic choice the one that is used; undefined: not automatic, or none yet. */
  readonly chosen: string | undefined
  /** When to step again whatever happens; Infinity = when something does. */
  readonly wakeAtMs: number
}
