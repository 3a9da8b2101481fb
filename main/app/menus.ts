/**
 * The application menu (macOS alone has one; elsewhere its keys are heard in the window), and the menu over text, both in the person's language.
 */
import { app, Menu, type MenuItemConstructorOptions, type WebContents } from 'electron'
import { t, type WordId } from '../words/words.ts'
import { keyCommand, zoomAfter } from './keys.ts'

export interface MenuActions {
  /** Shows a place of the main window. */
  readonly go: (hash: string) => void
  /** Opens the command palette. */
  readonly palette: () => void
  /** Has the person choose files to send. */
  readonly sendFiles: () => void
  readonly quit: () => void
}

type Role = NonNullable<MenuItemConstructorOptions['role']>

const rolled = (role: Role, label: WordId): MenuItemConstructorOptions => ({ role, label: t(label) })
const line: MenuItemConstructorOptions = { type: 'separator' }

/** Makes the application menu anew, in the language that is spoken now. */
export function setApplicationMenu(actions: MenuActions): void {
  Menu.setApplicationMenu(process.platform === 'darwin' ? Menu.buildFromTemplate(menuTemplate(actions)) : null)
}

/** The whole menu of macOS. */
export function menuTemplate({ go, palette, sendFiles, quit }: MenuActions): MenuItemConstructorOptions[] {
  const place = (label: WordId, accelerator: string, hash: string): MenuItemConstructorOptions => ({ label: t(label), accelerator, click: () => go(hash) })
  return [
    {
      label: app.name,
      submenu: [
        rolled('about', 'shell.menu.about'), line, place('shell.menu.settings', 'Command+,', '#/settings'), line, rolled('services', 'shell.menu.services'), line,
        rolled('hide', 'shell.menu.hide'), rolled('hideOthers', 'shell.menu.hideOthers'), rolled('unhide', 'shell.menu.showAll'), line,
        { label: t('shell.quit'), accelerator: 'Command+Q', click: quit },
      ],
    },
    { label: t('shell.menu.file'), submenu: [{ label: t('tray.sendFiles'), click: sendFiles }, line, rolled('close', 'shell.menu.closeWindow')] },
    {
      label: t('shell.menu.edit'),
      submenu: [
        rolled('undo', 'shell.menu.undo'), rolled('redo', 'shell.menu.redo'), line, rolled('cut', 'shell.menu.cut'), rolled('copy', 'shell.menu.copy'),
        rolled('paste', 'shell.menu.paste'), rolled('selectAll', 'shell.menu.selectAll'),
      ],
    },
    {
      label: t('shell.menu.view'),
      submenu: [
        place('shell.menu.devices', 'Command+1', '#/devices'), place('shell.menu.exitNodes', 'Command+2', '#/exit-nodes'), place('shell.menu.transfers', 'Command+3', '#/transfers'),
        place('shell.menu.diagnose', 'Command+4', '#/diagnose'),
        { label: t('shell.menu.commands'), accelerator: 'Command+K', click: palette }, line,
        rolled('resetZoom', 'shell.menu.actualSize'), rolled('zoomIn', 'shell.menu.zoomIn'), rolled('zoomOut', 'shell.menu.zoomOut'), line,
        rolled('togglefullscreen', 'shell.menu.fullScreen'),
      ],
    },
    { label: t('shell.menu.window'), role: 'window', submenu: [rolled('minimize', 'shell.menu.minimize'), rolled('zoom', 'shell.menu.zoom'), line, rolled('front', 'shell.menu.front')] },
  ]
}

/** Keys of the app in a window without a menu bar, and the menu over its text. */
export function serveKeys(contents: WebContents, actions: Pick<MenuActions, 'quit'> & { close(): void; fullScreen(): void }): void {
  if (process.platform !== 'darwin') contents.on('before-input-event', (event, input) => {
    const command = keyCommand(input)
    if (command === undefined) return
    event.preventDefault()
    if (command === 'quit') actions.quit()
    else if (command === 'close') actions.close()
    else if (command === 'full-screen') actions.fullScreen()
    else contents.setZoomFactor(zoomAfter(command, contents.getZoomFactor()))
  })
  contents.on('context-menu', (_event, { isEditable, selectionText, editFlags }) => {
    if (!isEditable && selectionText === '') return
    const items: MenuItemConstructorOptions[] = [
      ...(isEditable ? [{ ...rolled('cut', 'shell.menu.cut'), enabled: editFlags.canCut }] : []),
      { ...rolled('copy', 'shell.menu.copy'), enabled: editFlags.canCopy },
      ...(isEditable ? [{ ...rolled('paste', 'shell.menu.paste'), enabled: editFlags.canPaste }] : []),
      ...(isEditable ? [line, { ...rolled('selectAll', 'shell.menu.selectAll'), enabled: editFlags.canSelectAll }] : []),
    ]
    Menu.buildFromTemplate(items).popup()
  })
}
