/**
 * The demo's window on the person's engine: the app where an Electron is given, else the web window in the default
 * browser, else an address for the person to open. Whatever it is, it ends with the demo.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openBrowser } from '../../../main/web/open-browser.ts'
import { WebHost } from '../../../main/web/web-host.ts'

const rendererDir = fileURLToPath(new URL('../../../dist/renderer', import.meta.url))
/** An Electron that cannot run here ends within this. */
const FAILS_WITHIN_MS = 1500
/** How long the app may take to end before it is killed. */
const GRACE_MS = 4000

export type DemoWindow =
  /** `closed` resolves when the app has ended; closing its window alone leaves it running. */
  | { readonly kind: 'app'; readonly closed: Promise<void>; stop(): Promise<void> }
  | { readonly kind: 'browser' | 'address'; readonly url: string; stop(): Promise<void> }

export interface WindowOptions {
  readonly socketPath: string
  /** Electron's binary with the arguments that make it our app; undefined = no Electron. */
  readonly app: readonly string[] | undefined
  /** A private folder for the app's own files; the caller removes it. */
  readonly folder: string
}

/** Opens the window; throws with what to do when it is not built. */
export async function openWindow(options: WindowOptions): Promise<DemoWindow> {
  const { app, socketPath } = options
  if (!existsSync(join(rendererDir, 'index.html'))) throw new Error('the window is not built: npm run build')
  const appWindow = app === undefined ? undefined : await openApp(app, options)
  if (appWindow !== undefined) return appWindow
  const host = new WebHost({ socketPath, rendererDir, port: 0 })
  await host.start()
  const url = host.address()
  const opened = await openBrowser(url, { platform: process.platform, env: process.env })
  return {
    kind: opened ? 'browser' : 'address',
    url,
    stop: () => {
      host.stop()
      return Promise.resolve()
    },
  }
}

/** The app's window; undefined when that Electron cannot run here, which shows at once. */
async function openApp([command, ...args]: readonly string[], { socketPath, folder }: WindowOptions): Promise<DemoWindow | undefined> {
  const child = spawn(command!, [...args, `--socket=${socketPath}`], {
    stdio: ['ignore', 'ignore', 'ignore'],
    env: { ...process.env, BOWLINE_USER_DIR: join(folder, 'app') },
  })
  let failed = false
  const closed = new Promise<void>((resolve) => {
    child.once('error', () => {
      failed = true
      resolve()
    })
    child.once('exit', (code) => {
      failed = code !== 0
      resolve()
    })
  })
  await Promise.race([closed, new Promise((done) => setTimeout(done, FAILS_WITHIN_MS))])
  if (failed) return undefined
  return {
    kind: 'app',
    closed,
    stop: async () => {
      child.kill()
      const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
      await closed
      clearTimeout(timer)
    },
  }
}
