/**
 * How a person comes to the window: by starting the app, once or again, by the dock, or by a join link.
 *
 * A second start hands over by Electron's own data what it found; its command line, which the system may have reordered, is not read.
 */
import { app } from 'electron'
import { LINK_SCHEME, LinkGate } from './join-link.ts'
import type { Windows } from './windows.ts'

/** What a second start tells the first. */
export interface SecondStart {
  readonly hidden: boolean
  readonly link: string | undefined
}

export interface FirstStart extends SecondStart {
  /** From now on links that the system hands over go there. */
  readonly onLink: (handle: (text: string) => void) => void
}

export function openWaysIn(windows: Windows, { hidden, link, onLink }: FirstStart): void {
  const gate = new LinkGate()
  const openLink = (text: unknown): void => {
    const found = gate.admit(text, Date.now())
    if (found !== undefined) windows.command({ kind: 'join', link: found })
  }
  app.on('second-instance', (_event, _argv, _folder, second) => {
    const told = (second ?? {}) as Partial<SecondStart>
    if (told.link !== undefined) openLink(told.link)
    if (told.hidden !== true) windows.showMain()
  })
  app.on('activate', () => windows.showMain())
  // Without a window the app goes on.
  app.on('window-all-closed', () => {})
  // On Linux the package's desktop entry says it; an app that runs from its sources would leave an entry behind.
  if (app.isPackaged && process.platform !== 'linux') app.setAsDefaultProtocolClient(LINK_SCHEME)
  if (!hidden) windows.showMain()
  openLink(link)
  onLink(openLink)
}
