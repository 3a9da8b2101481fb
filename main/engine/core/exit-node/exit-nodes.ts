/**
 * Which exit node is used, and what when it does not answer. Pure machine; `step` says what to do until something happens.
 *
 *   none
 *   node   the chosen one ──dead──▶ rule: blocked | the next best that answers | past it      back: as soon as it answers (a next one
 *                                                                                              is left once the chosen one is steady)
 *   auto   all are asked ──the best that answers, 0.7 s after the first answer──▶ in use ──dead──▶ the next best, else the rule
 *                                                                    looked at once more 6 s later, and after a move to another network
 *
 * Nobody is left while it works, but by an automatic choice at those two looks, when another is much better, or for one that a
 * person put before it; so nothing ever flaps. The server's word that a device is offline is a reason to ask it, never more.
 * A pause is a person's: it ends at its time, with the choice, or when it is told to. The map's own objections are judged in
 * core/plan/egress; here they count as death.
 */
import { UNRESOLVED_EXIT } from '../plan/egress.ts'
import type { ExitVerdict } from '../plan/egress.ts'
import { Liveness } from './liveness.ts'
import type { LifeRole } from './liveness.ts'
import { compareExits, isWorthMoving, measureText } from './rank.ts'
import type { Measured } from './rank.ts'
import type { ExitChoice, ExitFacts, ExitMeasure, ExitPause, ExitStep } from './types.ts'

/** More than these are not asked at once. */
const MAX_ASKED = 24
/** The best is taken so long after the first answer, or when all have answered. */
const SETTLE_MS = 700
/** By then whoever lives has answered. */
const LOOK_MS = 3500
/** An answer younger than this needs no other one. */
const RECENT_MS = 5000
/** Direct paths need a moment: the choice is looked at once more. */
const LOOK_AGAIN_MS = 6000
const AFTER_MOVE_MS = 3000
/** From this much silence on of the one in use the others are asked as well. */
const SUSPECT_MS = 1500
/** The same while packets go there in vain. */
const SUSPECT_ONE_WAY_MS = 700

const NO_FACTS: ExitFacts = { choice: { kind: 'none' }, failure: 'block', order: [], candidates: new Map(), hasNetwork: true }

interface Look {
  /** For one to use now, or for a better one than that in use. */
  readonly kind: 'choose' | 'improve'
  /** Answers from then on count. */
  readonly sinceMs: number
  readonly endsAtMs: number
  firstAnswerMs: number | undefined
}

export class ExitNodes {
  #facts: ExitFacts = NO_FACTS
  readonly #lives = new Map<string, Liveness>()
  /** "" = none yet. */
  #current = ''
  #why = ''
  #look: Look | undefined
  #lookAgainMs = Infinity
  #pause: ExitPause | undefined

  /** In use, or to be used again as soon as it answers; "" = none. */
  get current(): string {
    return this.#current
  }

  get pause(): ExitPause | undefined {
    return this.#pause
  }

  /** What was measured of a device last, and whether it is known to be silent. */
  lifeOf(id: string): { readonly measure: ExitMeasure | undefined; readonly isDead: boolean; readonly isAlive: boolean } {
    const life = this.#lives.get(id)
    return { measure: life?.measure, isDead: life?.isDead === true, isAlive: life?.isAlive === true }
  }

