/**
 * The app in real Electron, each with its own folder of settings, for tests.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { _electron, type ElectronApplication, type Page } from 'playwright-core'
import type { AppSettings } from '../../main/localapi/app-settings.ts'
import type { AppState } from '../../main/localapi/app-state.ts'
import type { RequestName, Requests } from '../../preload/contract.ts'
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
    // Received files of a test stay in its folder.
    mkdirSync(join(dir, 'config'), { recursive: true })
    writeFileSync(join(dir, 'config/user-dirs.dirs'), `XDG_DOWNLOAD_DIR="${join(dir, 'Downloads')}"\n`)
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

  /** What the app tells its window of itself. */
  async state(): Promise<AppState> {
    return (await (await this.page()).evaluate('new Promise((resolve) => { const off = window.bowline.onAppState((state) => { resolve(state); setTimeout(() => off()) }) })'))
  }

  /** A request of the window; throws when it is refused. */
  async call<N extends RequestName>(name: N, send: Requests[N]['send']): Promise<Requests[N]['receive']> {
    const answer = await (await this.page()).evaluate(([name, send]) => (globalThis as unknown as { bowline: { call(name: unknown, send: unknown): Promise<unknown> } }).bowline.call(name, send), [name, send])
    const { ok, value, code, message } = answer as { ok: boolean; value: Requests[N]['receive']; code: string; message: string }
    if (!ok) throw new Error(`${code}: ${message}`)
    return value
  }

  /** Process id of the engine that the app started: the one process of Node below it. Throws when there is none. */
  enginePid(): number {
    const parents = new Map<number, number>()
    for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
      } catch {
        // It ended meanwhile.
      }
    }
    const isBelow = (pid: number): boolean => pid === this.pid || ((parents.get(pid) ?? 0) > 1 && isBelow(parents.get(pid)!))
    const isEngine = (pid: number): boolean => {
      try {
        return isBelow(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('node.mojom.NodeService')
      } catch {
        return false
      }
    }
    const found = [...parents.keys()].find((pid) => isEngine(pid))
    if (found === undefined) throw new Error('the app has no engine process')
    return found
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
