/**
 * The settings file in force: applied when the engine starts and when somebody asks for it again. While it is locked nobody
 * else may change a setting.
 */
import { EngineError, errorText } from '../base/errors.ts'
import type { Env } from '../base/env.ts'
import type { Prefs } from '../../localapi/types.ts'
import { checkPrefs } from './check-prefs.ts'
import type { PrefsContext } from './check-prefs.ts'
import { configOf } from './config.ts'
import type { Config } from './config.ts'
import type { Knot } from './knot.ts'
import type { LoginFlow } from './login.ts'
import type { Model } from './model.ts'
import type { ConfigPort } from './ports.ts'
import { applyMask } from './prefs.ts'
import type { Profiles } from './profiles.ts'

export interface ConfigFlowDeps {
  readonly env: Env
  readonly model: Model
  readonly knot: Knot
  readonly profiles: Profiles
  readonly login: LoginFlow
  /** undefined: the engine was started without a settings file. */
  readonly config: ConfigPort | undefined
  readonly prefsContext: () => PrefsContext
}

export class ConfigFlow {
  readonly #deps: ConfigFlowDeps
  #config: Config | undefined

  constructor(deps: ConfigFlowDeps) {
    this.#deps = deps
  }

  /** Addresses ("ip:port") that peers are to be told beside those that were found. */
  get staticEndpoints(): readonly string[] {
    return this.#config?.staticEndpoints ?? []
  }

  /** Why nobody may change a setting, in the stock daemon's words. */
  get lockedText(): string | undefined {
    return this.#config?.isLocked ? "can't reconfigure tailscaled when using a config file; config file is locked" : undefined
  }

  /** Throws EngineError('bad-prefs') while the file is locked. */
  assertUnlocked(): void {
    if (this.lockedText !== undefined) throw new EngineError('bad-prefs', this.lockedText)
  }

  /** Reads the file; nothing is changed yet. Throws EngineError('bad-config'). */
  async read(): Promise<void> {
    const { config } = this.#deps
    const fields = await config?.read()
    this.#config = config && fields && configOf(config.path, fields)
  }

  /** Puts the file's settings into the saved prefs, before anything runs. Throws EngineError('bad-config'). */
  applyToSaved(): void {
    const { model, profiles } = this.#deps
    if (this.#config) profiles.save({ ...model.saved, prefs: this.#prefsOf(this.#config) })
  }

  /** Signs in as the file says, when nobody is signed in at its server. */
  signIn(): void {
    const { model, login, config } = this.#deps
    const { saved } = model
    if (!this.#config || !saved.prefs.WantRunning || (saved.nodeKey && saved.nodeKeyUrl === saved.prefs.ControlURL)) return
    const authKey = this.#config.authKey === '' ? '' : config!.readKey(this.#config.authKey)
    login.start({ UpdatePrefs: saved.prefs, ...(authKey === '' ? {} : { AuthKey: authKey }) })
  }

  /** Reads the file again and applies it; false without a file. Throws EngineError('bad-config') and changes nothing then. */
  async reload(): Promise<boolean> {
    const { model, knot } = this.#deps
    try {
      const done = await this.#reload()
      model.configFailure = undefined
      return done
    } catch (error) {
      model.configFailure = errorText(error)
      throw error
    } finally {
      knot.refreshWarnings()
    }
  }

  async #reload(): Promise<boolean> {
    const { env, model, knot, login, config } = this.#deps
    const fields = await config?.read()
    if (!config || !fields) return false
    const next = configOf(config.path, fields)
    const before = model.saved.prefs
    const prefs = this.#prefsOf(next)
    this.#config = next
    env.journal.add({ part: 'backend', kind: 'config', why: 'a person asked to read the settings file again', path: config.path })
    knot.takePrefs(prefs)
    knot.pushWants()
    if (before.WantRunning && !prefs.WantRunning) login.pause()
    if (!before.WantRunning && prefs.WantRunning && model.saved.nodeKey) login.resume()
    this.signIn()
    return true
  }

  #prefsOf(config: Config): Prefs {
    const { model, prefsContext } = this.#deps
    const path = this.#deps.config!.path
    const prefs = applyMask(model.saved.prefs, config.mask)
    const reason = typeof prefs === 'string' ? prefs : checkPrefs(prefs, prefsContext(), model.saved.prefs)
    if (typeof prefs === 'string' || reason !== undefined) throw new EngineError('bad-config', `${path}: ${reason ?? errorText(prefs)}`)
    if (prefs.WantRunning && prefs.ControlURL === '') throw new EngineError('bad-config', `${path}: "ServerURL" is missing: which server is to be used?`)
    return prefs
  }
}
