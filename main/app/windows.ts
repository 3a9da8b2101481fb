/**
 * The windows of the app, found here by whoever wants to show something: the main window, which is hidden when it is closed, and small
 * ones beside it.
 *
 *   main window   none ⇄ shown ⇄ hidden        none until it is shown first; from `quitting` on a close is a close
 */
import { app, BrowserWindow, nativeTheme, screen, type BrowserWindowConstructorOptions } from 'electron'
import type { OfferedFiles, WindowCommand } from '../localapi/app-state.ts'
import { pageAddress, pagePreferences } from './pages.ts'
import { LEAST_SIZE, placeWindow } from './placement.ts'
import type { PlacementFile } from './placement-file.ts'

/** The title bar that the page draws, where the system lets it: its height, and its colours as in tokens.css. */
const TITLE_BAR_HEIGHT = 44
const FRAME_COLORS = { light: { color: '#f0f3f6', symbolColor: '#161f2a' }, dark: { color: '#0d1217', symbolColor: '#eaedf1' } } as const
const SAVE_AFTER_MS = 500

export interface WindowsDeps {
  readonly placement: PlacementFile
  /** Sends a command to one window that follows. */
  readonly tell: (contentsId: number, command: WindowCommand) => boolean
  /** The person closes the main window; it stays until it is hidden. */
  readonly onClose: () => void
  /** The main window was made anew, to be watched over. */
  readonly onMade: (window: BrowserWindow) => void
}

export class Windows {
  readonly #deps: WindowsDeps
  #main: BrowserWindow | undefined
  #waiting: WindowCommand | undefined
  #quitting = false

  constructor(deps: WindowsDeps) {
    this.#deps = deps
    nativeTheme.on('updated', () => this.#colour())
  }

  /** The main window, shown or hidden; undefined until it was shown first. */
  main(): BrowserWindow | undefined {
    return this.#main?.isDestroyed() === true ? undefined : this.#main
  }

  /** Whether the person can see the main window now. */
  isVisible(): boolean {
    const window = this.main()
    return window !== undefined && window.isVisible() && !window.isMinimized()
  }

  /** Shows the main window and gives it the focus; `hash` is a place in it, as "#/exit-nodes". */
  showMain(hash?: string): void {
    const window = this.main()
    if (!window) {
      this.#main = this.#make(hash)
      return
    }
    if (hash !== undefined) this.command({ kind: 'go', hash })
    if (window.isMinimized()) window.restore()
    window.show()
    window.focus()
    void app.dock?.show()
  }

  /** In full screen it leaves that first: hidden in it, macOS would keep a black space. */
  hideMain(): void {
    const window = this.main()
    if (window?.isFullScreen() === true) {
      window.once('leave-full-screen', () => window.hide())
      window.setFullScreen(false)
    } else window?.hide()
    app.dock?.hide()
  }

  /** Shows the main window and has it do something; at once, or when its page has loaded. The last one holds. */
  command(command: WindowCommand): void {
    const window = this.main()
    if (!window || !this.#deps.tell(window.webContents.id, command)) this.#waiting = command
    if (!this.isVisible()) this.showMain()
  }

  /** Shows the main window with files that go to a device yet to be chosen; `offer` keeps them for it, by the id of its contents. */
  async sendFrom(offer: (contentsId: number) => OfferedFiles | undefined | Promise<OfferedFiles | undefined>): Promise<void> {
    this.showMain()
    const made = await offer(this.main()!.webContents.id)
    if (made) this.command({ kind: 'send', offer: made })
  }

  /** What a window that begins to follow must be told: once. */
  takeCommand(contentsId: number): WindowCommand | undefined {
    if (this.main()?.webContents.id !== contentsId) return undefined
    const command = this.#waiting
    this.#waiting = undefined
    return command
  }

  /** From now on closing a window closes it. */
  quitting(): void {
    this.#quitting = true
    this.#remember()
  }

  #make(hash: string | undefined): BrowserWindow {
    const { maximized, ...at } = placeWindow(this.#deps.placement.load(), displays())
    const window = new BrowserWindow({
      ...at, minWidth: LEAST_SIZE.width, minHeight: LEAST_SIZE.height,
      title: 'Bowline', show: false, backgroundColor: frameColors().color, ...titleBar(), webPreferences: pagePreferences(),
    })
    if (process.platform !== 'darwin') window.removeMenu()
    window.once('ready-to-show', () => {
      if (maximized) window.maximize()
      window.show()
      void app.dock?.show()
    })
    window.on('close', (event) => {
      this.#remember()
      if (this.#quitting) return
      event.preventDefault()
      this.#deps.onClose()
    })
    let timer: NodeJS.Timeout | undefined
    const later = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => this.#remember(), SAVE_AFTER_MS)
    }
    for (const event of ['resize', 'move', 'maximize', 'unmaximize'] as const) window.on(event as 'resize', later)
    window.on('closed', () => clearTimeout(timer))
    this.#deps.onMade(window)
    void window.loadURL(pageAddress(hash))
    return window
  }

  #remember(): void {
    const window = this.main()
    if (!window || window.isMinimized() || window.isFullScreen()) return
    const bounds = window.getNormalBounds()
    this.#deps.placement.save({ ...bounds, display: screen.getDisplayMatching(bounds).id, maximized: window.isMaximized() })
  }

  #colour(): void {
    const window = this.main()
    window?.setBackgroundColor(frameColors().color)
    if (process.platform === 'win32') window?.setTitleBarOverlay({ ...frameColors(), height: TITLE_BAR_HEIGHT })
  }
}

function displays(): { id: number; workArea: Electron.Rectangle }[] {
  const first = screen.getPrimaryDisplay()
  return [first, ...screen.getAllDisplays().filter(({ id }) => id !== first.id)]
}

const frameColors = (): { color: string; symbolColor: string } => FRAME_COLORS[nativeTheme.shouldUseDarkColors ? 'dark' : 'light']

/** Ours on macOS and Windows, with the system's buttons in it; the desktop's own on Linux. */
function titleBar(): BrowserWindowConstructorOptions {
  if (process.platform === 'darwin') return { titleBarStyle: 'hiddenInset', trafficLightPosition: { x: 14, y: 14 } }
  if (process.platform === 'win32') return { titleBarStyle: 'hidden', titleBarOverlay: { ...frameColors(), height: TITLE_BAR_HEIGHT } }
  return {}
}
