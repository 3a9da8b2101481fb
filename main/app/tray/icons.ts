/**
 * Which file is drawn for a glyph: macOS colours a template itself, Windows takes an ICO for its taskbar's theme, Linux a picture for
 * the panel's. The panel's colour is not to be had on Linux: some desktops have a dark one whatever the theme is.
 */
import type { Glyph } from './model.ts'

const DARK_PANELS = ['gnome', 'unity', 'pantheon']

export interface Surroundings {
  readonly platform: string
  /** First word of XDG_CURRENT_DESKTOP's last part, in small letters; '' elsewhere. */
  readonly desktop: string
  /** The system's own surfaces are dark. */
  readonly dark: boolean
}

/** Name of the file in the folder of icons. */
export function iconFile(glyph: Glyph, { platform, desktop, dark }: Surroundings): string {
  if (platform === 'darwin') return `tray-${glyph}-Template.png`
  const panel = dark || (platform === 'linux' && DARK_PANELS.includes(desktop)) ? 'dark' : 'light'
  return `tray-${glyph}-${panel}.${platform === 'win32' ? 'ico' : 'png'}`
}

/** "ubuntu:GNOME" → "gnome", "KDE" → "kde"; '' = not said. */
export function desktopOf(env: Readonly<Record<string, string | undefined>>): string {
  const words = (env['XDG_CURRENT_DESKTOP'] ?? '').toLowerCase().split(':')
  const word = words.find((one) => one.includes('gnome')) === undefined ? words.at(-1)! : 'gnome'
  return /^[a-z0-9-]{1,30}$/.test(word) ? word : ''
}
