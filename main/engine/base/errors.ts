/**
 * The one error class of the engine, and the failure value of decoders.
 *
 * Operations (login, dial, save) throw EngineError with a `code`; bytes from the network fail as DecodeError values
 * that are counted and dropped, never thrown (a stack trace per hostile datagram would be a denial of service).
 * Texts are for people: they never hold keys, auth keys or tokens.
 */

export type ErrorCode =
  | 'aborted'
  | 'access-denied'
  | 'address-in-use'
  | 'already-running'
  | 'auth-key-invalid'
  | 'bad-argument'
  | 'bad-config'
  | 'bad-prefs'
  | 'bad-state-file'
  | 'captive-portal'
  | 'cert-expired'
  | 'cert-incomplete'
  | 'cert-intercepted'
  | 'cert-not-yet-valid'
  | 'cert-self-signed'
  | 'cert-unknown-issuer'
  | 'cert-untrusted'
  | 'cert-wrong-name'
  | 'clock-wrong'
  | 'connection-refused'
  | 'control-bad-response'
  | 'control-key-mismatch'
  | 'control-needs-tls'
  | 'control-no-tls'
  | 'control-not-found'
  | 'control-rate-limited'
  | 'control-refused'
  | 'control-tls'
  | 'control-unreachable'
  | 'control-version'
  | 'control-wrong-server'
  | 'device-mismatch'
  | 'dns-failed'
  | 'dns-no-such-name'
  | 'io'
  | 'login-elsewhere'
  | 'login-expired'
  | 'login-refused'
  | 'login-unapproved'
  | 'managed-by-policy'
  | 'native-failed'
  | 'native-missing'
  | 'no-engine'
  | 'no-netmap'
  | 'no-space'
  | 'no-such-peer'
  | 'not-found'
  | 'not-supported'
  | 'proxy-bad-setting'
  | 'proxy-refused'
  | 'proxy-sign-in'
  | 'proxy-unreachable'
  | 'relay-failed'
  | 'timeout'

/** An operation that failed: `code` for programs, `message` for people, `cause` for the log. */
export class EngineError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'EngineError'
    this.code = code
  }
}

export type DecodeReason = 'short' | 'long' | 'bad-magic' | 'bad-version' | 'bad-length' | 'bad-value' | 'bad-type' | 'bad-seal'

/** Bytes that could not be decoded: a value, never thrown. */
export interface DecodeError {
  readonly kind: 'decode-error'
  readonly reason: DecodeReason
  readonly detail?: string
}

/** Makes a DecodeError value; `detail` must not quote hostile bytes. */
export function decodeError(reason: DecodeReason, detail?: string): DecodeError {
  return detail === undefined ? { kind: 'decode-error', reason } : { kind: 'decode-error', reason, detail }
}

/** Whether a decoder's answer is its failure value. */
export function isDecodeError(value: unknown): value is DecodeError {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'decode-error'
}

/** Ends the process's current turn on a broken invariant; the host restarts the engine. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${message}`)
}

/** Proves at compile time that a union was handled whole. */
export function assertNever(value: never): never {
  throw new Error(`broken invariant: unexpected ${JSON.stringify(value)}`)
}

/** The text of whatever was thrown, for a log field or a cause sentence. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
