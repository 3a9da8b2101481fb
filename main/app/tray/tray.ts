/**
 * The native tray: an icon with its tooltip and menu, drawn from the model.
 *
 *   macOS, Windows   left click: small window; right or Control click: the menu, built then
 *   Linux            the menu is exported whole with each change, since hosts keep what they were told; its own icon only while a host is
 *                    there, made anew for each host: Electron registers it once, at birth
 *
 * A click on an item changes its mark on screen by itself, so the menu is drawn again after each: what is marked is what the engine says.
 */
import { join } from 'node:path'
import { Menu, nativeImage, nativeTheme, Tray, type MenuItemConstructorOptions, type Rectangle } from 'electron'
import type { Action } from '../actions.ts'
import { iconFile } from './icons.ts'
import { trayModel, type TrayFacts, type TrayItem, type TrayModel } from './model.ts'
import { Paced } from './paced.ts'

/** Keeps the icon's place in the taskbar over updates; signed builds alone may move with it. */
const GUID = '7d0d61b5-5f0f-4c6b-9c0a-4f1f0d2f6b1e'
const REDRAW_MS = 500

export interface AppTrayDeps {
  readonly platform: string
  readonly desktop: string
  readonly iconsDir: string
  /** Whether the program is an installed one. */
  readonly packaged: boolean
  readonly run: (action: Action) => void
  /** Shows the small window beside the icon. */
  readonly showSmall: (beside: Rectangle) => void
  readonly sendDropped: (paths: readonly string[]) => void
}

export class AppTray {
  readonly #deps: AppTrayDeps
  readonly #paced: Paced<TrayModel>
  #tray: Tray | undefined
  #model: TrayModel | undefined
  #iconFile = ''
  #wanted = false
  #panelDark: boolean | undefined

  constructor(deps: AppTrayDeps) {
    this.#deps = deps
    this.#paced = new Paced({ everyMs: REDRAW_MS, nowMs: Date.now, later, draw: (model) => this.#draw(model) })
    nativeTheme.on('updated', () => this.#drawIcon())
  }

  /** Takes what is so now. */
  update(facts: TrayFacts): void {
    this.#paced.offer(trayModel(facts))
  }

  /** There is a place for the icon, or no longer. */
  setHost(present: boolean): void {
    this.#wanted = present
    this.#tray?.destroy()
    this.#tray = undefined
    if (this.#model) this.#draw(this.#model)
  }

  /** The panel that the icon stands on is dark, or light. */
  setPanel(dark: boolean): void {
    this.#panelDark = dark
    this.#drawIcon()
  }

  stop(): void {
    this.#paced.stop()
    this.setHost(false)
  }

  #draw(model: TrayModel): void {
    this.#model = model
    if (!this.#wanted) return
    this.#tray ??= this.#make(model)
    this.#drawIcon()
    this.#tray.setToolTip(model.tooltip)
    if (this.#deps.platform === 'linux') this.#tray.setContextMenu(this.#menu(model))
  }

  #make(model: TrayModel): Tray {
    const { platform, packaged, run, showSmall, sendDropped } = this.#deps
    this.#iconFile = this.#fileOf(model)
    const icon = nativeImage.createFromPath(this.#iconFile)
    const tray = platform === 'win32' && packaged ? new Tray(icon, GUID) : new Tray(icon)
    tray.setIgnoreDoubleClickEvents(true)
    if (platform === 'linux') {
      tray.on('click', () => run({ kind: 'open' }))
      return tray
    }
    tray.on('click', (event, bounds) => {
      if (platform === 'darwin' && event.ctrlKey) this.#popUp()
      else showSmall(bounds)
    })
    tray.on('right-click', () => this.#popUp())
    if (platform === 'darwin') tray.on('drop-files', (_event, files) => sendDropped(files))
    return tray
  }

  #popUp(): void {
    if (this.#tray && this.#model) this.#tray.popUpContextMenu(this.#menu(this.#model))
  }

  #fileOf({ glyph }: TrayModel): string {
    const { platform, desktop, iconsDir } = this.#deps
    // Releases before 39 do not tell the taskbar's own theme.
    const { shouldUseDarkColorsForSystemIntegratedUI: panel = nativeTheme.shouldUseDarkColors } = nativeTheme as { shouldUseDarkColorsForSystemIntegratedUI?: boolean }
    return join(iconsDir, iconFile(glyph, { platform, desktop, dark: this.#panelDark ?? panel }))
  }

  #drawIcon(): void {
    if (!this.#tray || !this.#model) return
    const file = this.#fileOf(this.#model)
    if (file === this.#iconFile) return
    this.#iconFile = file
    this.#tray.setImage(nativeImage.createFromPath(file))
  }

  #menu({ menu }: TrayModel): Menu {
    return Menu.buildFromTemplate(menu.map((one) => this.#item(one)))
  }

  #item(one: TrayItem): MenuItemConstructorOptions {
    if (one.kind === 'line') return { type: 'separator' }
    if (one.kind === 'submenu') return { label: one.label, submenu: one.items.map((inner) => this.#item(inner)) }
    const { label, action, check } = one
    return {
      label, enabled: action !== undefined, type: check === undefined ? 'normal' : 'checkbox', ...(check === undefined ? {} : { checked: check }),
      click: () => {
        if (check !== undefined && this.#model) this.#paced.offer(this.#model, true)
        if (action) this.#deps.run(action)
      },
    }
  }
}

/** Runs something later; returns the way to have it not run. */
export function later(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}
