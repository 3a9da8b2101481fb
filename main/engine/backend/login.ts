/**
 * Signing in and out: which login control is asked for, and what its outcome changes.
 *
 *   start + auth key            → register with it; the `login-interactive` that the official command sends behind it is the
 *                                 same login, and only asks for a new key when there was one before (force re-auth). With a
 *                                 saved key it is waited for a moment: an auth key is used once, so only one may register
 *   start with a saved key      → connect with it
 *   interactive                 → a sign-in page; its address goes to the bus as BrowseToURL
 *   logout                      → the server is told, and the node key is gone here whatever it says
 *
 * The auth key is kept in memory only, for as long as a re-authentication may ask for it.
 */
import { EngineError, errorText } from '../base/errors.ts'
import { PrivateKey } from '../base/keys.ts'
import type { Env } from '../base/env.ts'
import type { Prefs, StartOptions } from '../../localapi/types.ts'
import { checkPrefs } from './check-prefs.ts'
import type { PrefsContext } from './check-prefs.ts'
import type { Knot } from './knot.ts'
import type { MapFlow } from './map-flow.ts'
import type { Model } from './model.ts'
import type { ControlPort, ControlState, LoggedIn, Login } from './ports.ts'
import { parsePrefs, publicConfig } from './prefs.ts'
import type { Profiles } from './profiles.ts'
import type { SessionPages } from './session-page.ts'

const LOGOUT_TIMEOUT_MS = 5_000
const AUTH_KEY_KEPT_MS = 60_000
/** How long `login-interactive` may take to follow a start. */
const FOLLOWS_MS = 250

export interface LoginDeps {
  readonly env: Env
  readonly control: ControlPort
  readonly model: Model
  readonly knot: Knot
  readonly map: MapFlow
  readonly profiles: Profiles
  readonly session: SessionPages
  readonly knowsUser?: PrefsContext['knowsUser']
  readonly ephemeral?: boolean
  /** The policy of this computer. */
  readonly managed: { settle(prefs: Prefs): Prefs; refusesWhole(wanted: Prefs): string | undefined }
}

export class LoginFlow {
  readonly #deps: LoginDeps
  /** The last start, while `login-interactive` may still refer to it. */
  #started: { authKey: string; hadNodeKey: boolean; untilMs: number } | undefined
  /** Ends the wait for a `login-interactive` that changes what is asked for. */
  #forget: (() => void) | undefined
  /** A person asked for this login and waits for its outcome. */
  #pending: 'auth-key' | 'interactive' | undefined
  /** Somebody asked to be connected and listens for a State message, even when the state stays what it is. */
  #awaited = false

  constructor(deps: LoginDeps) {
    this.#deps = deps
  }

  /** Connects with the saved key, if there is one. */
  resume(): void {
    const { saved } = this.#deps.model
    if (!saved.nodeKey) return this.#deps.knot.advance({ kind: 'control', state: 'needs-login' })
    this.#deps.map.useSaved()
    this.#begin({ controlUrl: saved.nodeKeyUrl, interactive: false })
  }

  /** Ends the connection to control and keeps the sign-in. */
  pause(): void {
    this.#pending = undefined
    this.#forget?.()
    this.#deps.control.stop()
    this.#setIdle()
  }

  /** Drops what is under way, for another profile. */
  leave(): void {
    this.#started = undefined
    this.#awaited = false
    this.pause()
    this.#deps.session.handleReset()
  }

  start(options: StartOptions): void {
    const { model, knot, env } = this.#deps
    const prefs = this.#prefsOf(options)
    if (prefs.WantRunning && prefs.ControlURL === '') throw new EngineError('bad-argument', 'No server is chosen: give its address with --login-server.')
    if (model.saved.nodeKey && model.saved.nodeKeyUrl !== prefs.ControlURL && prefs.ControlURL !== '') this.#forgetNodeKey('another server was chosen')
    const hadNodeKey = model.saved.nodeKey !== undefined
    // A key that has ended is replaced at once: asking with it first would spend an auth key that is good for one device.
    const isSpent = hadNodeKey && (model.life.keyExpired || model.control.kind === 'needs-login')
    this.#awaited = true
    const authKey = options.AuthKey ?? ''
    knot.takePrefs(prefs)
    this.#started = authKey === '' ? undefined : { authKey, hadNodeKey: hadNodeKey && !isSpent, untilMs: env.clock.nowMs() + AUTH_KEY_KEPT_MS }
    if (!prefs.WantRunning) return
    if (authKey !== '') {
      this.#pending = 'auth-key'
      const begin = (): void => this.#begin({ controlUrl: prefs.ControlURL, interactive: isSpent, authKey })
      if (hadNodeKey && !isSpent) this.#forget = env.clock.after(FOLLOWS_MS, begin)
      else begin()
    } else if (hadNodeKey) this.resume()
    else knot.advance({ kind: 'control', state: 'needs-login' })
  }

