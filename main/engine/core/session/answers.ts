/**
 * What the server's answers mean. Pure.
 *
 * Headscale puts every refusal into the text `Error` of a good answer; the texts are of 0.28 and 0.29. A link ends there
 * after 15 minutes, with a restart, or by an administrator's hand, and in each case is answered with another link.
 */
import type { ErrorCode } from '../../base/errors.ts'
import type { RegisterResponse, UserProfile } from '../tailcfg/types.ts'
import { hostOf, isOpenableUrl, isOwnPage } from './auth-url.ts'
import type { Failure } from './types.ts'

/** How long Headscale keeps a link, less what its clock and ours may differ. */
const LINK_LIFE_MS = 14.5 * 60_000

export type Refusal = 'auth-key' | 'other-machine' | 'forgotten-link' | 'other'

/** What a refusal is about, as far as its text tells. */
export function refusalOf(text: string): Refusal {
  if (FORGOTTEN.test(text)) return 'forgotten-link'
  if (/(?:different|another) machine/i.test(text)) return 'other-machine'
  return /auth.?key|requested tags/i.test(text) ? 'auth-key' : 'other'
}

const FORGOTTEN = /registration (?:cache|session|id)|not found in registration/i

/** Whether the server says that it does not know a link which it gave before. */
export function isForgottenLink(failure: Failure): boolean {
  return failure.status === 404 || (failure.status !== undefined && FORGOTTEN.test(failure.message))
}

/** Why a link may not be opened, in words; undefined when it may. */
export function linkFault(url: string, controlUrl: string): { readonly code: ErrorCode; readonly message: string } | undefined {
  if (!isOpenableUrl(url, controlUrl)) {
    return { code: 'control-bad-response', message: 'the control server sent a sign-in link that must not be opened, because it is no safe web address' }
  }
  if (isOwnPage(url, controlUrl)) return undefined
  const [page, control] = [hostOf(url), hostOf(controlUrl)]
  const message = `the sign-in page that the control server sent is at ${page}, not at ${control}, and is not opened: `
    + `use ${page} as the server's address if you trust it, else ask whoever runs the server`
  return { code: 'login-elsewhere', message }
}

/** How a link ended that was replaced: by the connection's breaking, by its age, or before its time. */
export function endOfLink(link: { readonly sinceMs: number; readonly broke: boolean }, nowMs: number): 'forgotten' | 'ran-out' | 'refused' {
  if (nowMs - link.sinceMs >= LINK_LIFE_MS) return 'ran-out'
  return link.broke ? 'forgotten' : 'refused'
}

/** Failures that waiting does not mend: whoever waits for a login is told after a while. */
export function isLasting({ code, status }: Failure): boolean {
  if (status !== undefined && status >= 500) return false
  return LASTING.has(code)
}

const LASTING: ReadonlySet<ErrorCode> = new Set([
  'cert-expired', 'cert-incomplete', 'cert-intercepted', 'cert-not-yet-valid', 'cert-self-signed', 'cert-unknown-issuer', 'cert-untrusted', 'cert-wrong-name',
  'clock-wrong', 'control-bad-response', 'control-key-mismatch', 'control-needs-tls', 'control-no-tls', 'control-not-found', 'control-refused', 'control-tls',
  'control-version', 'control-wrong-server', 'proxy-bad-setting', 'proxy-refused', 'proxy-sign-in',
])

/** The person or tag behind a login. */
export function profileOf(response: RegisterResponse): UserProfile {
  const { User: user, Login: login } = response
  return {
    ID: user.ID,
    LoginName: login.LoginName ?? '',
    DisplayName: user.DisplayName ?? login.DisplayName ?? login.LoginName ?? '',
    ProfilePicURL: user.ProfilePicURL ?? login.ProfilePicURL ?? '',
  }
}

/** The server's text, with the auth key cut out should it echo it. */
export function withoutSecret(text: string, secret: string | undefined): string {
  return secret === undefined || secret === '' ? text : text.replaceAll(secret, '[auth key]')
}
