/**
 * What the world outside gives to a part: time, randomness, a log. Parts take an Env; pure code takes plain values.
 */
import type { Log } from './log.ts'

declare const monoBrand: unique symbol
declare const wallBrand: unique symbol
/** Milliseconds of a clock that never goes back and counts sleep. */
export type MonoMs = number & { readonly [monoBrand]?: true }
/** Milliseconds since 1970 as the machine believes. */
export type WallMs = number & { readonly [wallBrand]?: true }

export interface Clock {
  /** Monotonic, counts time asleep. */
  nowMs(): MonoMs
  wallMs(): WallMs
  /** Calls once after `delayMs`; the returned function takes it back. */
  after(delayMs: number, call: () => void): () => void
}

export interface Random {
  /** Fresh random bytes, owned by the caller. */
  bytes(length: number): Uint8Array
  /** Uniform in [0, 1), for jitter only. */
  unit(): number
}

export interface Env {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly journal: Journal
}

/** Where every part says what happened. Typed in core/journal; kept as a plain sink here. */
export interface Journal {
  add(event: JournalEntry): void
}

/** One thing that happened. `kind` and `part` are fixed words; fields by name carry the rest; never a secret. */
export interface JournalEntry {
  readonly part: string
  readonly kind: string
  /** One sentence for a person: why. */
  readonly why?: string
  readonly [field: string]: unknown
}
