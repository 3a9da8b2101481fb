/**
 * Where received files go on a desktop: once for each account, before anybody has chosen, Downloads/Bowline. An account that has a folder keeps
 * it, and one whose person went back to "kept by the engine" too: what was done once is remembered in `settings.told`.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { LocalApiClient } from '../../client/local-api-client.ts'
import type { AppSettings, AppSettingsPatch } from '../../localapi/app-settings.ts'
import type { Extras } from '../../localapi/extras.ts'
import { METHODS } from '../../localapi/methods.ts'
import type { Facts } from '../engine-facts.ts'

export interface DefaultFolderDeps {
  readonly client: Pick<LocalApiClient, 'json'>
  /** The person's folder for downloads. */
  readonly downloads: () => string
  readonly settings: () => AppSettings
  readonly edit: (patch: AppSettingsPatch) => unknown
}

const toldOf = (profile: string): string => `inbox ${profile}`

export class DefaultFolder {
  readonly #deps: DefaultFolderDeps
  /** Accounts that were looked at since the start: what failed is tried again at the next. */
  readonly #tried = new Set<string>()

  constructor(deps: DefaultFolderDeps) {
    this.#deps = deps
  }

  /** Takes what is so now; resolves when nothing is left to do about it, and never rejects. */
  async update({ app, profile, status }: Pick<Facts, 'app' | 'profile' | 'status'>): Promise<void> {
    if (app.engine !== 'running' || profile === '' || status?.BackendState !== 'Running' || this.#tried.has(profile)) return
    this.#tried.add(profile)
    if (this.#deps.settings().told.includes(toldOf(profile))) return
    // An engine that runs as somebody else refuses the folder: that is so at each start, and nothing is to be told of it.
    await this.#set(profile).catch(() => undefined)
  }

  async #set(profile: string): Promise<void> {
    const { client, downloads, settings, edit } = this.#deps
    const { Taildrop } = (await client.json({ method: 'GET', path: METHODS.extras.path })) as Extras
    if (Taildrop.Folder === '') {
      const Folder = join(downloads(), 'Bowline')
      await mkdir(Folder, { recursive: true })
      await client.json({ method: 'PATCH', path: METHODS.editExtras.path, body: { Taildrop: { Folder } } })
    }
    edit({ told: [...settings().told, toldOf(profile)] })
  }
}
