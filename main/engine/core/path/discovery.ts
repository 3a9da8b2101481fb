/**
 * When the next round of pings to all addresses of a peer is due, and when the peer is called. Pure.
 *
 *   rounds after the start: at once, 0.05, 0.15, 0.35, 0.75, 1.5, 3 s (a first ping opens our side and dies at the peer's
 *   door; which later one gets in depends on when the peer opened its own), then every 5 s for two minutes, every 15 s for ten, then
 *   every 30 s; whatever is new (traffic, an address, a call, another network) starts the quick ones again
 *   calls: with the first round that has an address to ping, 0.7 s later once more (a peer whose map does not have us yet drops
 *   the first), then every 2.5 s at most
 *
 * A peer that is called pings us, and by that it uses up what it would have sent by itself: called before we have pinged
 * it, its pings find our side shut, and a stock peer sends no more for 5 s. So while no address of it is known the call
 * waits for the map or for the peer's own call.
 * The official client sends a round every 5 s with traffic and no quick ones (endpoint.go, discoPingInterval).
 */

const QUICK_MS = [50, 100, 200, 400, 750, 1500] as const
const STEADY_MS = 5000
const STEADY_FOR_MS = 120_000
const SLOW_MS = 15_000
const SLOW_FOR_MS = 600_000
const SLOWEST_MS = 30_000
/** An urgent start this soon after the last goes on with the running schedule. */
const RESTART_MIN_MS = 1000
/** Same address, steady rounds: just under the interval, so that a round finds its addresses due. */
const SPACING_MS = 4900
const QUICK_SPACING_MS = 40
/** How long a call waits for an address to ping. */
const CALL_BLIND_AFTER_MS = 400
const YOUNG_MS = 300
const CALL_AGAIN_MS = 650
const CALL_SPACING_MS = 2400

export class Discovery {
  #startedMs = Number.NEGATIVE_INFINITY
  #round = 0
  #calledMs = Number.NEGATIVE_INFINITY
  /** Since the start. */
  #calls = 0
  #dueMs: number | undefined
  #why = ''
  #isReserved = false
  /** Rounds follow each other, as opposed to one at a later time. */
  #isRunning = false

  get dueMs(): number | undefined {
    return this.#dueMs
  }

  get why(): string {
    return this.#why
  }

  /** The round that is due has waited its turn. */
  get isReserved(): boolean {
    return this.#isReserved
  }

  /** Least time since the last ping to an address for it to be pinged in this round. */
  get spacingMs(): number {
    return this.#round <= QUICK_MS.length ? QUICK_SPACING_MS : SPACING_MS
  }

  /** Whether a round may call the peer; `isUseful`: we have an address of it to ping, or it gets in without that. */
  mayCall(nowMs: number, isUseful: boolean): boolean {
    if (nowMs - this.#calledMs < (this.#calls === 1 ? CALL_AGAIN_MS : CALL_SPACING_MS)) return false
    return isUseful || nowMs - this.#startedMs >= CALL_BLIND_AFTER_MS
  }

  noteCall(nowMs: number): void {
    this.#calledMs = nowMs
    this.#calls++
  }

  /** Whether a direct path that is near may not have been proven yet. */
  isYoung(nowMs: number): boolean {
    return nowMs - this.#startedMs < YOUNG_MS
  }

  /** Looks from now on, if it does not already. `urgent`: the path in use just failed, so a schedule under way starts over. */
  start(nowMs: number, why: string, urgent: boolean): void {
    if (this.#isRunning && (!urgent || nowMs - this.#startedMs < RESTART_MIN_MS)) return
    this.#startedMs = nowMs
    this.#calls = 0
    this.#isRunning = true
    this.#round = 0
    this.#isReserved = false
    this.#dueMs = nowMs
    this.#why = why
  }

  /** The round that is due has its turn at that time. */
  reserve(atMs: number): void {
    this.#isReserved = true
    this.#dueMs = atMs
  }

  /** Something new came up while looking: a round now, and the quick ones again. */
  hurry(nowMs: number, why: string): void {
    if (this.#dueMs === undefined) return
    this.#round = 0
    this.#why = why
    if (!this.#isReserved) this.#dueMs = nowMs
  }

  /** One round was run. */
  advance(nowMs: number): void {
    const quick = QUICK_MS[this.#round++]
    const nextMs = nowMs + (quick ?? slowGapMs(nowMs - this.#startedMs))
    const blindMs = this.#startedMs + CALL_BLIND_AFTER_MS
    this.#dueMs = this.#calledMs < this.#startedMs && nowMs < blindMs ? Math.min(nextMs, blindMs) : nextMs
    this.#isReserved = false
    this.#why = 'no direct path yet'
  }

  /** One round at a later time, to look for something better. */
  later(atMs: number, why: string): void {
    this.#startedMs = Number.NEGATIVE_INFINITY
    this.#isRunning = false
    this.#round = QUICK_MS.length + 1
    this.#dueMs = atMs
    this.#isReserved = false
    this.#why = why
  }

  stop(): void {
    this.#isRunning = false
    this.#dueMs = undefined
    this.#isReserved = false
  }
}

function slowGapMs(sinceMs: number): number {
  return sinceMs < STEADY_FOR_MS ? STEADY_MS : sinceMs < SLOW_FOR_MS ? SLOW_MS : SLOWEST_MS
}
