/**
 * How a person comes to the window: by starting the app, once or again, by the dock, by a join link, or with files to send.
 *
 * A second start hands over by Electron's own data what it found; its command line, which the system may have reordered, is not read.
 */
import { app } from 'electron'
import { pathList } from './files/look.ts'
import { takeList } from './files/send-words.ts'
import { LINK_SCHEME, LinkGate } from './join-link.ts'
import type { Windows } from './windows.ts'

/** What a second start tells the first. */
export interface SecondStart {
  readonly hidden: boolean
  readonly link: string | undefined
  /** Absolute paths of files to send. */
  readonly send: readonly string[]
  /** The file that lists more of them. */
  readonly sendList: string | undefined
}

export interface FirstStart extends SecondStart {
  /** From now on links that the system hands over go there. */
  readonly onLink: (handle: (text: string) => void) => void
  /** The same for files, one by one, as macOS hands them over. */
  readonly onFile: (handle: (path: string) => void) => void
}

/** Files that are handed over one by one belong together when they come this close to each other. */
const GATHER_MS = 300

export function openWaysIn(windows: Windows, { hidden, link, onLink, send, sendList, onFile }: FirstStart, sendFiles: (paths: readonly string[]) => void): void {
  const gate = new LinkGate()
  const openLink = (text: unknown): void => {
    const found = gate.admit(text, Date.now())
    if (found !== undefined) windows.command({ kind: 'join', link: found })
  }
  const sendAll = (paths: unknown, list: unknown): void => {
    const all = [...(pathList(paths) ?? []), ...takeList(list)]
    if (all.length > 0) sendFiles(all)
  }
  app.on('second-instance', (_event, _argv, _folder, second) => {
    const told = (second ?? {}) as Partial<SecondStart>
    if (told.link !== undefined) openLink(told.link)
    if (told.hidden !== true) windows.showMain()
    sendAll(told.send, told.sendList)
  })
  app.on('activate', () => windows.showMain())
  // Without a window the app goes on.
  app.on('window-all-closed', () => {})
  // On Linux the package's desktop entry says it; an app that runs from its sources would leave an entry behind.
  if (app.isPackaged && process.platform !== 'linux') app.setAsDefaultProtocolClient(LINK_SCHEME)
  if (!hidden) windows.showMain()
  openLink(link)
  onLink(openLink)
  sendAll(send, sendList)
  onFile(gathered(sendFiles))
}

function gathered(take: (paths: readonly string[]) => void): (path: string) => void {
  const paths: string[] = []
  let timer: NodeJS.Timeout | undefined
  return (path) => {
    paths.push(path)
    timer ??= setTimeout(() => {
      timer = undefined
      take(paths.splice(0))
    }, GATHER_MS)
  }
}
