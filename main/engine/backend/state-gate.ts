/**
 * Lets the backend start once the saved state can be read. State whose key is locked away is waited for: until then nothing
 * is taken, nothing is written, and health says why.
 */
import { errorText } from '../base/errors.ts'
import type { Env } from '../base/env.ts'
import type { Model } from './model.ts'
import type { StateKeysPort, StateOpening } from './ports.ts'
import type { Profiles } from './profiles.ts'

const ASK_AGAIN_MS = 3_000

export interface StateGateDeps {
  readonly env: Env
  readonly model: Model
  readonly keys: StateKeysPort
  readonly profiles: Profiles
  readonly start: () => void
  readonly refreshWarnings: () => void
}

export class StateGate {
  readonly #deps: StateGateDeps
  #cancel: (() => void) | undefined
  #stopped = false
  #found: StateOpening | undefined

  constructor(deps: StateGateDeps) {
    this.#deps = deps
  }

  /** Asks for the key; before anybody can ask for a change. Bounded in time. */
  async ask(): Promise<void> {
    this.#found = await this.#deps.keys.open()
    if (this.#found.kind === 'locked') this.#tell(this.#found.why)
  }

  /** Starts the backend, or leaves it closed and goes on asking. Throws what starting throws. */
  async open(): Promise<void> {
    const { env, model, start, profiles, refreshWarnings } = this.#deps
    const found = this.#found
    if (this.#stopped || !found) return
    if (found.kind === 'locked') {
      this.#cancel = env.clock.after(ASK_AGAIN_MS, () => {
        this.ask().then(() => this.open()).catch((error: unknown) => this.#tell(errorText(error)))
      })
      return
    }
    if (model.closedWhy !== undefined) env.log.info('the saved state is open')
    model.closedWhy = undefined
    model.plainWhy = found.plainWhy
    model.isSealed = found.isSealed === true
    start()
    // While another engine may be using what the file holds, it stays as it is.
    if (!profiles.isHeld) await found.rewrite?.(() => profiles.save(model.saved, true))
    refreshWarnings()
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
  }

  #tell(why: string): void {
    const { env, model, refreshWarnings } = this.#deps
    if (model.closedWhy === why) return
    model.closedWhy = why
    env.log.warn(`the saved state is closed: ${why}`)
    env.journal.add({ part: 'backend', kind: 'state-closed', why })
    refreshWarnings()
  }
}

export function closedText(why: string): string {
  return `The saved state of this device is closed: ${why}. Nothing of it is lost; it is opened as soon as that is possible.`
}
