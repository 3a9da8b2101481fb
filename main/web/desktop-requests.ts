/**
 * Requests about windows and notices of the desktop app. In a browser there are none: they are answered with 'not-supported'.
 */
import { oneOf, Refused, shortName, text } from './checks.ts'
import type { Handler, HostActions } from './requests.ts'

export interface DesktopActions {
  /** `offer`: of the window that asks; it goes over to the main one. */
  showMain(hash: string | undefined, offer?: string): void
  smallWindow(what: 'close' | 'pin' | 'unpin'): void
  /** `action` undefined: the person closed it. */
  useNotice(key: string, action: number | undefined): void
}

const KEY_LIMIT = 200
const ACTIONS = 9

const desktopOf = ({ desktop }: HostActions): DesktopActions => {
  if (!desktop) throw Object.assign(new Error('This window is in a browser.'), { code: 'not-supported' })
  return desktop
}

function place(value: unknown): string | undefined {
  if (value === undefined) return undefined
  const hash = text(value, 'hash', KEY_LIMIT)
  if (!/^#\/[\w/%.:~-]*$/.test(hash)) throw new Refused('hash must be a place of the window')
  return hash
}

function actionAt(value: unknown): number | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > ACTIONS) throw new Refused('action must be the place of one')
  return value
}

export const DESKTOP_HANDLERS: Readonly<Record<'showMain' | 'smallWindow' | 'useNotice', Handler>> = {
  showMain: async (_client, host, send) => {
    const hash = place(send['hash'])
    const offer = send['offer'] === undefined ? undefined : shortName(send['offer'], 'offer')
    desktopOf(host).showMain(hash, offer)
  },
  smallWindow: async (_client, host, send) => {
    const what = oneOf(send['do'], 'do', ['close', 'pin', 'unpin'] as const)
    desktopOf(host).smallWindow(what)
  },
  useNotice: async (_client, host, send) => {
    const [key, action] = [text(send['key'], 'key', KEY_LIMIT), actionAt(send['action'])]
    desktopOf(host).useNotice(key, action)
  },
}
