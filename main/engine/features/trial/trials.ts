/**
 * Changes on trial: made at once, taken back by themselves unless somebody keeps them, whatever becomes of the window or of this engine.
 * What to go back to is on disk before the change is made; an engine that finds it there takes the change back before it connects.
 */
import type { Env } from '../../base/env.ts'
import { toHex } from '../../base/bytes.ts'
import { EngineError, errorText } from '../../base/errors.ts'
import { differing, isNothing, stepTrial, undoing } from './trial.ts'
import type { OpenTrial, SavedTrial, TrialValues } from './trial.ts'
import type { FeaturePort } from '../../backend/ports.ts'
import type { Loss, TrialEnd, TrialPage, WantedChange } from '../../../localapi/machine.ts'
import type { Notify } from '../../../localapi/types.ts'
import { WATCH } from '../../../localapi/watch-mask.ts'
import type { ChangePort, MachinePort, TrialStorePort, WantedPort } from './ports.ts'
import { isRecord, readAnswer, readChange, readSeconds } from './read-change.ts'
import { forgetTrial, loadTrial, saveTrial } from './trial-store.ts'

export interface TrialsDeps {
  readonly env: Env
  readonly store: TrialStorePort
  readonly wanted: WantedPort
  readonly changes: ChangePort
  readonly machine: MachinePort
  readonly losses: (change: WantedChange) => Promise<readonly Loss[]>
  readonly emit: (part: Partial<Notify>) => void
}

const WHY: Readonly<Record<TrialEnd, string>> = {
  kept: 'a person kept it',
  undone: 'a person took it back',
  'ran-out': 'nobody kept it in time',
  restarted: 'the engine ended before anybody kept it',
  left: 'another profile was chosen before anybody kept it',
  replaced: 'all of it was changed to something else',
}

const MIN_WAIT_MS = 1

export class Trials implements FeaturePort {
  readonly #deps: TrialsDeps
  #open: OpenTrial | undefined
  #last: TrialPage['Last']
  /** A change is being made or taken back: what is seen meanwhile is nobody's doing. */
  #isBusy = false
  #cancelTimer: (() => void) | undefined

  constructor(deps: TrialsDeps) {
    this.#deps = deps
  }

  initial(mask: number): Partial<Notify> {
    return (mask & WATCH.machine) === 0 ? {} : { Trial: this.page() }
  }

  standing(): Partial<Notify> {
    return {}
  }

  /** Takes back what an engine before this one left open. */
  loaded(): void {
    const { store, wanted, env } = this.#deps
    const saved = loadTrial(store)
    if (!saved) return
    if (saved.profileId !== wanted.profileId()) {
      env.journal.add({ part: 'trial', kind: 'dropped', why: 'its profile is not in use any more', id: saved.id })
      forgetTrial(store)
      return
    }
    void this.#end(saved, 'restarted')
  }

