/**
 * The border to the renderer: three handlers, each of which looks at the sender before it looks at anything else.
 */
import { BrowserWindow, ipcMain, webContents, type IpcMainInvokeEvent, type WebContents } from 'electron'
import type { LocalApiClient } from '../client/local-api-client.ts'
import { answered, answerRequest, type HostActions } from '../web/requests.ts'
import type { WindowFiles } from './files/file-desk.ts'
import { PAGE_ORIGIN } from './pages.ts'

/** Whether a message comes from the top frame of our own page. */
function isOurs(event: IpcMainInvokeEvent): boolean {
  const frame = event.senderFrame
  return frame !== null && frame === event.sender.mainFrame && frame.url.startsWith(`${PAGE_ORIGIN}/`)
}

export type Channel = 'notify' | 'app' | 'command'

export interface Border {
  /** Sends an event to every window that follows. */
  tell(channel: Channel, value: unknown): void
  /** Sends an event to one window; false when that one does not follow. */
  tellOne(contentsId: number, channel: Channel, value: unknown): boolean
  /** From now on a window that begins to follow is told at once what `now` has for it. */
  serve(now: (channel: Channel, contentsId: number) => unknown): void
}

const WRONG_SENDER = { ok: false, code: 'wrong-sender', message: 'Refused.' } as const

/** What windows ask of files, each for itself. */
export interface FilesOf {
  of(contentsId: number, window: () => BrowserWindow | null): WindowFiles
}

/** Answers the windows' requests; `actions` is what a window may ask for, by the id of its contents. */
export function serveRequests(client: LocalApiClient, actions: (contentsId: number) => Omit<HostActions, 'files'>, files: FilesOf): Border {
  const followers = new Map<string, Set<number>>([['notify', new Set()], ['app', new Set()], ['command', new Set()]])
  ipcMain.handle('bowline:call', (event, name: unknown, send: unknown) => {
    if (!isOurs(event)) return WRONG_SENDER
    return answerRequest(client, { ...actions(event.sender.id), files: filesFor(event.sender) }, name, send)
  })
  // The preload reads the paths off the files that the system gave to the page; the page has no way to say one.
  ipcMain.handle('bowline:offer', (event, paths: unknown) => (isOurs(event) ? answered(() => filesFor(event.sender).offer(paths)) : WRONG_SENDER))
  const filesFor = (contents: WebContents): WindowFiles => files.of(contents.id, () => (contents.isDestroyed() ? null : BrowserWindow.fromWebContents(contents)))
  const tellOne = (id: number, channel: Channel, value: unknown): boolean => {
    if (!followers.get(channel)!.has(id)) return false
    const contents = webContents.fromId(id)
    const isThere = contents !== undefined && !contents.isDestroyed() && !contents.isCrashed()
    if (isThere) contents.send(`bowline:${channel}`, value)
    else followers.get(channel)!.delete(id)
    return isThere
  }
  const watched = new WeakSet<WebContents>()
  /** A page that loads anew follows nothing until it says so. */
  const forgetWhenLeft = (contents: WebContents): void => {
    if (watched.has(contents)) return
    watched.add(contents)
    contents.on('did-start-navigation', ({ isMainFrame, isSameDocument }) => {
      if (isMainFrame && !isSameDocument) for (const ids of followers.values()) ids.delete(contents.id)
    })
  }
  return {
    tellOne,
    tell(channel, value) {
      for (const id of followers.get(channel)!) tellOne(id, channel, value)
    },
    serve(now) {
      ipcMain.handle('bowline:follow', (event, channel: unknown) => {
        if (!isOurs(event) || typeof channel !== 'string' || !followers.has(channel)) return
        const { id } = event.sender
        followers.get(channel)!.add(id)
        forgetWhenLeft(event.sender)
        const value = now(channel as Channel, id)
        if (value !== undefined) event.sender.send(`bowline:${channel}`, value)
      })
    },
  }
}
