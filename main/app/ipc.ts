/**
 * The border to the renderer: two handlers, each of which looks at the sender before it looks at anything else.
 */
import { ipcMain, webContents, type IpcMainInvokeEvent, type WebContents } from 'electron'
import type { LocalApiClient } from '../client/local-api-client.ts'
import { answerRequest, type HostActions } from '../web/requests.ts'
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

/** Answers the windows' requests. */
export function serveRequests(client: LocalApiClient, actions: HostActions): Border {
  const followers = new Map<string, Set<number>>([['notify', new Set()], ['app', new Set()], ['command', new Set()]])
  ipcMain.handle('bowline:call', (event, name: unknown, send: unknown) => {
    if (!isOurs(event)) return { ok: false, code: 'wrong-sender', message: 'Refused.' }
    return answerRequest(client, actions, name, send)
  })
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
