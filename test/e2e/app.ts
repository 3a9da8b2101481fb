/**
 * The app in real Electron, each with its own folder of settings, for tests.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { _electron, type ElectronApplication, type Page } from 'playwright-core'
import type { AppSettings } from '../../main/localapi/app-settings.ts'
import { electronBinary, root } from './browser.ts'

export interface LaunchOptions {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Settings of the app that are there already; it quits without a question unless they say otherwise. */
  readonly settings?: Partial<AppSettings>
  /** A folder of settings to use again. */
  readonly userDir?: string
}

export class TestApp {
  readonly userDir: string
  readonly app: ElectronApplication
  readonly #child: ReturnType<ElectronApplication['process']>

  private constructor(app: ElectronApplication, userDir: string) {
    this.app = app
    // Not to be had any more once it has ended.
    this.#child = app.process()
    this.userDir = userDir
  }

  /** Starts the app without a session bus; resolves once it runs, with or without a window. */
  static async launch({ args = [], env = {}, settings, userDir }: LaunchOptions = {}): Promise<TestApp> {
    const dir = userDir ?? mkdtempSync(join(tmpdir(), 'bowline-app-'))
    if (userDir === undefined || settings) writeFileSync(join(dir, 'settings.json'), JSON.stringify({ onQuit: 'keep', told: ['closed'], ...settings }))
    const app = await _electron.launch({
      executablePath: electronBinary()!,
      args: ['--no-sandbox', '--disable-gpu', root, ...args],
      env: { ...(process.env as Record<string, string>), DBUS_SESSION_BUS_ADDRESS: '', XDG_CONFIG_HOME: join(dir, 'config'), BOWLINE_USER_DIR: dir, ...env },
    })
    return new TestApp(app, dir)
  }

  /** The page of the main window. */
  async page(): Promise<Page> {
    const page = await this.app.firstWindow()
    await page.waitForLoadState()
    return page
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Resolves when the app has ended, with its exit code. */
  ended(): Promise<number | null> {
    const child = this.#child
    return child.exitCode !== null ? Promise.resolve(child.exitCode) : new Promise((resolve) => child.once('exit', resolve))
  }

  /** Ends it, whatever it asks, and removes its folder. */
  async end({ keep = false } = {}): Promise<void> {
    const child = this.#child
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await gone
    }
    if (!keep) rmSync(this.userDir, { recursive: true, force: true })
  }
}
