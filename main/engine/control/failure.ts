/**
 * Turns whatever went wrong into a code and a sentence that a person can act on.
 */
import { printable } from '../base/printable.ts'
import { EngineError, errorText, type ErrorCode } from '../base/errors.ts'
import type { Failure } from '../core/session/types.ts'

interface Told {
  readonly code: ErrorCode
  readonly text: (host: string) => string
}

const unreachable = (why: string, next = "Check this computer's network"): Told => ({ code: 'control-unreachable', text: (host) => `cannot reach the control server ${host}: ${why}. ${next}` })

/** What the system's words mean for a person. */
const SYSTEM: Readonly<Record<string, Told>> = {
  ECONNREFUSED: {
    code: 'connection-refused',
    text: (host) => `cannot reach the control server ${host}: nothing listens there (connection refused). Check the address and its port, or whether the server runs`,
  },
  ENETUNREACH: unreachable('no network'),
  EHOSTUNREACH: unreachable('no way to that host'),
  EADDRNOTAVAIL: unreachable('no network of that kind (IPv4 or IPv6)'),
  EACCES: unreachable('this computer does not allow it', 'Check its firewall'),
  EPERM: unreachable('this computer does not allow it', 'Check its firewall'),
  ECONNRESET: unreachable('the connection was reset', 'Check the address and its port; something on the way may block it'),
  EPIPE: unreachable('the connection was closed', 'Check the address and its port; something on the way may block it'),
  ETIMEDOUT: unreachable('it did not answer in time', "Check the address and this computer's network"),
}

const noTls: Told = {
  code: 'control-no-tls',
  text: (host) => `${host} does not speak TLS. If the server has no certificate, begin its address with http://; else check the port`,
}

const otherTls = (code: string): Told => ({
  code: 'control-tls',
  text: (host) => `no TLS connection with ${host} could be made (${code}). Ask whoever runs the server, or try another network`,
})

/** What is to be told and kept of an error of an exchange with `host`. */
export function failureOf(error: unknown, host: string): Failure {
  if (error instanceof ControlAnswer) return error.failure
  if (error instanceof EngineError && error.code === 'timeout') {
    return { code: 'timeout', message: `the control server ${host} did not answer in time. Check the address and this computer's network` }
  }
  if (error instanceof EngineError && error.code !== 'io') return { code: error.code, message: error.message }
  const system = systemCode(error)
  if (system === undefined) return { code: 'control-unreachable', message: `lost the control server ${host}: ${errorText(error)}` }
  if (/^ERR_(STREAM|HTTP2)/.test(system)) return { code: 'control-unreachable', message: `the control server ${host} closed the connection (${system})` }
  const isTls = /^(ERR_(SSL|TLS)|EPROTO)/.test(system)
  const isPlain = /^ERR_SSL_(WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE)$/.test(system)
  const isNoHttp = system.startsWith('HPE_')
  const told = SYSTEM[system] ?? (isNoHttp ? wrongServer : isPlain ? noTls : isTls ? otherTls(system) : unreachable(system))
  return { code: told.code, message: told.text(host) }
}

/** The system's or TLS's own code, wherever in the chain of causes it stands. */
function systemCode(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const code = (at as { code?: unknown }).code
    if (!(at instanceof EngineError) && typeof code === 'string') return code
  }
  return undefined
}

const wrongServer: Told = {
  code: 'control-wrong-server',
  text: (host) => `${host} is no control server: it does not speak HTTP. Check the address and its port`,
}

/** The control server answered, but not what was asked for. */
export class ControlAnswer extends EngineError {
  readonly failure: Failure

  constructor(failure: Failure) {
    super(failure.code, failure.message)
    this.failure = failure
  }
}

/** The failure of an HTTP status other than 200; `text` is the server's, shown as it is when it is short and printable. */
export function statusFailure(what: string, status: number, text: string, retryAfter: string | undefined, wallMs: number): ControlAnswer {
  const said = printable(text)
  const tail = said === '' ? '' : `: ${said}`
  if (status === 429) {
    const retryAfterMs = parseRetryAfter(retryAfter, wallMs)
    const when = retryAfterMs === undefined ? '' : `, trying again in ${Math.ceil(retryAfterMs / 1000)} s`
    const failure: Failure = { code: 'control-rate-limited', message: `the control server asks to slow down${when}`, status }
    return new ControlAnswer(retryAfterMs === undefined ? failure : { ...failure, retryAfterMs })
  }
  if (status === 400 && /unsupported client version/i.test(text)) {
    const message = `this program is too old for the control server, an update is required${tail}`
    return new ControlAnswer({ code: 'control-version', message, status })
  }
  if (status === 404) {
    return new ControlAnswer({ code: 'control-not-found', message: `the control server does not know this device${tail}`, status })
  }
  const code: ErrorCode = status >= 500 ? 'control-unreachable' : 'control-refused'
  return new ControlAnswer({ code, message: `${what}: the control server answered HTTP ${status}${tail}`, status })
}

/** Milliseconds of a Retry-After of seconds or of an HTTP date, at most an hour. */
function parseRetryAfter(text: string | undefined, wallMs: number): number | undefined {
  if (text === undefined) return undefined
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - wallMs
  return Number.isNaN(ms) ? undefined : Math.min(3_600_000, Math.max(0, ms))
}
