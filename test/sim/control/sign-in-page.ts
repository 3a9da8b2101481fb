/**
 * The sign-in page of a simulated control server: who is joining, a name, one button. No scripts, nothing from outside.
 *
 * Nothing is proven here: whoever opens the link chooses a name. It is still safe against other sites: the form must
 * bring back both its hidden secret and the Strict cookie of the same value, the Host must be ours, an Origin if sent
 * must be ours, and no other page may frame it. A link works once.
 */
import { equalSecret } from '../../../main/engine/base/bytes.ts'
import type { PendingSignIn } from './registration.ts'

const COOKIE = 'bowline_sign_in'
const MAX_NAME = 40
const NAME_PATTERN = '[A-Za-z0-9._@\\-]+'
const CSP = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

export interface PageReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What the server knows of a request to the page. */
export interface PageRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** The form for a waiting device. */
export function formPage(signIn: PendingSignIn, network: string, names: readonly string[]): PageReply {
  const device = signIn.hostinfo.Hostname || 'A device'
  const system = [signIn.hostinfo.OS, signIn.hostinfo.OSVersion].filter(Boolean).join(' ')
  const options = names.map((name) => `<option value="${escape(name)}">`).join('')
  const body = `
    <h1>Sign in to ${escape(network)}</h1>
    <p><strong>${escape(device)}</strong>${system ? ` (${escape(system)})` : ''} asks to join this network.</p>
    <form method="post">
      <label for="name">Your name</label>
      <input id="name" name="name" list="names"
        required maxlength="${MAX_NAME}" pattern="${NAME_PATTERN}" autocomplete="username" autofocus>
      <datalist id="names">${options}</datalist>
      <input type="hidden" name="secret" value="${signIn.formSecret}">
      <button>Join as this person</button>
    </form>
    <p class="note">This is a demo network on this computer. Nobody checks who you are, and nothing leaves this machine.</p>`
  return reply(200, page(`Sign in to ${network}`, body), {
    'set-cookie': `${COOKIE}=${signIn.formSecret}; Path=/register/${signIn.id}; HttpOnly; SameSite=Strict`,
  })
}

/** What a submitted form asks for: a login name, or the reply that refuses it. */
export function readForm(signIn: PendingSignIn, request: PageRequest, origin: string): { login: string } | PageReply {
  const form = new URLSearchParams(request.body)
  const sent = request.headers['origin']
  if (sent !== undefined && sent !== origin) return problem(403, 'This form came from another site.')
  if (!isSecret(form.get('secret'), signIn) || !isSecret(cookieOf(request.headers['cookie']), signIn)) {
    return problem(403, 'This form is not the one we gave you. Open the link again.')
  }
  const login = (form.get('name') ?? '').trim()
  if (!/^[A-Za-z0-9._@-]+$/.test(login) || login.length > MAX_NAME) {
    return problem(400, 'Please give a name of letters, digits, dots and dashes.')
  }
  return { login }
}

/** The page after a sign-in that worked. */
export function donePage(device: string, login: string): PageReply {
  return reply(
    200,
    page('You are in', `<h1>You are in</h1><p><strong>${escape(device)}</strong> joined as ${escape(login)}. You can close this page.</p>`),
  )
}

/** A page that says what went wrong. */
export function problem(status: number, sentence: string): PageReply {
  return reply(status, page('Sign-in', `<h1>That did not work</h1><p>${escape(sentence)}</p>`))
}

function isSecret(text: string | null | undefined, signIn: PendingSignIn): boolean {
  const encoder = new TextEncoder()
  return typeof text === 'string' && equalSecret(encoder.encode(text), encoder.encode(signIn.formSecret))
}

function cookieOf(header: string | string[] | undefined): string | undefined {
  for (const part of String(header ?? '').split(';')) {
    const [name, value] = part.trim().split('=')
    if (name === COOKIE) return value
  }
  return undefined
}

function reply(status: number, body: string, extra: Record<string, string> = {}): PageReply {
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': CSP,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    // With no-referrer a browser sends `Origin: null` with our own form.
    'referrer-policy': 'same-origin',
    ...extra,
  }
  return { status, headers, body }
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ESCAPES[char] ?? char)
}

const STYLE = `
  :root {
    color-scheme: light dark;
    --bg: light-dark(#f5f6f8, #14171c); --card: light-dark(#fff, #1e232b);
    --text: light-dark(#1c232e, #eceef2); --soft: light-dark(#4d5664, #b4bac5); --line: light-dark(#87909e, #7d8695);
    --ink: light-dark(#22304a, #e2e7ef); --on-ink: light-dark(#fff, #1a2436); --sea: light-dark(#0b6a96, #74bfe6);
  }
  * { box-sizing: border-box }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 15px/1.5 system-ui, sans-serif }
  body { background: var(--bg); color: var(--text) }
  main { width: min(400px, 100vw - 32px); padding: 32px; background: var(--card); border-radius: 12px; box-shadow: 0 1px 3px #0002 }
  svg { width: 32px; height: 32px; margin-bottom: 16px }
  h1 { font-size: 22px; line-height: 1.25; margin: 0 0 8px }
  p { margin: 0 0 16px }
  label { display: block; font-weight: 500; margin-bottom: 4px }
  input, button { width: 100%; height: 36px; border-radius: 6px; font: inherit; margin-bottom: 16px }
  input { padding: 0 10px; border: 1px solid var(--line); background: transparent; color: inherit }
  button { border: 0; background: var(--ink); color: var(--on-ink); font-weight: 600; cursor: pointer }
  :focus-visible { outline: 2px solid var(--sea); outline-offset: 2px }
  .note { color: var(--soft); font-size: 13px; margin: 0 }`

const MARK =
  '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" aria-hidden="true">' +
  '<path d="M9 2.4V6.3"/><path d="M9 12.2V14.9a5.6 5.6 0 1 0 5.6-5.6H5.9a2.55 2.55 0 0 0 0 5.1H6.1"/><path d="M11.9 14.4H13.6"/></svg>'

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title><style>${STYLE}</style></head>
<body><main>${MARK}${body}</main></body>
</html>
`
}
