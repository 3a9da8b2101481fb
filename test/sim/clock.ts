/**
 * Time and chance for simulations: a clock that stands still until the hand moves it, and random bytes of a seed.
 *
 * Due calls run in order of their time, and in order of their making at the same time. Each call sees the clock at its
 * own time, so a chain of timers unrolls as in life. The system clock is here too, for servers on real loopback.
 */
import type { Clock, Random } from '../../main/engine/base/env.ts'

interface Due {
  readonly atMs: number
  readonly order: number
  readonly call: () => void
}

/** A clock moved by hand. Wall time starts at 2026-01-01T00:00:00Z unless told. */
export class HandClock implements Clock {
  #nowMs = 0
  #wallMs: number
  #order = 0
  /** In the order in which they will run. */
  readonly #due: Due[] = []

  constructor(wallMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = wallMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return this.#wallMs
  }

  after(delayMs: number, call: () => void): () => void {
    const due = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, call }
    this.#due.splice(this.#placeOf(due), 0, due)
    return () => {
      const at = this.#placeOf(due)
      if (this.#due[at] === due) this.#due.splice(at, 1)
    }
  }

  /** How many calls still wait. */
  get waiting(): number {
    return this.#due.length
  }

  /** When the next call is due, if any waits. */
  nextDueMs(): number | undefined {
    return this.#due[0]?.atMs
  }

  /** Moves on by `ms`, running everything that falls due on the way. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms
    for (let due = this.#takeDue(endMs); due; due = this.#takeDue(endMs)) {
      this.#moveTo(due.atMs)
      due.call()
    }
    this.#moveTo(endMs)
  }

  /** As `advance`, but lets promises and streams settle after every call; one round is enough for promises alone. */
  async run(ms: number, rounds = 4): Promise<void> {
    const endMs = this.#nowMs + ms
    await settle(rounds)
    for (let due = this.#takeDue(endMs); due; due = this.#takeDue(endMs)) {
      this.#moveTo(due.atMs)
      due.call()
      await settle(rounds)
    }
    this.#moveTo(endMs)
  }

  /** Moves the wall clock alone: a person or NTP sets the time. */
  setWall(wallMs: number): void {
    this.#wallMs = wallMs
  }

  #moveTo(atMs: number): void {
    const ms = Math.max(0, atMs - this.#nowMs)
    this.#nowMs += ms
    this.#wallMs += ms
  }

  #takeDue(endMs: number): Due | undefined {
    return this.#due[0] !== undefined && this.#due[0].atMs <= endMs ? this.#due.shift() : undefined
  }

  /** Where a call stands, or would stand, in the order of time and then of making. */
  #placeOf(due: Due): number {
    let [low, high] = [0, this.#due.length]
    while (low < high) {
      const middle = (low + high) >> 1
      const one = this.#due[middle]!
      if (one.atMs < due.atMs || (one.atMs === due.atMs && one.order < due.order)) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Lets every promise and in-memory stream that can go on do so, without waiting for time. */
export async function settle(rounds = 4): Promise<void> {
  for (let i = 0; i < rounds; i++) await new Promise((done) => setImmediate(done))
}

/** The machine's own time, for servers on loopback. Timers do not keep a process alive. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** Random bytes that depend on the seed alone (sfc32), never for real keys. */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9
  let b = 0x243f6a88
  let c = 0xb7e15162 ^ seed
  let counter = seed | 0
  const next = (): number => {
    const t = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + t
    return t >>> 0
  }
  for (let i = 0; i < 12; i++) next()
  return {
    bytes(length) {
      const out = new Uint8Array(length)
      for (let i = 0; i < length; i++) out[i] = next() & 255
      return out
    },
    unit: () => next() / 2 ** 32,
  }
}

/** The system's randomness. */
export const systemRandom: Random = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  unit: () => Math.random(),
}
