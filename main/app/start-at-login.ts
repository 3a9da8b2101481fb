/**
 * Joins the setting "start at login" with the system, both ways: the setting is carried out, and what the person removed elsewhere is
 * taken over.
 */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { app } from 'electron'
import { DesktopEntry, LoginItem, settingAtStart, startWords, type Autostart } from './autostart.ts'
import type { HostState } from '../web/host-state.ts'

/** Answers what to call on each change of the settings. */
export function joinStartAtLogin(state: HostState): () => void {
  const autostart = autostartHere()
  const atStart = settingAtStart(state.settings.startAtLogin, autostart.isOn())
  let carried = atStart ?? state.settings.startAtLogin
  if (atStart !== undefined) setQuietly(() => state.edit({ startAtLogin: atStart }))
  // The app may have moved since.
  else if (carried) setQuietly(() => autostart.set(true))
  return () => {
    const wanted = state.settings.startAtLogin
    if (wanted === carried) return
    carried = wanted
    setQuietly(() => autostart.set(wanted))
  }
}

function autostartHere(): Autostart {
  if (process.platform !== 'linux') return new LoginItem(app)
  const folder = process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config')
  const appImage = process.env['APPIMAGE']
  return new DesktopEntry(folder, startWords({ appImage, execPath: process.execPath, appPath: app.getAppPath(), isPackaged: app.isPackaged }))
}

/** A folder that cannot be written is told to the log; the setting shows the truth at the next start. */
function setQuietly(change: () => unknown): void {
  try {
    change()
  } catch (error) {
    console.error(`error: start at login: ${error instanceof Error ? error.message : String(error)}`)
  }
}
