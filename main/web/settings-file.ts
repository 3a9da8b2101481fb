/**
 * The settings of the app in one file, whole at all times: written beside, flushed, renamed. A file that cannot be read as JSON is put
 * aside as `NAME.damaged` and the defaults hold.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { DEFAULT_SETTINGS, patched, readSettings, type AppSettings, type AppSettingsPatch } from '../localapi/app-settings.ts'

export class SettingsFile {
  readonly #path: string | undefined
  readonly #changed: (settings: AppSettings) => void
  #settings: AppSettings

  /** `changed` is called after each change, with the whole. Without a path the settings end with the process. */
  constructor(path: string | undefined, changed: (settings: AppSettings) => void) {
    this.#path = path
    this.#changed = changed
    this.#settings = path === undefined ? DEFAULT_SETTINGS : load(path)
  }

  get settings(): AppSettings {
    return this.#settings
  }

  /** Throws when the file cannot be written; nothing has changed then. */
  edit(patch: AppSettingsPatch): AppSettings {
    const next = patched(this.#settings, patch)
    if (this.#path !== undefined) save(this.#path, next)
    this.#settings = next
    this.#changed(next)
    return next
  }
}

function save(path: string, settings: AppSettings): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(`${path}.tmp`, JSON.stringify(settings, undefined, 2), { mode: 0o600, flush: true })
  renameSync(`${path}.tmp`, path)
}

function load(path: string): AppSettings {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return DEFAULT_SETTINGS
  }
  try {
    return readSettings(JSON.parse(text))
  } catch {
    try {
      renameSync(path, `${path}.damaged`)
    } catch {
      // Where nothing can be written it stays, and the app starts all the same.
    }
    return DEFAULT_SETTINGS
  }
}
