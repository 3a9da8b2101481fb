/**
 * The border to the renderer: two handlers, each of which looks at the sender before it looks at anything else.
 */
import { ipcMain, webContents, type IpcMainInvokeEvent } from 'electron'
import type { LocalApiClient } from '../client/local-api-client.ts'
import { answerRequest, type HostActions } from '../web/requests.ts'
import { PAGE_ORIGIN } from './window.ts'

/** Whether a message comes from the top frame of our own page. */
function isOurs(event: IpcMainInvokeEvent): boolean {
  const frame = event.senderFrame
  return frame !== null && frame === event.sender.mainFrame && frame.url.startsWith(`${PAGE_ORIGIN}/`)
}

export type Channel = 'notify' | 'app' | 'command'

export interface Border {
  /** Sends an event to every window that follows. */
  tell(channel: Channel, value: unknown): void
  /** From now on a window that begins to follow is told at once what `now` has for it. */
  serve(now: (channel: Channel) => unknown): void
}

/** Answers the windows' requests. */
export function serveRequests(client: LocalApiClient, actions: HostActions): Border {
  const followers = new Map<string, Set<number>>([['notify', new Set()], ['app', new Set()], ['command', new Set()]])
  ipcMain.handle('bowline:call', (event, name: unknown, send: unknown) => {
    if (!isOurs(event)) return { ok: false, code: 'wrong-sender', message: 'Refused.' }
    return answerRequest(client, actions, name, send)
  })
  return {
    tell(channel, value) {
      for (const id of followers.get(channel)!) {
        const contents = webContents.fromId(id)
        if (contents && !contents.isDestroyed()) contents.send(`bowline:${channel}`, value)
        else followers.get(channel)!.delete(id)
      }
    },
    serve(now) {
      ipcMain.handle('bowline:follow', (event, channel: unknown) => {
        if (!isOurs(event) || typeof channel !== 'string' || !followers.has(channel)) return
        followers.get(channel)!.add(event.sender.id)
        const value = now(channel as Channel)
        if (value !== undefined) event.sender.send(`bowline:${channel}`, value)
      })
    },
  }
}