  /** The whole of what is wanted and known. */
  handleFacts(nowMs: number, facts: ExitFacts): void {
    const before = this.#facts
    this.#facts = facts
    for (const id of this.#lives.keys()) if (!facts.candidates.has(id)) this.#lives.delete(id)
    for (const [id, { online }] of facts.candidates) {
      if (online !== before.candidates.get(id)?.online && (this.#look || this.#roleOf(id) !== 'asked')) this.#life(id).want()
    }
    if (facts.hasNetwork && !before.hasNetwork) this.#forgive()
    if (!sameChoice(before.choice, facts.choice, this.#current)) this.#begin(nowMs)
    // Another one was in its place, and may be no longer.
    if (facts.choice.kind === 'node' && facts.failure !== 'next' && this.#current !== facts.choice.id) this.#begin(nowMs)
  }

  /** Something came from a device, or it answered. */
  handleHeard(nowMs: number, id: string, measure?: ExitMeasure): void {
    if (!this.#facts.candidates.has(id)) return
    this.#life(id).handleHeard(nowMs, measure)
    if (id !== this.#current) this.#lives.get(this.#current)?.handleOtherHeard(nowMs)
  }

  /** Something is to go out. */
  handleWish(nowMs: number): void {
    if (this.#current !== '') this.#life(this.#current).handleWish(nowMs)
  }

  /** Packets have gone to the one in use since that time, and none came back. */
  handleOneWay(nowMs: number, sinceMs: number): void {
    if (this.#current !== '') this.#life(this.#current).handleOneWay(nowMs, sinceMs)
  }

  /** This machine is, or may be, somewhere else. */
  handleMove(nowMs: number): void {
    this.#forgive()
    if (this.#facts.choice.kind === 'auto') this.#lookAgainMs = nowMs + AFTER_MOVE_MS
  }

  /** Everyone is asked once, for a person who looks. */
  measureAll(): void {
    for (const id of this.#askable()) this.#life(id).want()
  }

  /** Lets traffic past the exit node. */
  handlePause(pause: ExitPause): void {
    if (this.#facts.choice.kind !== 'none') this.#pause = pause
  }

  handleResume(): void {
    this.#pause = undefined
  }

  /** Candidates, the best first. */
  ranked(): readonly Measured[] {
    return [...this.#facts.candidates.values()]
      .map((candidate): Measured => ({ candidate, measure: this.#lives.get(candidate.id)?.measure }))
      .sort((a, b) => compareExits(a, b, this.#facts.order))
  }

  /** What is to be done now. Questions that it names count as asked. */
  step(nowMs: number): ExitStep {
    if (this.#pause?.untilMs !== undefined && nowMs >= this.#pause.untilMs) this.#pause = undefined
    const { choice, hasNetwork } = this.#facts
    if (hasNetwork) for (const [id, life] of this.#lives) life.judge(nowMs, this.#isOffline(id))
    if (choice.kind !== 'none' && hasNetwork) this.#decide(nowMs)
    const ask = hasNetwork ? this.#dueIds(nowMs) : []
    for (const id of ask) this.#life(id).handleAsked(nowMs)
    return { verdict: this.#verdict(), ask, chosen: choice.kind === 'auto' && this.#current !== '' ? this.#current : undefined, wakeAtMs: this.#wakeAtMs(nowMs) }
  }

  #begin(nowMs: number): void {
    const { choice } = this.#facts
    this.#pause = undefined
    this.#look = undefined
    this.#lookAgainMs = Infinity
    this.#current = choice.kind === 'none' ? '' : choice.id
    this.#why = choice.kind === 'auto' ? 'it was in use before' : 'chosen by you'
    if (choice.kind === 'auto' && !this.#facts.candidates.has(choice.id)) this.#current = ''
    if (this.#current !== '' && this.#facts.candidates.has(this.#current)) this.#life(this.#current).want()
    if (choice.kind === 'auto' && this.#current === '') this.#startLook(nowMs, 'choose')
    else if (choice.kind === 'auto') this.#lookAgainMs = nowMs + LOOK_AGAIN_MS
  }

  #decide(nowMs: number): void {
    if (nowMs >= this.#lookAgainMs) {
      this.#lookAgainMs = Infinity
      if (!this.#look && this.#isUsable(this.#current)) this.#startLook(nowMs, 'improve')
    }
    if (this.#mayReplace()) this.#lookForAnother(nowMs)
    if (this.#look) this.#endLook(nowMs, this.#look)
    this.#goBack(nowMs)
  }

  /** Whether another may be used than the one that was chosen. */
  #mayReplace(): boolean {
    return this.#facts.choice.kind === 'auto' || this.#facts.failure === 'next'
  }

  /** The one in use is gone, or falls silent: those that could follow it are asked. */
  #lookForAnother(nowMs: number): void {
    const life = this.#lives.get(this.#current)
    const isSuspect = life !== undefined && life.silentForMs(nowMs) >= suspectMs(life)
    if (this.#look?.kind === 'choose' || (this.#isUsable(this.#current) && !isSuspect)) return
    this.#startLook(nowMs, 'choose')
  }

  #startLook(nowMs: number, kind: Look['kind']): void {
    this.#look = { kind, sinceMs: nowMs - (kind === 'choose' ? RECENT_MS : 0), endsAtMs: nowMs + LOOK_MS, firstAnswerMs: undefined }
    // Who was heard before the one in use fell silent proves nothing of our own network.
    const silentMs = this.#lives.get(this.#current)?.silentForMs(nowMs) ?? 0
    const sinceMs = silentMs > 0 ? Math.max(this.#look.sinceMs, nowMs - silentMs) : this.#look.sinceMs
    for (const id of this.#askable()) if (!this.#life(id).heardSince(sinceMs)) this.#life(id).want()
  }

  #endLook(nowMs: number, look: Look): void {
    const asked = this.#askable().filter((id) => id !== this.#current)
    const heard = asked.filter((id) => this.#life(id).heardSince(look.sinceMs) && this.#isUsable(id) && this.#life(id).measure !== undefined)
    const isCurrentUsable = this.#isUsable(this.#current)
    if (heard.length > 0) look.firstAnswerMs ??= nowMs
    const isSettled = nowMs >= look.endsAtMs || (look.firstAnswerMs !== undefined && (heard.length === asked.length || nowMs >= look.firstAnswerMs + SETTLE_MS))
    if (look.kind === 'choose' && isCurrentUsable) {
      // It fell silent and may yet answer: what the others say is kept for then.
      if (this.#life(this.#current).silentForMs(nowMs) === 0) this.#look = undefined
      return
    }
    if (!isSettled) return
    const best = this.ranked().find(({ candidate }) => heard.includes(candidate.id))
    this.#look = undefined
    if (!best) {
      // Nobody answers: the same again later, when those that are asked have had their time.
      if (look.kind === 'choose') this.#look = { ...look, sinceMs: nowMs, endsAtMs: nowMs + 2 * LOOK_MS, firstAnswerMs: undefined }
      if (look.kind === 'choose') for (const id of asked) this.#life(id).want()
      return
    }
    if (look.kind === 'choose') return this.#switchTo(best, `${this.#whyLeft()}${whyBest(best, heard.length)}`, this.#current === '' ? nowMs + LOOK_AGAIN_MS : Infinity)
    const current = this.ranked().find(({ candidate }) => candidate.id === this.#current)
    if (current && isWorthMoving(current, best, this.#facts.order)) this.#switchTo(best, `${current.candidate.name} is less near: ${whyBest(best, heard.length)}`, Infinity)
  }

  #switchTo({ candidate }: Measured, why: string, lookAgainMs: number): void {
    this.#current = candidate.id
    this.#why = why
    this.#look = undefined
    this.#lookAgainMs = lookAgainMs
  }

  /** Back to one that a person would rather have, once it is steady. */
  #goBack(nowMs: number): void {
    for (const id of this.#rather()) {
      const candidate = this.#facts.candidates.get(id)
      if (!candidate || !this.#isUsable(id) || !this.#life(id).isAlive) continue
      // Who has no way out at all does not wait until it is steady.
      if (this.#isUsable(this.#current) && !this.#life(id).isSteady(nowMs)) continue
      const isChosen = this.#facts.choice.kind === 'node'
      return this.#switchTo({ candidate, measure: undefined }, isChosen ? 'chosen by you' : 'it comes first in your order and answers', Infinity)
    }
  }

  /** Those that a person wants before the one in use. */
  #rather(): readonly string[] {
    const { choice, order, candidates } = this.#facts
    const wanted = choice.kind === 'node' ? [choice.id] : choice.kind === 'auto' ? order.filter((id) => candidates.has(id)) : []
    const at = wanted.indexOf(this.#current)
    return at < 0 ? wanted : wanted.slice(0, at)
  }

  #verdict(): ExitVerdict | undefined {
    const { choice, failure, candidates, hasNetwork } = this.#facts
    if (choice.kind === 'none') return undefined
    const wanted = choice.kind === 'node' ? choice.id : this.#current
    if (this.#pause) return { kind: 'pause', id: this.#current || wanted, why: this.#pause.why }
    if (this.#isUsable(this.#current)) return { kind: 'use', id: this.#current, why: this.#why }
    // It is not known who answers: what was wanted stays in force.
    if (!hasNetwork && this.#current !== '') return { kind: 'use', id: this.#current, why: this.#why }
    if (choice.kind === 'auto' && this.#current === '') {
      if (failure === 'direct' && this.#isHopeless()) return { kind: 'pause', id: '', why: 'past the exit nodes, as you chose for this case: none answers' }
      const why = candidates.size === 0 ? 'no device offers itself as exit node' : this.#isHopeless() ? 'no exit node answers' : 'the best exit node is still being looked for'
      return { kind: 'block', id: UNRESOLVED_EXIT, why: `blocked because ${why}` }
    }
    const fault = this.#faultText(wanted)
    const others = this.#mayReplace() ? (this.#isHopeless() ? ', and no other one answers' : '; the next one is being looked for') : ''
    if (failure === 'direct' && (choice.kind === 'node' || this.#isHopeless())) return { kind: 'pause', id: wanted, why: `past the exit node, as you chose for this case: ${fault}${others}` }
    // What the map objects to is said by whoever reads the map.
    if (!this.#mayReplace() && candidates.get(wanted)?.fault !== undefined) return { kind: 'use', id: wanted, why: this.#why }
    if (!this.#mayReplace() && !candidates.has(wanted)) return undefined
    return { kind: 'block', id: wanted, why: `blocked because ${fault}${others}` }
  }

  /** Whether everybody has been asked in vain. */
  #isHopeless(): boolean {
    return this.#askable().every((id) => !this.#isUsable(id))
  }

  #faultText(id: string): string {
    const candidate = this.#facts.candidates.get(id)
    if (!candidate) return 'the chosen exit node is not in this network any more'
    return `the exit node ${candidate.name} ${candidate.fault ?? (candidate.online === false ? 'is offline' : 'does not answer')}`
  }

  /** Why the one before was left, as the beginning of a sentence. */
  #whyLeft(): string {
    return this.#current === '' ? '' : `${this.#faultText(this.#current).replace(/^the exit node /, '')}: `
  }

  #isUsable(id: string): boolean {
    const candidate = this.#facts.candidates.get(id)
    return candidate !== undefined && candidate.fault === undefined && this.#lives.get(id)?.isDead !== true
  }

  #isOffline(id: string): boolean {
    return this.#facts.candidates.get(id)?.online === false
  }

  /** Whom it makes sense to ask: bounded, those first that the server says are there. */
  #askable(): readonly string[] {
    const usable = [...this.#facts.candidates.values()].filter(({ fault }) => fault === undefined)
    const { order } = this.#facts
    const place = (id: string): number => (order.includes(id) ? order.indexOf(id) : order.length)
    return usable.sort((a, b) => Number(a.online === false) - Number(b.online === false) || place(a.id) - place(b.id)).slice(0, MAX_ASKED).map(({ id }) => id)
  }

  #roleOf(id: string): LifeRole {
    if (this.#facts.choice.kind === 'none') return 'asked'
    if (id === this.#current) return 'used'
    return this.#rather().includes(id) ? 'waited' : 'asked'
  }

  #dueIds(nowMs: number): string[] {
    return [...this.#lives].filter(([id, life]) => this.#facts.candidates.get(id)?.fault === undefined && nowMs >= life.askAtMs(this.#roleOf(id))).map(([id]) => id)
  }

  #wakeAtMs(nowMs: number): number {
    const { candidates, hasNetwork } = this.#facts
    const pauseMs = this.#pause?.untilMs ?? Infinity
    if (!hasNetwork) return pauseMs
    const dues = [...this.#lives].filter(([id]) => candidates.get(id)?.fault === undefined).map(([id, life]) => life.dueMs(this.#roleOf(id), this.#isOffline(id)))
    const steady = this.#rather().flatMap((id) => (this.#lives.get(id)?.isAlive === true ? [this.#lives.get(id)!.steadyAtMs] : []))
    const current = this.#lives.get(this.#current)
    const silentMs = current?.isDead === false ? current.silentForMs(nowMs) : 0
    const suspectAtMs = current && this.#mayReplace() && silentMs > 0 ? nowMs - silentMs + suspectMs(current) : Infinity
    const look = this.#look ? [this.#look.endsAtMs, (this.#look.firstAnswerMs ?? Infinity) + SETTLE_MS] : []
    const later = [pauseMs, suspectAtMs, this.#lookAgainMs, ...dues, ...steady, ...look].filter((at) => at > nowMs)
    return Math.min(Infinity, ...later)
  }

  #forgive(): void {
    for (const [id, life] of this.#lives) if (this.#roleOf(id) !== 'asked' || life.isSilent) life.forgiveSilence()
  }

  #life(id: string): Liveness {
    let life = this.#lives.get(id)
    if (!life) this.#lives.set(id, (life = new Liveness()))
    return life
  }
}

/** From how much silence on the others are asked as well. */
function suspectMs(life: Liveness): number {
  return life.isOneWay ? SUSPECT_ONE_WAY_MS : SUSPECT_MS
}

/** "direct, 12 ms", or "the nearest of 3: direct, 12 ms". */
function whyBest({ measure }: Measured, count: number): string {
  const text = measure ? measureText(measure) : 'it answers'
  return count > 1 ? `the nearest of ${count} that answer: ${text}` : `the only one that answers: ${text}`
}

/** `auto` is the same choice when only what was used last was noted. */
function sameChoice(a: ExitChoice, b: ExitChoice, current: string): boolean {
  if (a.kind === 'node' && b.kind === 'node') return a.id === b.id
  if (a.kind === 'auto' && b.kind === 'auto') return a.id === b.id || b.id === current
  return a.kind === b.kind
}
