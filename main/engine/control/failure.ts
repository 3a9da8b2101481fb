/**
 * Turns whatever went wrong into a code and a sentence that a person can act on.
 */
import { EngineError, errorText, type ErrorCode } from '../base/errors.ts'
import type { Failure } from '../core/session/types.ts'

const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ENOTFOUND: 'its name is not known to DNS',
  EAI_AGAIN: 'DNS does not answer',
  EAI_NODATA: 'its name has no address',
  ENETUNREACH: 'no network',
  EHOSTUNREACH: 'no way to that host',
  ECONNRESET: 'the connection was reset',
  ETIMEDOUT: 'it did not answer in time',
  EPIPE: 'the connection was closed',
}

const CERTIFICATE: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet, or this clock is wrong',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed and not trusted by this machine',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from an authority that this machine does not trust',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate chain is incomplete',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate chain is incomplete',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate comes from an authority that this machine does not trust',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
}

/** What is to be told and kept of an error of an exchange with `host`. */
export function failureOf(error: unknown, host: string): Failure {
  if (error instanceof ControlAnswer) return error.failure
  const system = systemCode(error)
  if (system !== undefined && /^ERR_(STREAM|HTTP2)/.test(system)) {
    return { code: 'control-unreachable', message: `the control server ${host} closed the connection (${system})` }
  }
  if (system !== undefined) {
    const otherTls = /^(ERR_(SSL|TLS)|CERT_|EPROTO)/.test(system) ? 'it does not speak TLS as expected' : undefined
    const why = CERTIFICATE[system] ?? otherTls
    if (why !== undefined) return { code: 'control-tls', message: `cannot trust the control server ${host}: ${why} (${system})` }
    return { code: 'control-unreachable', message: `cannot reach the control server ${host}: ${UNREACHABLE[system] ?? system}` }
  }
  if (error instanceof EngineError) {
    if (error.code === 'timeout') return { code: 'timeout', message: `the control server ${host} did not answer in time` }
    if (error.code !== 'io') return { code: error.code, message: error.message }
  }
  return { code: 'control-unreachable', message: `lost the control server ${host}: ${errorText(error)}` }
}

/** The system's or TLS's own code, wherever in the chain of causes it stands. */
function systemCode(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const code = (at as { code?: unknown }).code
    if (!(at instanceof EngineError) && typeof code === 'string') return code
  }
  return undefined
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

const MAX_TEXT = 300

/** The first line of a server's text without control characters, for a message. */
export function printable(text: string): string {
  const line = text.trim().split('\n')[0] ?? ''
  // eslint-disable-next-line no-control-regex
  return line.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '').slice(0, MAX_TEXT)
}
