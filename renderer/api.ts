/**
 * The door to the host: Electron's preload has put it on the window; in a browser it is made here over loopback HTTP.
 *
 * In a browser the page came with a one-time token that the host has already turned into a cookie, so requests carry
 * no secret of their own. Events come as one stream that the browser reopens by itself.
 */
import { DEFAULT_SETTINGS } from '../main/localapi/app-settings.ts'
import type { Answer, AppState, BowlineApi, Notify, RequestName, Requests } from '../preload/contract.ts'
import { WebFiles } from './web-files.ts'

declare global {
  interface Window {
    readonly bowline?: BowlineApi
  }
}

/** The API of whatever host this window runs in. */
export function hostApi(): BowlineApi {
  return window.bowline ?? webApi()
}

function webApi(): BowlineApi {
  const notifyHandlers = new Set<(notify: Notify) => void>()
  const stateHandlers = new Set<(state: AppState) => void>()
  let state: AppState = { engine: 'starting', sinceMs: Date.now(), restarts: 0, host: 'web', platform: 'web', version: '', settings: DEFAULT_SETTINGS, languages: [], tray: 'none' }
  const setState = (next: AppState): void => {
    state = next
    for (const handle of stateHandlers) handle(next)
  }
  const events = new EventSource('./api/events')
  events.addEventListener('app', (event) => setState(JSON.parse(event.data as string) as AppState))
  events.addEventListener('notify', (event) => {
    const notify = JSON.parse(event.data as string) as Notify
    for (const handle of notifyHandlers) handle(notify)
  })
  events.addEventListener('error', () => {
    if (state.engine !== 'stopped') setState({ ...state, engine: 'stopped', sinceMs: Date.now(), message: 'The program that serves this window does not answer.' })
  })
  const files = new WebFiles(ask)
  const own: Own = {
    openExternal: async ({ url }) => openPage(url),
    chooseFiles: ({ folder }) => files.choose(folder),
    sendFiles: ({ offer, peer }) => files.send(offer, peer),
    dropOffer: async ({ offer }) => {
      files.drop(offer)
      return { ok: true, value: null }
    },
  }
  return {
    call(name, send) {
      const answer = (own as { readonly [N in RequestName]?: (send: Requests[N]['send']) => Promise<Answer<Requests[N]['receive']>> })[name]
      return answer ? answer(send) : ask(name, send)
    },
    offer: (given) => files.offer(given),
    onNotify(handle) {
      notifyHandlers.add(handle)
      return () => notifyHandlers.delete(handle)
    },
    onAppState(handle) {
      stateHandlers.add(handle)
      handle(state)
      return () => stateHandlers.delete(handle)
    },
    // A browser window has no menu and no links of its own.
    onCommand: () => () => {},
  }
}

/** What the page does by itself in a browser. */
type Own = { readonly [N in 'openExternal' | 'chooseFiles' | 'sendFiles' | 'dropOffer']: (send: Requests[N]['send']) => Promise<Answer<Requests[N]['receive']>> }

async function ask<N extends RequestName>(name: N, send: Requests[N]['send']): Promise<Answer<Requests[N]['receive']>> {
  try {
    const response = await fetch(`./api/call/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(send),
    })
    return (await response.json()) as Answer<Requests[N]['receive']>
  } catch {
    return { ok: false, code: 'no-engine', message: 'The program that serves this window does not answer.' }
  }
}

/** Opens a web page beside this one; browsers refuse that without a click, which is said. */
function openPage(url: string): Answer<null> {
  let protocol: string
  try {
    protocol = new URL(url).protocol
  } catch {
    protocol = ''
  }
  if (protocol !== 'https:' && protocol !== 'http:') return { ok: false, code: 'bad-argument', message: 'That is no web page.' }
  // With noopener a browser answers null even when it opened the page, so only a missing click is known for sure; opening uses it up.
  const clicked = navigator.userActivation?.isActive ?? true
  window.open(url, '_blank', 'noopener')
  return clicked ? { ok: true, value: null } : { ok: false, code: 'needs-click', message: 'Press the button to open the page.' }
}
