/**
 * Starting with the session, without a window. Linux: a desktop entry in the person's autostart folder. macOS and Windows: the system's
 * own list of login items.
 *
 * The person may also switch it off where the system shows such things; that holds: what is gone when the app starts is off in the
 * settings too, and never comes back by itself.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A way of starting with the session. */
export interface Autostart {
  isOn(): boolean
  /** Throws when it cannot be written. */
  set(on: boolean): void
}

const MARK = '--hidden'
const FILE = 'bowline.desktop'

/** `words` start the app; `folder` is $XDG_CONFIG_HOME or ~/.config. */
export class DesktopEntry implements Autostart {
  readonly #path: string
  readonly #words: readonly string[]

  constructor(folder: string, words: readonly string[]) {
    this.#path = join(folder, 'autostart', FILE)
    this.#words = words
  }

  isOn(): boolean {
    try {
      return isEntryOn(readFileSync(this.#path, 'utf8'))
    } catch {
      return false
    }
  }

  set(on: boolean): void {
    if (!on) return rmSync(this.#path, { force: true })
    mkdirSync(dirname(this.#path), { recursive: true })
    writeFileSync(`${this.#path}.tmp`, entryText(this.#words), { mode: 0o644, flush: true })
    renameSync(`${this.#path}.tmp`, this.#path)
  }
}

/** Of Electron's app what is used. */
export interface LoginItems {
  getLoginItemSettings(options: { args: string[] }): { openAtLogin: boolean; executableWillLaunchAtLogin?: boolean }
  setLoginItemSettings(settings: { openAtLogin: boolean; args: string[] }): void
}

export class LoginItem implements Autostart {
  readonly #items: LoginItems

  constructor(items: LoginItems) {
    this.#items = items
  }

  isOn(): boolean {
    const { openAtLogin, executableWillLaunchAtLogin } = this.#items.getLoginItemSettings({ args: [MARK] })
    // Windows keeps an entry that the person has switched off in the task manager.
    return openAtLogin && executableWillLaunchAtLogin !== false
  }

  set(on: boolean): void {
    this.#items.setLoginItemSettings({ openAtLogin: on, args: [MARK] })
  }
}

/** A desktop entry, as the Desktop Entry Specification 1.5 has it. */
export function entryText(words: readonly string[]): string {
  return ['[Desktop Entry]', 'Type=Application', 'Name=Bowline', `Exec=${[...words, MARK].map(quoted).join(' ')}`, 'Icon=org.bowline.Bowline', 'Terminal=false', 'X-GNOME-Autostart-enabled=true', ''].join('\n')
}

/** A word of Exec: in quotes, with what is special in them escaped, once for the quotes and once for the value; "%" begins a field code. */
function quoted(word: string): string {
  if (/^[\w@+=:,./-]+$/.test(word)) return word
  return `"${word.replaceAll(/["`$\\]/g, (sign) => `\\${sign}`).replaceAll('\\', '\\\\').replaceAll('%', '%%').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}"`
}

/** Whether the desktop would start it: desktops switch an entry off by a line in it. */
export function isEntryOn(text: string): boolean {
  const value = (key: string): string | undefined => new RegExp(`^${key}\\s*=\\s*(.*?)\\s*$`, 'm').exec(text)?.[1]?.toLowerCase()
  return /^\[Desktop Entry\]/m.test(text) && value('Hidden') !== 'true' && value('X-GNOME-Autostart-enabled') !== 'false'
}

/** At start: whether the setting must follow what the system has. */
export function settingAtStart(setting: boolean, isOn: boolean): boolean | undefined {
  return setting && !isOn ? false : undefined
}

/** What starts this app: an AppImage by its own file, an app from its sources by Electron with the folder. */
export function startWords({ appImage, execPath, appPath, isPackaged }: { appImage: string | undefined; execPath: string; appPath: string; isPackaged: boolean }): readonly string[] {
  if (appImage !== undefined && appImage !== '') return [appImage]
  return isPackaged ? [execPath] : [execPath, appPath]
}
