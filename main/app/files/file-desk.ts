/**
 * What windows of the app do with files of this computer: offers of what was dropped or chosen, sending them, choosing folders, opening
 * what came in. Paths come from the system (a drop, a dialog, the command line) and from the engine's list, and none goes to a page but
 * the folder that its person has just chosen.
 */
import { stat } from 'node:fs/promises'
import { app, dialog, shell, type BrowserWindow, type OpenDialogOptions } from 'electron'
import type { LocalApiClient } from '../../client/local-api-client.ts'
import type { OfferedFiles } from '../../localapi/app-state.ts'
import { METHODS } from '../../localapi/methods.ts'
import type { TransferAction, TransferResult, TransfersPage } from '../../localapi/transfers.ts'
import type { FileActions } from '../../web/transfer-requests.ts'
import { t } from '../../words/words.ts'
import { lookAt, pathList, PATH_LIMIT } from './look.ts'
import { Offers } from './offers.ts'
import { OpeningFault, receivedFile } from './opening.ts'
import { spoolAll } from './spooling.ts'

export interface FileDeskDeps {
  readonly client: LocalApiClient
  readonly transfers: () => TransfersPage
}

/** For one window. */
export interface WindowFiles extends FileActions {
  /** Of what the page was given by a drop or a choice; `paths` as the preload read them off the files. */
  offer(paths: unknown): Promise<OfferedFiles>
}

/** The main window, as far as it is needed here. */
export interface SendingWindows {
  sendFrom(offer: (contentsId: number) => Promise<OfferedFiles>): Promise<void>
}

const INBOX = 'inbox'
/** No contents have this id. */
const NO_WINDOW = -1

export class FileDesk {
  readonly #deps: FileDeskDeps
  readonly #offers = new Offers(Date.now)
  /** Windows that have a dialog open. */
  readonly #asking = new Set<number>()

  constructor(deps: FileDeskDeps) {
    this.#deps = deps
  }

  /** Of the window with these contents; `window` answers it while it is there. */
  of(contentsId: number, window: () => BrowserWindow | null): WindowFiles {
    return {
      offer: (paths) => this.offer(contentsId, paths),
      chooseFiles: async (folder) => {
        const paths = await this.#choose(contentsId, window(), { properties: [folder ? 'openDirectory' : 'openFile', 'multiSelections'], buttonLabel: t('shell.files.choose') })
        return paths === undefined ? null : this.offer(contentsId, paths)
      },
      sendFiles: (offer, peer) => this.#send(contentsId, offer, peer),
      dropOffer: (offer) => this.#offers.drop(contentsId, offer),
      chooseFolder: async (place) => {
        const defaultPath = this.#deps.transfers().Inbox.Folder || app.getPath('downloads')
        const [Folder] = (await this.#choose(contentsId, window(), { properties: ['openDirectory', 'createDirectory'], defaultPath, buttonLabel: t('shell.files.saveHere') })) ?? []
        if (Folder === undefined) return null
        await this.#useFolder(place, Folder)
        return { Folder }
      },
      openReceived: (id, how) => this.openReceived(id, how),
      openInbox: () => this.#openInbox(),
    }
  }

  /** Keeps them for a window. Rejects with `nothing-to-send` or `too-many`. */
  async offer(contentsId: number, paths: unknown): Promise<OfferedFiles> {
    const list = pathList(paths)
    if (!list) throw failure('too-many', t('shell.files.tooMany', { most: PATH_LIMIT }))
    const { paths: found, look } = await lookAt(list)
    if (found.length === 0) throw failure('nothing-to-send', t('shell.files.none'))
    return this.#offers.put(contentsId, found, look)
  }

  /** Has the person choose files, wherever they are, and the main window then a device for them. */
  async chooseForMain(windows: SendingWindows): Promise<void> {
    const paths = await this.#choose(NO_WINDOW, null, { properties: ['openFile', 'multiSelections'], buttonLabel: t('shell.files.choose') })
    if (paths !== undefined) await this.sendToMain(windows, paths)
  }

  /** Has the main window choose a device for files that came from elsewhere: the tray, the command line, the system. */
  async sendToMain(windows: SendingWindows, paths: readonly string[]): Promise<void> {
    try {
      await windows.sendFrom((contentsId) => this.offer(contentsId, paths))
    } catch (error) {
      await dialog.showMessageBox({ type: 'info', title: 'Bowline', message: error instanceof Error ? error.message : t('shell.files.none') })
    }
  }

  /** Gives an offer over to another window; undefined: there is none. */
  move(offer: string, from: number, to: number): OfferedFiles | undefined {
    return this.#offers.move(from, offer, to)
  }

  async openReceived(id: string, how: 'open' | 'show'): Promise<{ readonly Did: 'opened' | 'shown' }> {
    const file = await receivedFile(this.#deps.transfers().Rows.find(({ ID }) => ID === id), process.platform)
    const opened = how === 'open' && file.opens && (await shell.openPath(file.path)) === ''
    if (!opened) shell.showItemInFolder(file.path)
    return { Did: opened ? 'opened' : 'shown' }
  }

  async #openInbox(): Promise<void> {
    const { Folder } = this.#deps.transfers().Inbox
    if (Folder === '') throw failure('not-supported', t('shell.files.withEngine'))
    // Opened like this, a file could run.
    const isFolder = (await stat(Folder).catch(() => undefined))?.isDirectory() === true
    if (!isFolder || (await shell.openPath(Folder)) !== '') throw new OpeningFault('not-there', t('shell.files.gone'))
  }

  async #send(contentsId: number, id: string, peer: string): Promise<TransferResult> {
    const paths = this.#offers.paths(contentsId, id)
    if (!paths) throw failure('offer-over', t('shell.files.over'))
    const result = await this.#sendPaths(peer, paths)
    this.#offers.drop(contentsId, id)
    return result as TransferResult
  }

  /** An engine that runs as another user reads no files of this one: it is given their content. */
  async #sendPaths(Peer: string, paths: readonly string[]): Promise<unknown> {
    try {
      return await this.#act({ Do: 'send', Peer, Items: paths.map((Path) => ({ Path })) })
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'access-denied') throw error
      return this.#act({ Do: 'send', Peer, Items: await spoolAll(this.#deps.client, paths) })
    }
  }

  /** One dialog a window at a time; undefined: nothing was chosen. */
  async #choose(contentsId: number, window: BrowserWindow | null, options: OpenDialogOptions): Promise<readonly string[] | undefined> {
    if (this.#asking.has(contentsId)) return undefined
    this.#asking.add(contentsId)
    try {
      const { canceled, filePaths } = window ? await dialog.showOpenDialog(window, options) : await dialog.showOpenDialog(options)
      return canceled || filePaths.length === 0 ? undefined : filePaths
    } finally {
      this.#asking.delete(contentsId)
    }
  }

  async #useFolder(place: string, Folder: string): Promise<void> {
    if (place === INBOX) await this.#deps.client.json({ method: 'PATCH', path: METHODS.editExtras.path, body: { Taildrop: { Folder } } })
    else await this.#act({ Do: 'accept', Batch: place, Folder })
  }

  #act(body: TransferAction): Promise<unknown> {
    return this.#deps.client.json({ method: 'POST', path: METHODS.transferAction.path, body })
  }
}

const failure = (code: string, message: string): Error => Object.assign(new Error(message), { code })
