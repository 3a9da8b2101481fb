/**
 * The tray with what it stands on: who shows icons here, and what the app says when nobody does.
 */
import { app, type Rectangle } from 'electron'
import type { AppState } from '../../localapi/app-state.ts'
import type { Action } from '../actions.ts'
import type { Facts } from '../engine-facts.ts'
import { plain, type SessionBus } from '../session-bus.ts'
import { probeTrayHost } from './host-probe.ts'
import { watchPanelTheme } from './panel-theme.ts'
import { AppTray, later } from './tray.ts'

export interface TrayDeps {
  readonly bus: SessionBus | undefined
  /** As in icons.ts. */
  readonly desktop: string
  readonly iconsDir: string
  readonly ownEngine: boolean
  readonly run: (action: Action) => void
  readonly showSmall: (beside: Rectangle) => void
  /** Files were dropped on the icon: on macOS alone. */
  readonly sendDropped: (paths: readonly string[]) => void
  readonly setState: (tray: AppState['tray']) => void
}

export interface RunningTray {
  start(): void
  /** `badges`: how many things want something done of those that a person wants to be told of. */
  update(facts: Facts, badges: number): void
  stop(): void
}

const TICK_MS = 60_000

export function startTray({ bus, desktop, iconsDir, ownEngine, run, showSmall, sendDropped, setState }: TrayDeps): RunningTray {
  const { platform } = process
  const tray = new AppTray({ platform, desktop, iconsDir, packaged: app.isPackaged, run, showSmall, sendDropped })
  let latest: Facts | undefined
  let marked = 0
  const draw = (): void => {
    if (latest) tray.update({ ...latest, platform, nowMs: Date.now(), ownEngine, badges: marked })
  }
  let tick: NodeJS.Timeout | undefined
  return {
    start() {
      // "2 days left" gets less by itself.
      tick = setInterval(draw, TICK_MS)
      if (platform === 'linux' && bus) watchPanelTheme({ bus, plain }, (dark) => tray.setPanel(dark))
      if (platform === 'linux') return probeTrayHost({ bus, later }, { onHost: (present) => tray.setHost(present), onState: setState })
      tray.setHost(true)
      setState('shown')
    },
    update(facts, badges) {
      latest = facts
      marked = badges
      draw()
    },
    stop() {
      clearInterval(tick)
      tray.stop()
    },
  }
}
