/**
 * Going from one profile to another: the old one's stream, tunnels and map are gone before the new one's prefs and keys are
 * taken, so nothing of the one meets the other; then it goes on as an engine does that starts.
 *
 *   running(A) → NoState → (NeedsLogin | Stopped | Starting → Running)(B)
 */
import { EngineError } from '../base/errors.ts'
import type { Env } from '../base/env.ts'
import type { Knot } from './knot.ts'
import type { LoginFlow } from './login.ts'
import type { MapFlow } from './map-flow.ts'
import type { Model } from './model.ts'
import type { Profiles } from './profiles.ts'

export interface ProfileSwitchDeps {
  readonly env: Env
  readonly model: Model
  readonly knot: Knot
  readonly map: MapFlow
  readonly login: LoginFlow
  readonly profiles: Profiles
  /** No profile uses this server any more. */
  readonly forgetServer?: (url: string) => void
  /** The profile in use is about to be left. */
  readonly leaving: () => void
  /** Takes up the life of the profile that is in the model. */
  readonly begin: () => void
  /** The policy of this computer; throws EngineError('managed-by-policy'). */
  readonly managed: { assertMayLeave(): void }
}

export class ProfileSwitch {
  readonly #deps: ProfileSwitchDeps

  constructor(deps: ProfileSwitchDeps) {
    this.#deps = deps
  }

  /** Throws EngineError('not-found'). Nothing happens when it is in use already. */
  to(id: string): void {
    const { model, profiles } = this.#deps
    if (id === model.saved.profile.id && model.saved.nodeKey) return
    const next = profiles.other(id)
    if (!next) throw new EngineError('not-found', 'profile not found')
    this.#change('another profile was chosen', () => profiles.take(next))
  }

  /** Takes a new, empty profile, which is kept once somebody has signed in with it. Throws EngineError('managed-by-policy'). */
  toNew(): void {
    this.#deps.managed.assertMayLeave()
    this.#change('a new profile was asked for', () => this.#deps.profiles.take(undefined))
  }

  /** Forgets a profile, here and on disk; an unknown one is no error, as with the stock daemon. */
  remove(id: string): void {
    const { model, profiles, env, knot } = this.#deps
    const isCurrent = id === model.saved.profile.id && model.saved.nodeKey !== undefined
    const server = (isCurrent ? model.saved : profiles.other(id))?.prefs.ControlURL
    if (server === undefined) return
    if (isCurrent) this.#deps.managed.assertMayLeave()
    env.journal.add({ part: 'backend', kind: 'profile-removed', why: 'a person asked for it', profile: id })
    if (isCurrent) this.#change('the profile in use was removed', () => profiles.save(profiles.replaceCurrent(), true))
    else profiles.remove(id)
    if (server !== '' && !profiles.uses(server)) this.#deps.forgetServer?.(server)
    knot.refreshWarnings()
  }

  /** Forgets everything, the machine key too. */
  removeAll(): void {
    this.#change('everything was to be forgotten', () => this.#deps.profiles.removeAll())
    this.#deps.knot.refreshWarnings()
  }

  /** Takes everything of the profile in use down, has `change` put another in its place (or none), and goes on with that. */
  exchange(why: string, change: () => void): void {
    this.#change(why, change)
  }

  #change(why: string, change: () => void): void {
    const { env, model, knot, map, login, leaving, begin } = this.#deps
    const from = model.saved.profile.id
    leaving()
    login.leave()
    map.leave()
    knot.advance({ kind: 'profile' })
    knot.applyAgain()
    change()
    const to = model.saved.profile.id
    env.log.info(`profile ${from} → ${to} (${why})`)
    env.journal.add({ part: 'backend', kind: 'profile', why, from, to })
    knot.emit({ Prefs: model.saved.prefs })
    begin()
  }
}
