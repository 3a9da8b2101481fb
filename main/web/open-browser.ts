/**
 * Opens an address in the person's own browser: by the system's opener, without a shell, and without waiting for the browser.
 */
import { spawn } from 'node:child_process'

/** How long an opener may take to fail; one that still runs then is the browser itself. */
const FAILS_WITHIN_MS = 1500

export interface BrowserSystem {
  readonly platform: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The opener's command line; undefined where there is no screen to open a window on. */
export function openerFor(url: string, { platform, env }: BrowserSystem): readonly [string, ...string[]] | undefined {
  if (platform === 'darwin') return ['open', url]
  if (platform === 'win32') return ['rundll32.exe', 'url.dll,FileProtocolHandler', url]
  return env['DISPLAY'] || env['WAYLAND_DISPLAY'] ? ['xdg-open', url] : undefined
}

/** Whether the address was handed to a browser; never throws. */
export async function openBrowser(url: string, system: BrowserSystem): Promise<boolean> {
  const opener = openerFor(url, system)
  if (opener === undefined) return false
  const [command, ...args] = opener
  return await new Promise((resolve) => {
    const child = spawn(command, args, { stdio: 'ignore', detached: true, windowsHide: true })
    const timer = setTimeout(() => resolve(true), FAILS_WITHIN_MS)
    const end = (opened: boolean): void => {
      clearTimeout(timer)
      resolve(opened)
    }
    child.on('error', () => end(false))
    child.on('exit', (code) => end(code === 0))
    child.unref()
  })
}
