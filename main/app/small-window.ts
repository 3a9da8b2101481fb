/**
 * The tray's small window: made when it is shown, gone when it loses the focus or is closed, unless it is pinned.
 *
 *   none → shown ⇄ pinned → none        beside the icon on macOS and Windows; in the middle on Linux, where no app may place itself everywhere
 */
import { BrowserWindow, nativeTheme, screen, type Rectangle } from 'electron'
import { pageAddress, pagePreferences } from './pages.ts'
import { placeSmall } from './small-place.ts'

const SIZE = { width: 380, height: 560 }
/** As in tokens.css. */
const GROUND = { light: '#fdfdfe', dark: '#13191f' } as const

export class SmallWindow {
  #window: BrowserWindow | undefined
  #pinned = false

  /** Shows it, or closes it when it is there: a second click on the icon. */
  toggle(beside: Rectangle | undefined): void {
    if (this.#window) return this.close()
    this.#pinned = false
    const dark = nativeTheme.shouldUseDarkColors
    const window = new BrowserWindow({
      ...SIZE, ...this.#place(beside), frame: false, resizable: false, maximizable: false, minimizable: false, fullscreenable: false, skipTaskbar: true,
      show: false, title: 'Bowline', backgroundColor: GROUND[dark ? 'dark' : 'light'], webPreferences: pagePreferences(),
    })
    window.removeMenu()
    window.once('ready-to-show', () => {
      window.show()
      window.focus()
    })
    window.on('blur', () => {
      if (!this.#pinned) this.close()
    })
    window.webContents.on('render-process-gone', () => this.close())
    window.on('closed', () => {
      if (this.#window === window) this.#window = undefined
    })
    this.#window = window
    void window.loadURL(pageAddress('#/small'))
  }

  pin(on: boolean): void {
    this.#pinned = on
    this.#window?.setAlwaysOnTop(on)
  }

  close(): void {
    const window = this.#window
    this.#window = undefined
    window?.destroy()
  }

  #place(beside: Rectangle | undefined): { x: number; y: number } | { center: true } {
    if (process.platform === 'linux' || !beside) return { center: true }
    return placeSmall(beside, screen.getDisplayMatching(beside).workArea, SIZE)
  }
}
