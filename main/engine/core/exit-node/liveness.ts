/**
 * Whether one exit node answers. Pure machine of one device; times are monotonic milliseconds.
 *
 *   unknown ──heard──▶ alive ──asked again and again, silent──▶ dead ──heard──▶ alive
 *
 * Silence counts only while somebody asks: from the first unanswered question it takes four seconds and three questions. Less
 * when the server says as well that it is offline, and less again when packets go there in vain and another device was heard
 * meanwhile: then it is not our own network that is silent. Whatever comes from it through the tunnel is an answer. A dead one
 * is asked ever more rarely, at once when there is news of it.
 */
import type { ExitMeasure } from './types.ts'

/** `used`: traffic goes there; `waited`: traffic goes elsewhere until it is back; `asked`: it is measured once. */
export type LifeRole = 'used' | 'waited' | 'asked'

const ASK_EVERY_MS = 1000
const SILENT_MS = 4000
/** The same when the server says that it is offline. */
const SILENT_OFFLINE_MS = 2500
/** Packets that go out in vain for so long are reason enough to ask; from then on it is asked more often. */
const ONE_WAY_MS = 1000
const ASK_ONE_WAY_MS = 500
/** The same while packets go out in vain, and another one was heard so long ago: a break of our own network ends for both. */
const SILENT_ONE_WAY_MS = 2000
const PROVEN_MS = 1200
const MIN_ASKED = 3
/** After what it has said last, a wish to send is reason enough to ask. */
const FRESH_MS = 4000
const IDLE_MS = 60_000
const WAITED_ALIVE_MS = 10_000
/** How often a dead one is asked, by how long it has been dead. */
const DEAD_EVERY: readonly { readonly beforeMs: number; readonly everyMs: number }[] = [
  { beforeMs: 30_000, everyMs: 2000 }, { beforeMs: 300_000, everyMs: 10_000 }, { beforeMs: Infinity, everyMs: 30_000 },
]
/** A device that fails often is trusted again only after this much longer each time. */
const HOLD_MS = 30_000
const MAX_HOLD_MS = 600_000
const FORGET_FAILURES_MS = 1_800_000

export class Liveness {
  measure: ExitMeasure | undefined
  #heardMs = Number.NEGATIVE_INFINITY
  #askedMs = Number.NEGATIVE_INFINITY
  /** First question that nothing has answered, and how many since. */
  #silentSinceMs: number | undefined
  #asked = 0
  /** Since when packets go out and nothing comes back. */
  #oneWaySinceMs: number | undefined
  /** First time in its silence that another one was heard. */
  #provenMs: number | undefined
  #isWanted = false
  #deadSinceMs: number | undefined
  #aliveSinceMs: number | undefined
  #failures = 0

  get isDead(): boolean {
    return this.#deadSinceMs !== undefined
  }

  /** Whether it has ever been heard, and not been dead since. */
  get isAlive(): boolean {
    return this.#aliveSinceMs !== undefined
  }

  /** Whether it was heard at that time or later. */
  heardSince(ms: number): boolean {
    return this.#heardMs >= ms
  }

  /** Whether it was asked and has not answered. */
  get isSilent(): boolean {
    return this.#silentSinceMs !== undefined
  }

  /** Whether packets go there in vain. */
  get isOneWay(): boolean {
    return this.#oneWaySinceMs !== undefined
  }

  /** How long it has been silent since the first question. */
  silentForMs(nowMs: number): number {
    return this.#silentSinceMs === undefined ? 0 : nowMs - this.#silentSinceMs
  }

  /** Whether it has answered for so long that traffic may come back to it. */
  isSteady(nowMs: number): boolean {
    return this.#aliveSinceMs !== undefined && nowMs - this.#aliveSinceMs >= this.holdMs
  }

