/**
 * The one value a host tells its windows about itself: the engine's life, the settings, and what the host is. Told whole on every change.
 */
import { VERSION } from '../localapi/version.ts'
import type { AppSettings, AppSettingsPatch } from '../localapi/app-settings.ts'
import type { AppState, EngineLife } from '../localapi/app-state.ts'
import { SettingsFile } from './settings-file.ts'

export interface HostFacts {
  readonly host: AppState['host']
  readonly languages: readonly string[]
  readonly tray: AppState['tray']
  readonly engineHost?: 'app' | 'service' | 'other'
}

export class HostState {
  readonly #settings: SettingsFile
  readonly #tell: (state: AppState) => void
  #state: AppState

  /** `settingsPath` undefined = kept in memory alone. */
  constructor(facts: HostFacts, settingsPath: string | undefined, tell: (state: AppState) => void) {
    this.#settings = new SettingsFile(settingsPath, (settings) => this.set({ settings }))
    this.#tell = tell
    this.#state = { engine: 'starting', sinceMs: Date.now(), restarts: 0, platform: process.platform, version: VERSION, ...facts, settings: this.#settings.settings }
  }

  get value(): AppState {
    return this.#state
  }

  get settings(): AppSettings {
    return this.#settings.settings
  }

  edit(patch: AppSettingsPatch): AppSettings {
    return this.#settings.edit(patch)
  }

  /** The engine's life anew: its message goes when it says none. */
  setEngine(life: EngineLife): void {
    const { message: _message, code: _code, ...rest } = this.#state
    this.#set({ ...rest, ...life })
  }

  /** What the engine says it is; told where that is another version than ours. */
  setEngineVersion(version: string): void {
    const other = version === VERSION ? undefined : version
    if (other === this.#state.engineVersion) return
    const { engineVersion: _old, ...rest } = this.#state
    this.#set(other === undefined ? rest : { ...rest, engineVersion: other })
  }

  set(change: Partial<Omit<AppState, keyof EngineLife>>): void {
    this.#set({ ...this.#state, ...change })
  }

  #set(state: AppState): void {
    this.#state = state
    this.#tell(state)
  }
}
