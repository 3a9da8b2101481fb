/**
 * The session as one page for people: what is going on, since when, step by step, and what to do. Whoever shows it asks
 * with the version it has and is answered when there is another.
 *
 * The version is a number that no two engine lives share, so that a reader that outlives the engine is not left waiting.
 */
import type { Env } from '../base/env.ts'
import { LoginSteps } from '../core/session/login-steps.ts'
import type { LoginKind, StepView } from '../core/session/login-steps.ts'
import { ZERO_TIME } from '../core/tailcfg/types.ts'
import type { SessionPage } from '../../localapi/types.ts'
import type { Model } from './model.ts'
import { PageReaders } from './page-readers.ts'
import type { ControlState } from './ports.ts'
import { problemOf } from './session-problem.ts'

const MAX_READERS = 64

export class SessionPages {
  readonly #env: Env
  readonly #model: Model
  readonly #steps = new LoginSteps()
  readonly #readers: PageReaders<SessionPage>
  #version: number
  #kind: SessionPage['Kind'] = 'idle'
  #sinceMs: number
  /** Wall time of the last loss, from which its next attempt counts. */
  #lossMs = 0
  #shown = ''

  constructor(env: Env, model: Model) {
    this.#env = env
    this.#model = model
    this.#sinceMs = env.clock.wallMs()
    this.#version = Math.floor(this.#sinceMs)
    this.#readers = new PageReaders(env.clock, MAX_READERS, () => this.page())
  }

  /** A login of this kind begins. */
  handleBegin(kind: LoginKind): void {
    this.#steps.handleBegin(kind)
    this.refresh()
  }

  /** Takes a state of control in, of which the model knows; every step of it is one event of the journal. */
  handleState(state: ControlState): void {
    const wallMs = this.#env.clock.wallMs()
    if (state.kind === 'lost') this.#lossMs = wallMs
    for (const step of this.#steps.handleState(wallMs, state)) this.#record(step)
    this.refresh()
  }

  /** Nobody is signed in any more. */
  handleReset(): void {
    this.#steps.handleReset()
    this.refresh()
  }

  /** Something that the page shows may have changed. */
  refresh(): void {
    const kind = this.#kindNow()
    if (kind !== this.#kind) this.#sinceMs = this.#env.clock.wallMs()
    this.#kind = kind
    const shown = JSON.stringify(this.#body())
    if (shown === this.#shown) return
    this.#shown = shown
    this.#version++
    this.#readers.tell(this.#version)
  }

  page(): SessionPage {
    return { Version: this.#version, ...this.#body() }
  }

  /** The page at once when its version is not `after`, else when it changes or after 30 s, whatever comes first. */
  next(after: number | undefined): { readonly page: Promise<SessionPage>; readonly cancel: () => void } {
    if (after === undefined || after !== this.#version) return { page: Promise.resolve(this.page()), cancel: () => {} }
    return this.#readers.wait(after)
  }

  /** Lets every reader go. */
  stop(): void {
    this.#readers.stop()
  }

  #kindNow(): SessionPage['Kind'] {
    const { control, loss } = this.#model
    // While a lost server is tried again nothing flickers.
    return control.kind === 'working' && loss !== undefined ? 'lost' : control.kind
  }

  #body(): Omit<SessionPage, 'Version'> {
    const { saved, life, netMap, authUrl } = this.#model
    const problem = problemOf(this.#model, this.#lossMs)
    const expiry = saved.nodeKey === undefined ? undefined : netMap?.self.KeyExpiry
    return {
      Kind: this.#kind,
      Since: new Date(this.#sinceMs).toISOString(),
      Server: saved.prefs.ControlURL,
      Steps: this.#steps.steps.map(stepJson),
      ...(problem ? { Problem: problem } : {}),
      ...(expiry !== undefined && expiry !== ZERO_TIME ? { KeyExpiry: expiry } : {}),
      ...(life.keyExpired ? { KeyExpired: true } : {}),
      ...(authUrl === '' ? {} : { AuthURL: authUrl }),
    }
  }

  #record({ step, state, why, tookMs }: StepView): void {
    this.#env.journal.add({ part: 'backend', kind: 'login-step', why, step, state, ...(tookMs === undefined ? {} : { tookMs }) })
  }
}

function stepJson({ step, state, atMs, tookMs, why }: StepView): SessionPage['Steps'][number] {
  return {
    Step: step,
    State: state,
    ...(atMs === undefined ? {} : { At: new Date(atMs).toISOString() }),
    ...(tookMs === undefined ? {} : { TookMs: Math.round(tookMs) }),
    Why: why,
  }
}
