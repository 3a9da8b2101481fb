/**
 * What an answer to GET /key says: the server's key, or what stands there in place of a control server. Pure.
 *
 *   redirect to a foreign site, 511      the sign-in page of this network (only without TLS: a page cannot forge a certificate)
 *   redirect to the same site by https   the address must begin with https://
 *   web page, 404, other JSON            some other server
 *   empty, no publicKey                  a control server that is too old
 */
import { isDecodeError } from '../base/errors.ts'
import { keyBytes } from '../base/keys.ts'
import { printable } from '../base/printable.ts'
import type { Failure } from '../core/session/types.ts'
import { checkServerKey } from '../core/tailcfg/check-register.ts'
import { ControlAnswer, statusFailure } from './failure.ts'

export interface KeyAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** The server's 32 B key. Throws ControlAnswer. */
export function readKeyAnswer({ status, headers, body }: KeyAnswer, url: URL, wallMs: number): Uint8Array {
  const text = new TextDecoder().decode(body)
  const portal = portalIn({ status, headers }, url)
  if (portal) throw new ControlAnswer(portal)
  if (status >= 300 && status < 400) throw new ControlAnswer(redirected(url, headers['location']))
  if (status === 404 || status === 405 || status === 410) throw wrong(`${url.host} is no control server: it has no /key. Check the address and its port`)
  if (status === 400 && /HTTP request.*HTTPS/i.test(text)) throw new ControlAnswer(needsTls(url.host))
  if (status === 401) throw wrong(`a web server stands before ${url.host} and wants a password (HTTP 401). Ask whoever runs the server to let Bowline through`)
  if (status !== 200) throw new ControlAnswer(statusFailure('server key', status, text, headers['retry-after'], wallMs).failure)
  const page = /<title[^>]*>([^<]*)/i.exec(text)?.[1]
  if (page !== undefined || /^\s*<(!doctype|html)/i.test(text)) throw wrong(webPage(url, printable(page ?? '', 80)))
  if (/^[0-9a-f]{64}$|^$/.test(text.trim())) throw tooOld(url.host)
  const json = parseJson(text)
  const key = checkServerKey(json)
  if (!isDecodeError(key)) return keyBytes(key)
  if (key.detail === 'publicKey' && typeof (json as { legacyPublicKey?: unknown }).legacyPublicKey === 'string') throw tooOld(url.host)
  throw wrong(`${url.host} is no control server that this program can talk to: its answer to /key is not as expected. Check the address and its port`)
}

/** The sign-in page of a network, when this answer without TLS is one. */
export function portalIn({ status, headers }: Pick<KeyAnswer, 'status' | 'headers'>, url: URL): Failure | undefined {
  if (url.protocol !== 'http:') return undefined
  const to = status >= 300 && status < 400 ? targetOf(headers['location'], url) : undefined
  if (status !== 511 && (!to || isSameSite(to.hostname, url.hostname))) return undefined
  const where = to ? ` It sends you to its sign-in page at ${printable(to.host, 100)}.` : ''
  return { code: 'captive-portal', message: `this network wants you to sign in before it lets you reach ${url.hostname}.${where} Open any web page in a browser and sign in there; Bowline then goes on by itself` }
}

/** The failure of plain HTTP with a server that speaks TLS. */
export function needsTls(host: string): Failure {
  return { code: 'control-needs-tls', message: `${host} speaks TLS and was asked without. Begin the server's address with https://` }
}

function redirected(url: URL, location: string | undefined): Failure {
  const to = targetOf(location, url)
  if (to?.protocol === 'https:' && url.protocol === 'http:' && to.hostname === url.hostname) return needsTls(url.host)
  const where = to ? `sends on to ${printable(`${to.protocol}//${to.host}`, 120)}` : 'answers with a redirect to nowhere'
  return { code: 'control-wrong-server', message: `${url.host} is no control server: it ${where}. Use the address that whoever runs the server tells you` }
}

function webPage(url: URL, title: string): string {
  const named = title === '' ? '' : ` ("${title}")`
  const portal = url.protocol === 'http:' ? ', or sign in to this network if it shows its own page' : ''
  return `${url.host} is no control server: it answers with a web page${named}. Check the address and its port${portal}`
}

function tooOld(host: string): ControlAnswer {
  return new ControlAnswer({ code: 'control-version', message: `the control server ${host} is too old for this program. Ask whoever runs it to update it`, status: 200 })
}

function wrong(message: string): ControlAnswer {
  return new ControlAnswer({ code: 'control-wrong-server', message })
}

function targetOf(location: string | undefined, base: URL): URL | undefined {
  try {
    return location === undefined ? undefined : new URL(location, base)
  } catch {
    return undefined
  }
}

/** Names that share their last two labels belong to one owner. */
function isSameSite(a: string, b: string): boolean {
  const owner = (host: string): string => (/^[\d.]+$|:/.test(host) ? host : host.toLowerCase().split('.').slice(-2).join('.'))
  return owner(a) === owner(b)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
