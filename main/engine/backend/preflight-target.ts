/**
 * Reads what a person pastes to join a network: a join link, a server's address as people type it, or the address of one of its pages
 * (a sign-in link, Headscale's pages for systems). Pure but for URL.
 */
import { looksLikeLink, readLink } from '../core/join/link.ts'
import type { JoinLink } from '../core/join/link.ts'
import type { JoinFault } from '../core/join/link-types.ts'

export type Target =
  | { readonly kind: 'server'; readonly server: string; readonly link: JoinLink | undefined }
  | { readonly kind: 'fault'; readonly code: 'no-address' | `link-${JoinFault}`; readonly text: string; readonly detail: string }

const MAX_TEXT = 8000

const SAID: Readonly<Record<JoinFault, string>> = {
  'not-a-link': 'That is no join link.',
  'too-long': 'That join link is too long to be one.',
  'bad-form': 'That join link is damaged. Copy all of it, and try again.',
  'newer-version': 'That join link is made for a newer Bowline. Update Bowline.',
  'bad-signature': 'That join link was changed on its way: its signature does not hold. Ask for a new one.',
  'holds-secret': 'That join link holds a key or a password, which no join link may. It is not used. Tell whoever sent it, and have that key taken back.',
  'bad-field': 'That join link says something that cannot be. Ask for a new one.',
  'bad-text': 'That join link holds characters that hide what it says. It is not used.',
  'bad-server': 'That join link names no server that can be used. Ask for a new one.',
  expired: 'That join link is no longer good. Ask for a new one.',
}

/** `nowMs` is wall time. Never throws. */
export function readTarget(text: string, nowMs: number): Target {
  if (looksLikeLink(text)) {
    const read = readLink(text, nowMs)
    if (read.kind === 'link') return { kind: 'server', server: read.link.server, link: read.link }
    return { kind: 'fault', code: `link-${read.code}`, text: SAID[read.code], detail: read.detail }
  }
  const server = text.length > MAX_TEXT ? undefined : serverOrigin(text)
  if (server !== undefined) return { kind: 'server', server, link: undefined }
  return { kind: 'fault', code: 'no-address', text: 'That is no server address. It looks like https://headscale.example.com.', detail: '' }
}

/** The origin to use; "example.net" is https, an address on this machine is plain unless it says otherwise. undefined = no address. */
export function serverOrigin(text: string): string | undefined {
  const trimmed = text.trim()
  if (trimmed === '') return undefined
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `${/^(localhost|127\.|\[::1\])/.test(trimmed) ? 'http' : 'https'}://${trimmed}`
  try {
    const url = new URL(withScheme)
    const named = /^([a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])$/i.test(url.hostname)
    return named && url.username === '' && url.password === '' && (url.protocol === 'https:' || url.protocol === 'http:') ? url.origin : undefined
  } catch {
    return undefined
  }
}
