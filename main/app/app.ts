/**
 * Wires the app: engine host, feed, IPC and windows. Closing a window keeps it running; quitting ends it.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { app, powerMonitor, safeStorage, shell } from 'electron'
import { LocalApiClient } from '../client/local-api-client.ts'
import { EngineFeed } from '../web/engine-feed.ts'
import { HostState } from '../web/host-state.ts'
import { mayOpen } from '../web/may-open.ts'
import type { HostActions } from '../web/requests.ts'
import { startDesktop } from './desktop.ts'
import { EngineHost } from './engine-host.ts'
import { serveRequests } from './ipc.ts'
import { servePages } from './pages.ts'
import { PlacementFile } from './placement-file.ts'
import { tellPower } from './power.ts'
import { StateKeys } from './state-keys.ts'
import { Windows } from './windows.ts'

export interface AppOptions {
  /** Use the engine at this socket; undefined = host one. */
  readonly socketPath: string | undefined
  /** Started with the session: no window yet. */
  readonly hidden: boolean
}

/** What a second start tells the first. */
export interface SecondStart {
  readonly hidden: boolean
}

export async function startApp(options: AppOptions): Promise<void> {
  // As root there is no sandbox to force; tests on such machines say so themselves.
  if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox()
  await app.whenReady()
  servePages(join(import.meta.dirname, 'renderer'))

  const userDir = app.getPath('userData')
  const socketPath = options.socketPath ?? ownSocketPath()
  const host = options.socketPath === undefined ? ownEngine(socketPath, userDir) : undefined
  const client = new LocalApiClient(socketPath)
  const facts = { host: 'electron', languages: app.getPreferredSystemLanguages(), tray: 'unknown' } as const
  const state = new HostState(facts, join(userDir, 'settings.json'), (value) => {
    requests.tell('app', value)
    desktop.onApp(value)
  })
  const actions: HostActions = { openExternal: (url) => openPage(client, url), editSettings: (patch) => state.edit(patch) }
  const requests = serveRequests(client, actions)
  const windows = new Windows({
    placement: new PlacementFile(join(userDir, 'window.json')),
    tell: (id, command) => requests.tellOne(id, 'command', command),
    onHidden: () => {},
    onMade: () => {},
  })
  const feed = new EngineFeed(client, {
    onNotify: (notify) => {
      requests.tell('notify', notify)
      desktop.onNotify(notify)
    },
    onEngine: (life) => state.setEngine(life),
  })
  const desktop = startDesktop({ client, state, showMain: (hash) => windows.showMain(hash), startEngine: undefined, quit: () => app.quit() })
  requests.serve((channel, id) => ({ app: () => state.value, notify: () => feed.first, command: () => windows.takeCommand(id) })[channel]())
  desktop.start()
  host?.start()
  if (host) tellPower(powerMonitor, (message) => host.tell(message))
  feed.start()

  app.on('second-instance', (_event, _argv, _folder, second) => {
    if ((second as Partial<SecondStart> | null)?.hidden !== true) windows.showMain()
  })
  app.on('activate', () => windows.showMain())
  // Without a window the app goes on.
  app.on('window-all-closed', () => {})
  app.on('before-quit', () => {
    windows.quitting()
    desktop.stop()
    feed.stop()
    host?.stop()
  })
  if (!options.hidden) windows.showMain()
}

function ownEngine(socketPath: string, userDir: string): EngineHost {
  const keys = new StateKeys(safeStorage, join(userDir, 'engine-keys.json'))
  return new EngineHost({ entry: join(import.meta.dirname, 'engine.mjs'), socketPath, stateDir: join(userDir, 'engine'), answer: (message) => keys.handle(message) })
}

async function openPage(client: LocalApiClient, url: string): Promise<void> {
  const prefs = (await client.json({ method: 'GET', path: 'prefs' })) as { ControlURL?: unknown }
  const allowed = mayOpen(url, typeof prefs.ControlURL === 'string' ? prefs.ControlURL : '')
  if (allowed === undefined) throw Object.assign(new Error('The server asked to open something that is no safe web page. It was not opened.'), { code: 'not-allowed' })
  await shell.openExternal(allowed)
}

/** A socket of this app alone: a short path, since Unix sockets have a limit of about 100 bytes. */
function ownSocketPath(): string {
  const id = randomBytes(6).toString('hex')
  return process.platform === 'win32' ? `\\\\.\\pipe\\bowline-${id}` : join(process.env['XDG_RUNTIME_DIR'] ?? tmpdir(), `bowline-${id}.sock`)
}
