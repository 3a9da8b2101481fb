/**
 * Where the windows' pages come from: our own scheme, our own files, nothing from the network.
 *
 * Navigation, new windows, permissions and dropped files that would load as pages are refused for every web contents.
 */
import { readFile } from 'node:fs/promises'
import { extname, join, normalize, sep } from 'node:path'
import { app, protocol, session, type WebPreferences } from 'electron'

const SCHEME = 'bowline-app'
export const PAGE_ORIGIN = `${SCHEME}://window`

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.png': 'image/png' }
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

protocol.registerSchemesAsPrivileged([{ scheme: SCHEME, privileges: { standard: true, secure: true } }])

/** Serves the built window under our own scheme. */
export function servePages(folder: string): void {
  protocol.handle(SCHEME, async (request) => {
    const { pathname, host } = new URL(request.url)
    const wanted = normalize(decodeURIComponent(pathname === '/' ? '/index.html' : pathname))
    const path = join(folder, wanted)
    const type = TYPES[extname(path)]
    if (host !== 'window' || type === undefined || !path.startsWith(folder + sep)) return new Response('not found', { status: 404 })
    try {
      return new Response(new Uint8Array(await readFile(path)), { headers: { 'content-type': `${type}; charset=utf-8`, 'content-security-policy': POLICY, 'x-content-type-options': 'nosniff' } })
    } catch {
      return new Response('not found', { status: 404 })
    }
  })
  session.defaultSession.setPermissionRequestHandler((_contents, permission, answer) => answer(permission === 'clipboard-sanitized-write'))
  session.defaultSession.setPermissionCheckHandler((_contents, permission) => permission === 'clipboard-sanitized-write')
  // Nothing that a page makes or names is written to the disk.
  session.defaultSession.on('will-download', (event) => event.preventDefault())
  session.defaultSession.setDevicePermissionHandler(() => false)
  app.on('web-contents-created', (_event, contents) => {
    contents.on('will-navigate', (event) => event.preventDefault())
    contents.on('will-redirect', (event) => event.preventDefault())
    contents.on('will-attach-webview', (event) => event.preventDefault())
    contents.setWindowOpenHandler(() => ({ action: 'deny' }))
  })
}

/** Options of every window that shows our pages: sandboxed, isolated, without Node. */
export function pagePreferences(): WebPreferences {
  return {
    preload: join(import.meta.dirname, 'preload.cjs'),
    contextIsolation: true,
    sandbox: true,
    nodeIntegration: false,
    webviewTag: false,
    navigateOnDragDrop: false,
    spellcheck: false,
  }
}

/** Address of our page at a place, as "#/settings". */
export const pageAddress = (hash = ''): string => `${PAGE_ORIGIN}/index.html${hash}`
