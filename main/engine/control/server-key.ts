/**
 * Fetches the control server's Noise key: GET /key?v=N over fully verified TLS. Over https it is the only trust anchor
 * of the protocol; over plain http nothing vouches for it.
 */
import { isDecodeError } from '../base/errors.ts'
import { keyBytes } from '../base/keys.ts'
import { checkServerKey } from '../core/tailcfg/check-register.ts'
import { CAPABILITY_VERSION } from '../core/tailcfg/types.ts'
import { ControlAnswer, statusFailure } from './failure.ts'
import type { HttpFetch } from './ports.ts'

const TIMEOUT_MS = 15_000
const MAX_BYTES = 64 * 1024

/** The server's 32 B static public key. Rejects with EngineError. */
export async function fetchServerKey(http: HttpFetch, controlUrl: URL, wallMs: number, signal: AbortSignal): Promise<Uint8Array> {
  const url = new URL(`/key?v=${CAPABILITY_VERSION}`, controlUrl)
  const response = await http({ method: 'GET', url: url.href, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, signal })
  const text = new TextDecoder().decode(response.body)
  if (response.status !== 200) {
    const failure = statusFailure('server key', response.status, text, response.headers['retry-after'], wallMs).failure
    if (response.status !== 404) throw new ControlAnswer(failure)
    throw notControl(`${controlUrl.host} is no control server: it has no /key`)
  }
  const answer = parseJson(text)
  const key = checkServerKey(answer)
  if (isDecodeError(key)) {
    if (isLegacy(answer, text)) {
      const message = `${controlUrl.host} is too old a server for this program: it has no key for the present protocol, so it must be updated`
      throw new ControlAnswer({ code: 'control-version', message })
    }
    throw notControl(`${controlUrl.host} is no control server that this program can talk to: its key answer is not as expected`)
  }
  return keyBytes(key)
}

/** Whether this is the answer of a server of the protocol before: its key alone, in JSON or in hexadecimal digits, or nothing at all. */
function isLegacy(answer: unknown, text: string): boolean {
  const trimmed = text.trim()
  return trimmed === '' || /^[0-9a-f]{64}$/i.test(trimmed) || (typeof answer === 'object' && answer !== null && 'legacyPublicKey' in answer)
}

function notControl(message: string): ControlAnswer {
  return new ControlAnswer({ code: 'control-bad-response', message })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
