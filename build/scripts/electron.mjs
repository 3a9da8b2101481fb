/**
 * Where Electron is and how the app is started with it.
 *
 * Electron's sandbox cannot be used by root on Linux: it is left out then, and only then, and that is said.
 */
import { existsSync } from 'node:fs'
import { root } from './sources.mjs'

const BINARY = { darwin: 'Electron.app/Contents/MacOS/Electron', win32: 'electron.exe' }[process.platform] ?? 'electron'

/** Path of an Electron binary that can open a window here; undefined without one, or without a screen. */
export function findElectron() {
  const screen = process.platform !== 'linux' || process.env.DISPLAY || process.env.WAYLAND_DISPLAY
  if (!screen) return undefined
  const folders = [process.env.ELECTRON_OVERRIDE_DIST_PATH, `${root}node_modules/electron/dist`]
  return folders.filter(Boolean).map((folder) => `${folder}/${BINARY}`).find((path) => existsSync(path))
}

/** The app's command line behind the binary's path. */
export function appArgs(...flags) {
  if (process.platform !== 'linux' || process.getuid() !== 0) return [root, ...flags]
  console.log('You are root: Electron runs without its sandbox (--no-sandbox). As an ordinary user it is on.')
  return ['--no-sandbox', root, ...flags]
}
