/**
 * Wires the app: engine host, feed, IPC, windows, tray, and the ways in and out. Decisions are elsewhere.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { app, nativeTheme, powerMonitor, safeStorage, session, shell } from 'electron'
import { ownServicePlace } from '../client/service-place.ts'
import { LocalApiClient } from '../client/local-api-client.ts'
import type { AppState } from '../localapi/app-state.ts'
import { isMoving } from '../localapi/transfers.ts'
import { EngineFeed } from '../web/engine-feed.ts'
import { HostState } from '../web/host-state.ts'
import { mayOpen } from '../web/may-open.ts'
import { startDesktop, type Desktop } from './desktop.ts'
import { Engines } from './engines.ts'
import { EngineHost } from './engine-host.ts'
import { FileDesk } from './files/file-desk.ts'
import { serveRequests } from './ipc.ts'
import { Leaving } from './leaving.ts'
import { serveKeys, setApplicationMenu, type MenuActions } from './menus.ts'
import { servePages } from './pages.ts'
import { watchPage } from './page-watch.ts'
import { PlacementFile } from './placement-file.ts'
import { tellPower } from './power.ts'
import { isConnected } from './quit-rules.ts'
import { ServiceDesk } from './service-desk.ts'
import { speakTo } from './speech.ts'
import { joinStartAtLogin } from './start-at-login.ts'
import { StateKeys } from './state-keys.ts'
import { answerProxy } from './system-proxy.ts'
import { watchUpdates } from './update-watch.ts'
import { openWaysIn, type FirstStart } from './ways-in.ts'
import { Windows } from './windows.ts'

const DISCONNECT_LIMIT_MS = 3000

export interface AppOptions extends FirstStart {
  /** Use the engine at this socket; undefined = host one. */
  readonly socketPath: string | undefined
}

export async function startApp(options: AppOptions): Promise<void> {
  // As root there is no sandbox to force; tests on such machines say so themselves.
  if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox()
  await app.whenReady()
  servePages(join(import.meta.dirname, 'renderer'))

  const userDir = app.getPath('userData')
  const ownSocket = ownSocketPath()
  const client = new LocalApiClient(options.socketPath ?? ownSocket)
  const facts = { host: 'electron', languages: app.getPreferredSystemLanguages(), tray: 'unknown', engineHost: options.socketPath === undefined ? 'app' : 'other' } as const
  const state = new HostState(facts, join(userDir, 'settings.json'), (value) => {
    requests.tell('app', value)
    follow(value)
    desktop.onApp(value)
  })
  const quit = (): void => void leaving.quit()
  const place = ownServicePlace(process.env)
  const engines: Engines = new Engines({
    client, place, named: options.socketPath, ownSocket, makeHost: () => ownEngine(ownSocket, userDir, state), restartService: () => service.restart(),
    onKind: (engineHost) => {
      state.set({ engineHost })
      feed.begin()
    },
    onLife: (life) => state.setEngine(life),
  })
  const service: ServiceDesk = new ServiceDesk({ place, engines, socket: () => client.socketPath, resources: app.isPackaged ? process.resourcesPath : undefined, dist: import.meta.dirname })
  const files = new FileDesk({ client, transfers: () => feed.transfers })
  const requests = serveRequests(client, (asker) => ({
    openExternal: (url) => openPage(client, url),
    editSettings: (patch) => state.edit(patch),
    wantsTrial: () => state.settings.tryFirst,
    restartEngine: () => engines.restart(),
    quit: () => leaving.quit(),
    service,
    desktop: {
      showMain: (hash, offer) => {
        desktop.actions.showMain(hash)
        if (offer !== undefined) void windows.sendFrom((to) => files.move(offer, asker, to))
      },
      smallWindow: (what) => desktop.actions.smallWindow(what),
      useNotice: (key, action) => desktop.actions.useNotice(key, action),
    },
  }), files)
  const windows: Windows = new Windows({
    placement: new PlacementFile(join(userDir, 'window.json')),
    tell: (id, command) => requests.tellOne(id, 'command', command),
    onClose: () => void leaving.close(),
    onMade: (window) => {
      watchPage(window, quit)
      desktop.watch(window)
      serveKeys(window.webContents, { quit, close: () => window.close(), fullScreen: () => window.setFullScreen(!window.isFullScreen()) })
    },
  })
  const feed = new EngineFeed(client, {
    onNotify: (notify) => {
      requests.tell('notify', notify)
      desktop.onNotify(notify)
      if (notify.Policy) for (const also of followers) also()
    },
    onVersion: (version) => state.setEngineVersion(version),
    onEngine: (life) => engines.handleLife(life),
  })
  const send = (paths: readonly string[]): void => void files.sendToMain(windows, paths)
  const desktop = startDesktop({
    client, state, showMain: (hash) => windows.showMain(hash), isVisible: () => windows.isVisible(), startEngine: options.socketPath === undefined ? () => void engines.restart().catch((error: unknown) => console.error(error instanceof Error ? error.message : error)) : undefined, quit,
    sendFiles: () => files.chooseForMain(windows), sendDropped: send, openReceived: (id, how) => files.openReceived(id, how),
  })
  const leaving = waysOut({ client, state, windows, feed, desktop, engines })
  let followers: readonly (() => void)[] = []
  const followLooks = looksOf({ go: (hash) => windows.showMain(hash), palette: () => windows.command({ kind: 'palette' }), sendFiles: () => void files.chooseForMain(windows), quit })
  const follow = (value: AppState): void => {
    followLooks(value)
    for (const also of followers) also()
  }
  follow(state.value)
  followers = [joinStartAtLogin(state), watchUpdates(state, () => feed.first?.Policy)]
  requests.serve((channel, id) => ({ app: () => state.value, notify: () => feed.first, command: () => windows.takeCommand(id) })[channel]())
  desktop.start()
  tellPower(powerMonitor, (message) => engines.tell(message))
  powerMonitor.on('resume', () => engines.handleResume())
  powerMonitor.on('shutdown', () => leaving.systemEnds())
  void engines.start().then(() => feed.start())
  openWaysIn(windows, options, send)
}