  /** How long it has to answer before traffic comes back to it. */
  get holdMs(): number {
    return Math.min(HOLD_MS * 2 ** Math.max(0, this.#failures - 1), MAX_HOLD_MS)
  }

  get steadyAtMs(): number {
    return this.#aliveSinceMs === undefined ? Infinity : this.#aliveSinceMs + this.holdMs
  }

  /** Something came from it. */
  handleHeard(nowMs: number, measure?: ExitMeasure): void {
    if (measure) this.measure = measure
    if (this.#aliveSinceMs === undefined) this.#aliveSinceMs = nowMs
    else if (nowMs - this.#aliveSinceMs > FORGET_FAILURES_MS) this.#failures = 0
    this.#heardMs = nowMs
    this.#deadSinceMs = undefined
    this.#endSilence()
  }

  /** Another device was heard: our own network carries. */
  handleOtherHeard(nowMs: number): void {
    if (this.#silentSinceMs !== undefined) this.#provenMs ??= nowMs
  }

  /** It was asked. */
  handleAsked(nowMs: number): void {
    this.#askedMs = nowMs
    this.#isWanted = false
    this.#silentSinceMs ??= nowMs
    this.#asked++
  }

  /** There is a reason to ask it now. */
  want(): void {
    this.#isWanted = true
  }

  /** Something is to be sent there. */
  handleWish(nowMs: number): void {
    if (nowMs - this.#heardMs > FRESH_MS) this.#isWanted = true
  }

  /** Packets have gone there since that time, and nothing came back. */
  handleOneWay(nowMs: number, sinceMs: number): void {
    if (this.#deadSinceMs !== undefined) return
    this.#oneWaySinceMs ??= Math.max(sinceMs, this.#heardMs)
    if (nowMs - this.#oneWaySinceMs >= ONE_WAY_MS) this.#isWanted = true
  }

  /** What was silence may have been our own network. */
  forgiveSilence(): void {
    this.#endSilence()
    this.#isWanted = true
  }

  /** Takes notice that it is dead, if it is. */
  judge(nowMs: number, serverSaysOffline: boolean): void {
    if (this.#deadSinceMs !== undefined || nowMs < this.#deadAtMs(serverSaysOffline)) return
    this.#deadSinceMs = nowMs
    this.#aliveSinceMs = undefined
    this.measure = undefined
    this.#failures++
  }

  /** When it has to be asked or judged next in this role. */
  dueMs(role: LifeRole, serverSaysOffline: boolean): number {
    return Math.min(this.askAtMs(role), this.#deadSinceMs === undefined ? this.#deadAtMs(serverSaysOffline) : Infinity)
  }

  /** When it is to be asked next. */
  askAtMs(role: LifeRole): number {
    if (this.#isWanted) return this.#askedMs + ASK_EVERY_MS / 2
    if (role === 'asked') return this.#silentSinceMs !== undefined && this.#asked < MIN_ASKED ? this.#askedMs + ASK_EVERY_MS : Infinity
    if (this.#deadSinceMs !== undefined) {
      const deadMs = this.#askedMs - this.#deadSinceMs
      return this.#askedMs + DEAD_EVERY.find(({ beforeMs }) => deadMs < beforeMs)!.everyMs
    }
    if (this.#silentSinceMs !== undefined) return this.#askedMs + this.#paceMs
    if (this.#aliveSinceMs === undefined) return Number.NEGATIVE_INFINITY
    return this.#heardMs + (role === 'used' ? IDLE_MS : WAITED_ALIVE_MS)
  }

  #deadAtMs(serverSaysOffline: boolean): number {
    if (this.#silentSinceMs === undefined) return Infinity
    const patientMs = this.#silentSinceMs + (serverSaysOffline ? SILENT_OFFLINE_MS : SILENT_MS)
    const provenMs = this.isOneWay && this.#provenMs !== undefined ? Math.max(this.#silentSinceMs + SILENT_ONE_WAY_MS, this.#provenMs + PROVEN_MS) : Infinity
    const atMs = Math.min(patientMs, provenMs)
    // Questions that were not asked yet will be.
    return this.#asked >= MIN_ASKED ? atMs : Math.max(atMs, this.#askedMs + (MIN_ASKED - this.#asked) * this.#paceMs)
  }

  get #paceMs(): number {
    return this.isOneWay ? ASK_ONE_WAY_MS : ASK_EVERY_MS
  }

  #endSilence(): void {
    this.#silentSinceMs = this.#oneWaySinceMs = this.#provenMs = undefined
    this.#asked = 0
  }
}
