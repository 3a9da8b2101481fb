/**
 * What the app has on the desktop beside its main window: tray, small window, notifications. They stand on the same facts and do the
 * same actions.
 */
import { join } from 'node:path'
import { app, clipboard, type BrowserWindow } from 'electron'
import type { LocalApiClient } from '../client/local-api-client.ts'
import type { AppSettingsPatch } from '../localapi/app-settings.ts'
import type { AppState } from '../localapi/app-state.ts'
import type { Notify } from '../localapi/types.ts'
import type { DesktopActions } from '../web/desktop-requests.ts'
import type { HostState } from '../web/host-state.ts'
import { runAction, type Action } from './actions.ts'
import { EngineFacts, type Facts } from './engine-facts.ts'
import { DefaultFolder } from './files/default-folder.ts'
import { startNotices } from './notices/start-notices.ts'
import { SessionBus, sessionBusAddress } from './session-bus.ts'
import { SmallWindow } from './small-window.ts'
import { desktopOf } from './tray/icons.ts'
import { recentExitPatch } from './tray/recent.ts'
import { startTray } from './tray/start-tray.ts'

export interface DesktopDeps {
  readonly client: LocalApiClient
  readonly state: HostState
  readonly showMain: (hash?: string) => void
  /** Whether the person sees the main window. */
  readonly isVisible: () => boolean
  /** Starts the app's own engine again at once; undefined = the engine is somebody else's. */
  readonly startEngine: (() => void) | undefined
  readonly sendFiles: () => Promise<void>
  /** Files were dropped on the icon. */
  readonly sendDropped: (paths: readonly string[]) => void
  readonly openReceived: (id: string, how: 'open' | 'show') => Promise<unknown>
  readonly quit: () => void
}

export interface Desktop {
  /** Once everything that is told of the app's state is there. */
  start(): void
  onApp(app: AppState): void
  onNotify(notify: Notify): void
  /** Watches the main window come and go. */
  watch(window: BrowserWindow): void
  /** What windows may ask. */
  readonly actions: DesktopActions
  stop(): void
}

export function startDesktop({ client, state, showMain, isVisible, startEngine, sendFiles, sendDropped, openReceived, quit }: DesktopDeps): Desktop {
  const address = process.platform === 'linux' ? sessionBusAddress(process.env) : undefined
  const bus = address === undefined ? undefined : new SessionBus(address)
  const desktop = desktopOf(process.env)
  const iconsDir = join(import.meta.dirname, 'icons')
  const small = new SmallWindow()
  const run = (action: Action): void =>
    void runAction({ client, showMain, showSmall: () => small.toggle(undefined), copy: (text) => void clipboard.writeText(text), wantsTrial: () => state.settings.tryFirst, startEngine: startEngine ?? (() => {}), sendFiles, openReceived, quit }, action)
  const tray = startTray({
    bus, desktop, run, sendDropped, iconsDir, ownEngine: startEngine !== undefined, showSmall: (beside) => small.toggle(beside), setState: (now) => state.set({ tray: now }),
  })
  let badges = 0
  const notices = startNotices({
    bus, run, icon: join(iconsDir, 'app.png'),
    setState: (now, refused) => state.set({ notices: now, noticesRefused: refused }),
    setBadge(count, acts) {
      badges = acts
      app.setBadgeCount(count)
      tray.update(facts.value, badges)
    },
  })
  const folder = new DefaultFolder({ client, downloads: () => app.getPath('downloads'), settings: () => state.settings, edit: (patch) => state.edit(patch) })
  const changed = (now: Facts): void => {
    void folder.update(now)
    tray.update(now, badges)
    notices.update(now)
    const patch = recentExitPatch(state.settings, now)
    if (patch) remember(state, patch)
  }
  const facts = new EngineFacts(client, state.value, changed)
  return {
    start() {
      state.set({ desktop })
      facts.start()
      tray.start()
    },
    onApp: (now) => facts.onApp(now),
    onNotify: (notify) => facts.onNotify(notify),
    watch(window) {
      for (const event of ['show', 'hide', 'minimize', 'restore'] as const) window.on(event as 'show', () => notices.setVisible(isVisible()))
    },
    actions: {
      showMain(hash) {
        small.close()
        showMain(hash)
      },
      smallWindow: (what) => (what === 'close' ? small.close() : small.pin(what === 'pin')),
      useNotice: (key, action) => notices.use(key, action),
    },
    stop() {
      facts.stop()
      notices.stop()
      tray.stop()
      small.close()
      bus?.close()
    },
  }
}

/** What cannot be written is not remembered. */
function remember(state: HostState, patch: AppSettingsPatch): void {
  try {
    state.edit(patch)
  } catch {
    // The person is told when they change a setting themselves.
  }
}
