/**
 * What stands between a person and a running session, in one sentence, and the one thing to do about it. Pure.
 *
 * A code has one action; what is tried again by itself says when.
 */
import type { ErrorCode } from '../base/errors.ts'
import type { SessionAction, SessionProblem } from '../../localapi/types.ts'
import type { Model } from './model.ts'

const SIGN_IN: SessionAction = { Kind: 'sign-in-again', Label: 'Sign in again' }
const NEW_KEY: SessionAction = { Kind: 'new-auth-key', Label: 'Use another auth key' }
const CHECK: SessionAction = { Kind: 'check-server', Label: 'Check the server address' }
const ASK: SessionAction = { Kind: 'ask-admin', Label: 'Ask whoever runs the server' }
const WAIT: SessionAction = { Kind: 'wait', Label: 'Wait, it is tried again by itself' }
const TRUST: SessionAction = { Kind: 'trust-certificate', Label: 'Trust its certificate' }
const CLOCK: SessionAction = { Kind: 'fix-clock', Label: 'Set the clock' }
const NETWORK: SessionAction = { Kind: 'wait', Label: 'Check the network; it is tried again by itself' }
const PROXY: SessionAction = { Kind: 'wait', Label: 'Check the proxy setting' }

const ACTIONS: Partial<Readonly<Record<ErrorCode, SessionAction>>> = {
  'auth-key-invalid': NEW_KEY,
  'bad-argument': CHECK,
  'captive-portal': { Kind: 'wait', Label: "Open this network's sign-in page" },
  'cert-expired': ASK,
  'cert-incomplete': ASK,
  'cert-intercepted': { Kind: 'ask-admin', Label: 'Use another network, or ask whoever runs this one' },
  'cert-not-yet-valid': CLOCK,
  'cert-self-signed': TRUST,
  'cert-unknown-issuer': TRUST,
  'cert-untrusted': ASK,
  'cert-wrong-name': CHECK,
  'clock-wrong': CLOCK,
  'connection-refused': CHECK,
  'control-bad-response': CHECK,
  'control-key-mismatch': ASK,
  'control-needs-tls': CHECK,
  'control-no-tls': CHECK,
  'control-not-found': SIGN_IN,
  'control-rate-limited': WAIT,
  'control-refused': ASK,
  'control-tls': ASK,
  'control-unreachable': WAIT,
  'control-version': ASK,
  'control-wrong-server': CHECK,
  'dns-failed': NETWORK,
  'dns-no-such-name': CHECK,
  'login-elsewhere': CHECK,
  'proxy-bad-setting': PROXY,
  'proxy-refused': PROXY,
  'proxy-sign-in': PROXY,
  'proxy-unreachable': PROXY,
  timeout: WAIT,
}

/** The problem of the session, or undefined when there is none. */
export function problemOf(model: Model, wallMs: number): SessionProblem | undefined {
  const { control, life, loss } = model
  if (control.kind === 'failed') return { Code: control.code, Text: textOf(control), Action: ACTIONS[control.code] ?? SIGN_IN }
  if (control.kind === 'needs-login') {
    if (life.loggedOut) return undefined
    const code = control.code
    return { Code: code ?? 'signed-out', Text: sentence(control.why), Action: (code && ACTIONS[code]) ?? SIGN_IN }
  }
  if (loss) {
    const retryAtMs = control.kind === 'lost' && control.retryInMs > 0 ? wallMs + control.retryInMs : undefined
    return {
      Code: loss.code,
      Text: sentence(loss.message),
      Action: ACTIONS[loss.code] ?? WAIT,
      ...(retryAtMs === undefined ? {} : { RetryAt: new Date(retryAtMs).toISOString() }),
    }
  }
  if (control.kind === 'waiting' && control.problem) {
    return { Code: control.problem.code, Text: sentence(control.problem.message), Action: ASK }
  }
  if (control.kind === 'running' && control.problem) {
    const { code, message } = control.problem
    return { Code: code, Text: `${sentence(message)} The sign-in before is still good.`, Action: ACTIONS[code] ?? SIGN_IN }
  }
  if (life.keyExpired) {
    return { Code: 'key-expired', Text: 'The sign-in of this device has ended. Nothing gets through until you sign in again.', Action: SIGN_IN }
  }
  return undefined
}

/** The server's words about an auth key, and what they mean. */
function textOf({ code, message }: { code: ErrorCode; message: string }): string {
  if (code !== 'auth-key-invalid') return sentence(message)
  const meaning = /expired/i.test(message) ? 'Its time is over'
    : /already used/i.test(message) ? 'It was good for one device and has been used'
    : /tags/i.test(message) ? 'Tags come with the key at this server, not from this device'
    : 'The server does not know it, or it was not copied whole'
  return `The server refused the auth key (${message}). ${meaning}: use another one, or sign in with a page.`
}

/** As a sentence of its own: a capital in front, a full stop behind. */
function sentence(text: string): string {
  const trimmed = text.trim()
  const whole = /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`
  return whole.charAt(0).toUpperCase() + whole.slice(1)
}
