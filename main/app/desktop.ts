/**
 * What the app has on the desktop beside its main window: tray, small window, notifications. They stand on the same facts and do the
 * same actions.
 */
import { join } from 'node:path'
import { clipboard } from 'electron'
import type { LocalApiClient } from '../client/local-api-client.ts'
import type { AppSettingsPatch } from '../localapi/app-settings.ts'
import type { AppState } from '../localapi/app-state.ts'
import type { Notify } from '../localapi/types.ts'
import type { HostState } from '../web/host-state.ts'
import { runAction, type Action } from './actions.ts'
import { EngineFacts, type Facts } from './engine-facts.ts'
import { SessionBus, sessionBusAddress } from './session-bus.ts'
import { speakTo } from './speech.ts'
import { desktopOf } from './tray/icons.ts'
import { recentExitPatch } from './tray/recent.ts'
import { startTray } from './tray/start-tray.ts'

export interface DesktopDeps {
  readonly client: LocalApiClient
  readonly state: HostState
  readonly showMain: (hash?: string) => void
  /** Starts the app's own engine again at once; undefined = the engine is somebody else's. */
  readonly startEngine: (() => void) | undefined
  readonly quit: () => void
}

export interface Desktop {
  /** Once everything that is told of the app's state is there. */
  start(): void
  onApp(app: AppState): void
  onNotify(notify: Notify): void
  stop(): void
}

export function startDesktop({ client, state, showMain, startEngine, quit }: DesktopDeps): Desktop {
  const address = process.platform === 'linux' ? sessionBusAddress(process.env) : undefined
  const bus = address === undefined ? undefined : new SessionBus(address)
  const desktop = desktopOf(process.env)
  const run = (action: Action): void =>
    void runAction({ client, showMain, showSmall: () => showMain(), copy: (text) => void clipboard.writeText(text), startEngine: startEngine ?? (() => {}), quit }, action)
  const speak = (app: AppState): boolean => speakTo(app.settings, app.languages)
  speak(state.value)
  const tray = startTray({
    bus, desktop, run, iconsDir: join(import.meta.dirname, 'icons'), ownEngine: startEngine !== undefined, showSmall: () => showMain(), setState: (now) => state.set({ tray: now }),
  })
  const changed = (now: Facts): void => {
    tray.update(now)
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
    onApp(app) {
      speak(app)
      facts.onApp(app)
    },
    onNotify: (notify) => facts.onNotify(notify),
    stop() {
      facts.stop()
      tray.stop()
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