  leaving(): void {
    if (this.#open) void this.#end(this.#open, 'left')
  }

  changed(): void {
    this.#step()
  }

  stop(): void {
    this.#cancelTimer?.()
  }

  page(): TrialPage {
    const { env } = this.#deps
    const open = this.#open
    return {
      ...(open
        ? { Trial: { ID: open.id, Until: new Date(open.untilWallMs).toISOString(), LeftMs: Math.max(0, Math.ceil(open.untilMs - env.clock.nowMs())), Change: open.change, Back: open.back, Losses: open.losses } }
        : {}),
      ...(this.#last ? { Last: this.#last } : {}),
    }
  }

  /** Begins a trial (TrialRequest) or answers the one that is open (TrialAnswer). Rejects with EngineError, and then nothing is changed. */
  async act(body: unknown): Promise<TrialPage> {
    const answer = readAnswer(body)
    if (answer) {
      if (this.#open?.id !== answer.ID) throw new EngineError('not-found', 'This trial is over.')
      await this.#end(this.#open, answer.Answer === 'keep' ? 'kept' : 'undone')
    } else if (isRecord(body)) {
      await this.#begin(readChange(body['Change']), readSeconds(body['Seconds']))
    } else throw new EngineError('bad-argument', 'Send Change to begin a trial, or ID and Answer.')
    return this.page()
  }

  async #begin(change: WantedChange, seconds: number): Promise<void> {
    const { env, store, losses: lossesOf } = this.#deps
    if (this.#open || this.#isBusy) throw new EngineError('already-running', 'Another change is on trial. Keep it or undo it first.')
    this.#isBusy = true
    try {
      const losses = await lossesOf(change)
      const saved = this.#prepared(change, seconds, losses)
      saveTrial(store, saved)
      await this.#apply(saved.forth).catch(async (error: unknown) => {
        await this.#apply(undoing(saved, this.#values())).catch(() => {})
        forgetTrial(store)
        throw error
      })
      this.#open = { ...saved, untilWallMs: env.clock.wallMs() + seconds * 1000, untilMs: env.clock.nowMs() + seconds * 1000 }
    } finally {
      this.#isBusy = false
    }
    const { id, forth, losses } = this.#open
    env.log.info(`on trial for ${seconds} s: ${namesOf(forth)}`)
    env.journal.add({ part: 'trial', kind: 'begun', why: `a person tries a change for ${seconds} s`, id, fields: fieldsOf(forth), losses: losses.map(({ Kind }) => Kind) })
    this.#arm()
    this.#deps.emit({ Trial: this.page() })
  }

  /** What is to be written down. Throws EngineError. */
  #prepared(change: WantedChange, seconds: number, losses: readonly Loss[]): SavedTrial {
    const { env, wanted } = this.#deps
    const before = this.#values()
    const after = { ...wanted.valuesAfter(change), mode: change.Mode ?? before.mode }
    const forth = differing(before, after)
    if (isNothing(forth)) throw new EngineError('bad-argument', 'It is so already: there is nothing to try.')
    return { id: toHex(env.random.bytes(4)), profileId: wanted.profileId(), change, forth, back: differing(after, before), untilWallMs: env.clock.wallMs() + seconds * 1000, losses }
  }

  #values(): TrialValues {
    return { ...this.#deps.wanted.values(), mode: this.#deps.machine.page().Mode }
  }

  /** Time may be up, or nothing of the change is left. */
  #step(): void {
    const open = this.#open
    if (!open || this.#isBusy) return
    const step = stepTrial(open, this.#deps.env.clock.nowMs(), this.#values())
    if (step.kind === 'ends') void this.#end(open, step.end)
  }

  #arm(): void {
    const { clock } = this.#deps.env
    this.#cancelTimer?.()
    this.#cancelTimer = this.#open && clock.after(Math.max(MIN_WAIT_MS, this.#open.untilMs - clock.nowMs()), () => {
      this.#step()
      // Timers may come a moment early, or while a change is being made.
      if (this.#open) this.#arm()
    })
  }

  /** Settings are back before the first wait; never rejects. */
  async #end(trial: SavedTrial, end: TrialEnd): Promise<void> {
    const { env, store, emit } = this.#deps
    this.#open = undefined
    this.#cancelTimer?.()
    const undo = end === 'kept' || end === 'replaced' ? {} : undoing(trial, this.#values())
    this.#isBusy = true
    let why = WHY[end]
    try {
      await this.#apply(undo)
    } catch (error) {
      why = `${why}, but it could not be taken back: ${errorText(error)}`
    } finally {
      this.#isBusy = false
    }
    // Only now: an engine that dies in between takes it back again.
    forgetTrial(store)
    this.#last = { ID: trial.id, End: end, At: new Date(env.clock.wallMs()).toISOString(), Why: why }
    env.log.info(`trial of ${namesOf(trial.forth)} → ${end} (${why})`)
    env.journal.add({ part: 'trial', kind: end, why, id: trial.id, fields: fieldsOf(undo) })
    emit({ Trial: this.page() })
  }

  async #apply({ Prefs: prefs, SkippedRoutes, Mode }: WantedChange): Promise<void> {
    const { changes } = this.#deps
    if (prefs) changes.editPrefs(prefs)
    if (SkippedRoutes) changes.setSkippedRoutes(SkippedRoutes)
    if (Mode) await changes.setMode(Mode)
  }
}

function fieldsOf({ Prefs: prefs = {}, Mode, SkippedRoutes }: WantedChange): readonly string[] {
  const marked = Object.keys(prefs).filter((name) => name.endsWith('Set')).map((name) => name.slice(0, -3))
  return [...marked, ...(Mode === undefined ? [] : ['Mode']), ...(SkippedRoutes === undefined ? [] : ['SkippedRoutes'])]
}

function namesOf(change: WantedChange): string {
  return fieldsOf(change).join(', ')
}
