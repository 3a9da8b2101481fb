/**
 * Watches the address that carries a peer's traffic: how long its last pong vouches for it, when the next heartbeat is due,
 * and how many pings in a row were not answered in time. Pure.
 *
 *   heartbeat ──no pong in half as long again as usual──▶ ping again at once, and again ──three missed──▶ suspect
 *
 * Three quick pings tell a dead path from a lossy one within 0.4 s; where one packet in twenty is lost each way it
 * happens by chance once in a thousand heartbeats.
 */
import type { Candidate } from './candidates.ts'

/** A pong vouches for its address for this long (endpoint.go, trustUDPAddrDuration). */
export const TRUST_MS = 6500
const MISSES_TO_SUSPECT = 3
const MISSES_TO_DROP = 5
const FIRST_WAIT_MIN_MS = 120
const WAIT_MAX_MS = 1000

export class Watch {
  readonly candidate: Candidate
  #trustedUntilMs: number
  #misses = 0
  #missAtMs: number | undefined
  #heartbeatAtMs = Number.POSITIVE_INFINITY

  /** The address just answered. */
  constructor(nowMs: number, candidate: Candidate) {
    this.candidate = candidate
    this.#trustedUntilMs = nowMs + TRUST_MS
  }

  /** Pings in a row without a pong in time. */
  get misses(): number {
    return this.#misses
  }

  get trustedUntilMs(): number {
    return this.#trustedUntilMs
  }

  get isResting(): boolean {
    return this.#heartbeatAtMs === Number.POSITIVE_INFINITY
  }

  isProven(nowMs: number): boolean {
    return nowMs < this.#trustedUntilMs && this.#misses < MISSES_TO_SUSPECT
  }

  /** When something has to be done: a heartbeat, or a missed pong to be counted. */
  get dueMs(): number {
    return Math.min(this.#missAtMs ?? Number.POSITIVE_INFINITY, this.#heartbeatAtMs)
  }

  /** The next heartbeat is at that time. */
  beatAt(atMs: number): void {
    this.#heartbeatAtMs = atMs
  }

  /** What was proven may hold no longer: the next pong decides. */
  doubt(nowMs: number): void {
    this.#trustedUntilMs = Math.min(this.#trustedUntilMs, nowMs)
    this.#misses = 0
    this.#missAtMs = undefined
  }

  /** Nobody uses the path: no pings. */
  rest(): void {
    this.#heartbeatAtMs = Number.POSITIVE_INFINITY
    this.#missAtMs = undefined
    this.#misses = 0
  }

  notePing(nowMs: number): void {
    this.#missAtMs ??= nowMs + this.pongWaitMs()
  }

  notePong(nowMs: number): void {
    this.#trustedUntilMs = nowMs + TRUST_MS
    this.#misses = 0
    this.#missAtMs = undefined
  }

  /** How long a pong may take before it counts as missed: short after the first miss, longer again where nothing answers. */
  pongWaitMs(): number {
    const usualMs = Math.max(...this.candidate.samplesMs, 0)
    const mostMs = Math.max(WAIT_MAX_MS, 1.5 * usualMs)
    if (this.#misses === 0) return Math.min(Math.max(1.5 * usualMs + 60, FIRST_WAIT_MIN_MS), mostMs)
    return Math.min((usualMs + 60) * 1.3 ** (this.#misses - 1), mostMs)
  }

  /** What the time brings: 'miss' and 'suspect' want another ping at once, 'beat' wants one, 'dead' gives the address up. */
  judge(nowMs: number, heartbeatMs: number): 'wait' | 'beat' | 'miss' | 'suspect' | 'dead' {
    if (this.#missAtMs !== undefined && nowMs >= this.#missAtMs) {
      this.#misses++
      this.#missAtMs = undefined
      if (this.#misses >= MISSES_TO_DROP && nowMs >= this.#trustedUntilMs) return 'dead'
      return this.#misses === MISSES_TO_SUSPECT ? 'suspect' : 'miss'
    }
    if (nowMs < this.#heartbeatAtMs) return 'wait'
    this.#heartbeatAtMs = nowMs + heartbeatMs
    return this.#missAtMs === undefined ? 'beat' : 'wait'
  }
}
