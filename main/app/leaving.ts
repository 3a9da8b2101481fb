/**
 * Closing and quitting as the person meets them: the questions, what is said once, and the way out.
 *
 *   going on → (quit) → asking → going on | ending → gone        a signal or the end of the session goes to ending from anywhere
 */
import { app, dialog, Notification, type BrowserWindow } from 'electron'
import type { AppSettings, AppSettingsPatch } from '../localapi/app-settings.ts'
import type { AppState } from '../localapi/app-state.ts'
import { t } from '../words/words.ts'
import { closeStep, quitChoices, quitStep, TOLD_CLOSED } from './quit-rules.ts'

export interface LeavingDeps {
  readonly hosted: () => boolean
  settings(): AppSettings
  edit(patch: AppSettingsPatch): unknown
  tray(): AppState['tray']
  connected(): boolean
  /** How many transfers move bytes now. */
  moving(): number
  /** The window to ask in, when the person sees it. */
  window(): BrowserWindow | undefined
  hide(): void
  /** Shows the window again: the notice was clicked. */
  show(): void
  /** Tells the engine to end its connection. */
  disconnect(): Promise<void>
  /** Ends what runs, the engine too. */
  stop(): Promise<void>
}

export class Leaving {
  readonly #deps: LeavingDeps
  #state: 'going-on' | 'asking' | 'ending' | 'gone' = 'going-on'
  #asked: AbortController | undefined
  #notice: Notification | undefined

  constructor(deps: LeavingDeps) {
    this.#deps = deps
    app.on('before-quit', (event) => {
      if (this.#state === 'gone') return
      event.preventDefault()
      void this.quit()
    })
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void this.end())
  }

  /** The person wants to quit. */
  async quit(): Promise<void> {
    if (this.#state !== 'going-on') return
    const step = quitStep({ ending: false, onQuit: this.#deps.settings().onQuit, hosted: this.#deps.hosted(), connected: this.#deps.connected() })
    if (step.kind === 'quit') return this.end(step.disconnect)
    this.#state = 'asking'
    const choice = await this.#askQuit()
    // The session may have ended meanwhile.
    if (this.#state !== 'asking') return
    this.#state = 'going-on'
    if (choice !== 'cancel') await this.end(choice === 'disconnect' && !this.#deps.hosted())
  }

  /** Ends the app without a question. */
  async end(disconnect = false): Promise<void> {
    if (this.#state === 'ending' || this.#state === 'gone') return
    this.#state = 'ending'
    this.#asked?.abort()
    // An engine that does not answer must not keep the app.
    if (disconnect) await this.#deps.disconnect().catch(() => {})
    await this.#deps.stop()
    this.#state = 'gone'
    app.quit()
  }

  /** The system goes down and waits for nobody: whatever is asked, the way out is free. */
  systemEnds(): void {
    this.#state = 'gone'
    this.#asked?.abort()
    void this.#deps.stop()
  }

  /** The person closed the main window. */
  async close(): Promise<void> {
    if (this.#state === 'asking') return
    const step = closeStep({ told: this.#deps.settings().told, tray: this.#deps.tray(), canNotify: Notification.isSupported() })
    if (step === 'ask') return this.#askClose()
    this.#deps.hide()
    if (step === 'hide') return
    this.#tellOnce()
    // Kept, since one that is collected as garbage cannot be clicked.
    this.#notice = new Notification({ title: this.#goesOn(), body: t('shell.closed.tray'), silent: true })
    this.#notice.on('click', () => this.#deps.show())
    this.#notice.show()
  }

  /** Without a tray to be seen: where it goes on, and how to get it back. */
  async #askClose(): Promise<void> {
    this.#state = 'asking'
    const buttons = [t('shell.closed.keep'), t('shell.quit'), t('shell.cancel')]
    const { response } = await this.#ask({ message: this.#goesOn(), detail: t('shell.closed.noTray'), buttons, defaultId: 0, cancelId: 2 })
    if (this.#state !== 'asking') return
    this.#state = 'going-on'
    if (response === 1) return this.quit()
    if (response === 2) return
    this.#tellOnce()
    this.#deps.hide()
  }

  #goesOn(): string {
    return this.#deps.connected() ? t('shell.closed.connected') : t('shell.closed.running')
  }

  #tellOnce(): void {
    this.#remember({ told: [...this.#deps.settings().told, TOLD_CLOSED] })
  }

  /** Settings that cannot be written must not hold the app: it is asked, or told, once more next time. */
  #remember(patch: AppSettingsPatch): void {
    try {
      this.#deps.edit(patch)
    } catch (error) {
      console.error(`the settings were not written: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  async #askQuit(): Promise<'keep' | 'disconnect' | 'cancel'> {
    const hosted = this.#deps.hosted()
    const choices = quitChoices(hosted)
    const words = { keep: t('shell.quit.keep'), disconnect: t('shell.quit.disconnect'), cancel: t('shell.cancel') } as const
    const { response, checkboxChecked } = await this.#ask({
      message: t('shell.quit.ask'),
      detail: this.#quitDetail(),
      buttons: choices.map((choice) => words[choice]),
      defaultId: 0,
      cancelId: choices.length - 1,
      checkboxLabel: t('shell.quit.remember'),
    })
    const choice = choices[response] ?? 'cancel'
    if (checkboxChecked && choice !== 'cancel') this.#remember({ onQuit: choice })
    return choice
  }

  /** What quitting means, also for what is being sent. */
  #quitDetail(): string {
    const hosted = this.#deps.hosted()
    const n = this.#deps.moving()
    const means = hosted ? t('shell.quit.hosted') : t('shell.quit.service')
    return n === 0 ? means : `${means}\n\n${hosted ? t('shell.quit.moving', { n }) : t('shell.quit.movingService', { n })}`
  }

  async #ask(question: Electron.MessageBoxOptions): Promise<Electron.MessageBoxReturnValue> {
    this.#asked = new AbortController()
    const options = { type: 'question', title: 'Bowline', noLink: true, signal: this.#asked.signal, ...question } as const
    const window = this.#deps.window()
    return window ? dialog.showMessageBox(window, options) : dialog.showMessageBox(options)
  }
}