interface Running {
  readonly client: LocalApiClient
  readonly state: HostState
  readonly windows: Windows
  readonly feed: EngineFeed
  readonly desktop: Desktop
  readonly engines: Engines
}

function waysOut({ client, state, windows, feed, desktop, engines }: Running): Leaving {
  return new Leaving({
    hosted: () => engines.kind === 'app',
    settings: () => state.settings,
    edit: (patch) => state.edit(patch),
    tray: () => state.value.tray,
    connected: () => state.value.engine === 'running' && isConnected(feed.first),
    moving: () => feed.transfers.Rows.filter(isMoving).length,
    window: () => (windows.isVisible() ? windows.main() : undefined),
    hide: () => windows.hideMain(),
    show: () => windows.showMain(),
    disconnect: () => disconnect(client),
    stop: async () => {
      windows.quitting()
      desktop.stop()
      feed.stop()
      await engines.stop()
    },
  })
}

/** What follows the looks that are set: theme of the system's own parts, language, application menu. */
function looksOf(actions: MenuActions): (value: AppState) => void {
  let menuIsOf = ''
  return ({ settings, languages }) => {
    nativeTheme.themeSource = settings.theme
    speakTo(settings, languages)
    if (menuIsOf === settings.language) return
    menuIsOf = settings.language
    setApplicationMenu(actions)
  }
}

function ownEngine(socketPath: string, userDir: string, state: HostState): EngineHost {
  const keys = new StateKeys(safeStorage, join(userDir, 'engine-keys.json'))
  return new EngineHost({
    entry: join(import.meta.dirname, 'engine.mjs'), socketPath, stateDir: join(userDir, 'engine'),
    startDisconnected: state.settings.startDisconnected,
    answer: (message, reply) => {
      if (answerProxy(session.defaultSession, message, reply)) return
      const answer = keys.handle(message)
      if (answer !== undefined) reply(answer)
    },
    onLife: (life) => state.setEngine(life),
  })
}

async function disconnect(client: LocalApiClient): Promise<void> {
  await client.json({ method: 'PATCH', path: 'prefs', body: { WantRunning: false, WantRunningSet: true }, signal: AbortSignal.timeout(DISCONNECT_LIMIT_MS) })
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