  #prefsOf(options: StartOptions): Prefs {
    const { saved, netMap } = this.#deps.model
    const { managed } = this.#deps
    if (options.UpdatePrefs === undefined || options.UpdatePrefs === null) return saved.prefs
    const prefs = parsePrefs(options.UpdatePrefs, saved.prefs, true)
    const reason = typeof prefs === 'string' ? prefs : checkPrefs(prefs, { self: netMap?.self, knowsUser: this.#deps.knowsUser }, saved.prefs)
    if (typeof prefs === 'string' || reason !== undefined) throw new EngineError('bad-prefs', reason ?? 'bad prefs')
    const refusal = managed.refusesWhole(prefs)
    if (refusal !== undefined) throw new EngineError('managed-by-policy', refusal)
    return managed.settle(prefs)
  }

  interactive(): void {
    const { model, knot, env } = this.#deps
    const started = this.#started
    this.#started = undefined
    this.#awaited = true
    if (started && env.clock.nowMs() < started.untilMs) {
      if (!started.hadNodeKey) return
      this.#pending = 'auth-key'
      return this.#begin({ controlUrl: model.saved.prefs.ControlURL, interactive: true, authKey: started.authKey })
    }
    if (model.control.kind === 'waiting' && model.authUrl !== '') return knot.emit({ BrowseToURL: model.authUrl })
    if (model.saved.prefs.ControlURL === '') throw new EngineError('bad-argument', 'No server is chosen: give its address with --login-server.')
    this.#pending = 'interactive'
    this.#begin({ controlUrl: model.saved.prefs.ControlURL, interactive: true })
  }

  #begin(login: { controlUrl: string; interactive: boolean; authKey?: string }): void {
    const { control, model, knot, session, ephemeral } = this.#deps
    this.#forget?.()
    const whole: Login = {
      ...login,
      machineKey: model.saved.machineKey,
      nodeKey: model.saved.nodeKey,
      ...(ephemeral === true ? { ephemeral: true } : {}),
    }
    model.authUrl = ''
    // Somebody asks anew, perhaps for another server: what was lost before no longer counts.
    if (login.interactive || login.authKey !== undefined) model.loss = undefined
    knot.pushWants()
    session.handleBegin(login.authKey !== undefined ? 'auth-key' : login.interactive ? 'link' : 'saved-key')
    control.begin(whole)
  }

  /** Takes a state of control in; true when the resulting state is to be told even if its name stays. */
  handleControlState(state: ControlState): boolean {
    const { model, knot } = this.#deps
    if (state.kind === 'waiting' && state.authUrl !== model.authUrl) {
      model.authUrl = state.authUrl
      knot.emit({ BrowseToURL: state.authUrl })
    }
    if (state.kind === 'running') this.#pending = undefined
    if (state.kind === 'running' || state.kind === 'needs-login' || state.kind === 'failed') model.authUrl = ''
    const refused = state.kind === 'failed' ? state.message : state.kind === 'needs-login' && state.code !== undefined ? state.why : undefined
    if (refused !== undefined && this.#pending !== undefined) {
      this.#pending = undefined
      this.#started = undefined
      knot.emit({ ErrMessage: refused })
    }
    if (state.kind !== 'running' || !this.#awaited) return false
    this.#awaited = false
    return true
  }

  /** Running was told on the bus. */
  handleTold(): void {
    this.#awaited = false
  }

  /** Keeps the key before anything else: it must survive a power cut from here on. */
  handleLoggedIn(result: LoggedIn): void {
    const { model, knot, env } = this.#deps
    const { saved } = model
    const changed = saved.nodeKey === undefined || saved.nodeKey.secretText() !== result.nodeKey.secretText()
    const prefs: Prefs = { ...saved.prefs, LoggedOut: false, WantRunning: saved.prefs.WantRunning || this.#pending === 'interactive', Config: publicConfig(result.user, saved.nodeId) }
    const identity = changed ? { nodeKey: result.nodeKey, nodeKeyUrl: saved.prefs.ControlURL, nodeKeyAtMs: env.clock.wallMs() } : {}
    knot.save({ ...saved, ...identity, user: result.user, prefs: { ...saved.prefs, Config: prefs.Config } })
    model.authUrl = ''
    env.log.info('signed in', { newKey: changed })
    env.journal.add({ part: 'backend', kind: 'signed-in', newKey: changed, user: result.user.LoginName })
    knot.advance({ kind: 'node-key', has: true })
    knot.takePrefs(prefs)
    knot.emit({ LoginFinished: {}, Prefs: model.saved.prefs })
    if (changed && model.life.applied) knot.applyAgain()
  }

  async logout(): Promise<void> {
    const { model, knot, control } = this.#deps
    if (!model.saved.nodeKey) return
    this.#pending = undefined
    this.#started = undefined
    knot.takePrefs({ ...model.saved.prefs, WantRunning: false, LoggedOut: true })
    let failure: unknown
    await control.logout(LOGOUT_TIMEOUT_MS).catch((error: unknown) => {
      failure = error
    })
    this.reset()
    if (failure === undefined) return
    throw new EngineError('control-unreachable', `Signed out on this device, but the server could not be told (${errorText(failure)}). It still lists this device; remove it there.`, { cause: failure })
  }

  /** Forgets the sign-in and goes back to the prefs of a new profile; the machine key stays. */
  reset(): void {
    const { model, knot, profiles } = this.#deps
    this.pause()
    this.#started = undefined
    this.#forgetNodeKey('signed out')
    const fresh = profiles.replaceCurrent()
    knot.save({ ...fresh, prefs: model.saved.prefs }, true)
    knot.takePrefs(fresh.prefs)
  }

  #forgetNodeKey(why: string): void {
    const { model, knot, map, session, env } = this.#deps
    env.journal.add({ part: 'backend', kind: 'key-forgotten', why })
    const discoKey = PrivateKey.fromRandom(env.random.bytes(32))
    knot.save({ ...model.saved, nodeKey: undefined, nodeKeyUrl: '', discoKey, user: undefined, nodeId: '', prefs: { ...model.saved.prefs, Config: null } }, true)
    map.forget()
    session.handleReset()
    knot.advance({ kind: 'node-key', has: false })
  }

  #setIdle(): void {
    const { model, knot } = this.#deps
    model.control = { kind: 'idle' }
    model.authUrl = ''
    knot.advance({ kind: 'control', state: 'idle' })
  }
}
