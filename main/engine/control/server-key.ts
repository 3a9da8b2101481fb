/**
 * Fetches the control server's Noise key: GET /key?v=N over fully verified TLS. Over https it is the only trust anchor
 * of the protocol; over plain http nothing vouches for it. When it fails, one second look tells what stands in the way.
 */
import { EngineError, errorText } from '../base/errors.ts'
import { isClockWrong, MADE_AT_MS, skewWords } from '../core/clock/skew.ts'
import type { Failure } from '../core/session/types.ts'
import { CertificateError } from '../core/trust/certificate-fault.ts'
import { CAPABILITY_VERSION } from '../core/tailcfg/types.ts'
import { hostOf } from './candidates.ts'
import { ControlAnswer, failureOf } from './failure.ts'
import { needsTls, portalIn, readKeyAnswer } from './key-answer.ts'
import type { ControlDeps } from './ports.ts'

const TIMEOUT_MS = 15_000
const MAX_BYTES = 64 * 1024
/** A second look is no reason to let people wait. */
const LOOK_MS = 3_000

/** What may be the doing of a network that wants a sign-in first. */
const PERHAPS_PORTAL: readonly string[] = ['cert-wrong-name', 'cert-self-signed', 'cert-unknown-issuer', 'cert-intercepted', 'cert-expired', 'timeout', 'control-unreachable', 'connection-refused', 'control-no-tls']

type Deps = Pick<ControlDeps, 'env' | 'dial' | 'http' | 'peekDate' | 'noteServerTime'>

/** The server's 32 B static public key. Rejects with EngineError. */
export async function fetchServerKey(deps: Deps, controlUrl: URL, signal: AbortSignal): Promise<Uint8Array> {
  const url = new URL(`/key?v=${CAPABILITY_VERSION}`, controlUrl)
  try {
    const answer = await deps.http({ method: 'GET', url: url.href, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, signal })
    const key = readKeyAnswer(answer, url, deps.env.clock.wallMs())
    noteDate(deps, answer.headers['date'])
    return key
  } catch (error) {
    const better = signal.aborted || (error instanceof ControlAnswer && error.code !== 'control-unreachable') ? undefined : await lookAgain(deps, url, error, signal)
    if (!better) throw error
    deps.env.log.debug('a second look tells more', { first: errorText(error) })
    throw new ControlAnswer(better)
  }
}

function noteDate(deps: Deps, date: string | undefined): void {
  const serverMs = date === undefined ? Number.NaN : Date.parse(date)
  if (Number.isFinite(serverMs)) deps.noteServerTime?.(serverMs)
}

/** What stands in the way, when one more question can tell. */
async function lookAgain(deps: Deps, url: URL, error: unknown, signal: AbortSignal): Promise<Failure | undefined> {
  if (error instanceof CertificateError && error.validity) return wrongClock(deps, url, error.validity, signal)
  const { code } = failureOf(error, url.host)
  if (url.protocol === 'https:') return PERHAPS_PORTAL.includes(code) ? findPortal(deps, url, signal) : undefined
  return (code === 'control-unreachable' || code === 'control-wrong-server') && (await speaksTls(deps, url, signal)) ? needsTls(url.host) : undefined
}

/** Whether it is this computer's clock that makes a certificate seem out of date. The server's own word is enough to tell that. */
async function wrongClock(deps: Deps, url: URL, good: { fromMs: number; toMs: number }, signal: AbortSignal): Promise<Failure | undefined> {
  const serverMs = await deps.peekDate?.(url.href, LOOK_MS, signal).catch(() => undefined)
  const wallMs = deps.env.clock.wallMs()
  const says = `it says ${new Date(wallMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  const soNot = `so the certificate of ${url.hostname} is not accepted. Set the clock`
  if (serverMs !== undefined && isClockWrong(wallMs - serverMs) && serverMs >= good.fromMs && serverMs <= good.toMs) {
    deps.noteServerTime?.(serverMs)
    return { code: 'clock-wrong', message: `this computer's clock is ${skewWords(wallMs - serverMs)} (${says}), ${soNot}` }
  }
  if (wallMs < MADE_AT_MS && wallMs < good.fromMs) return { code: 'clock-wrong', message: `this computer's clock is far behind (${says}), ${soNot}` }
  return undefined
}

/** The sign-in page of this network, asked for without TLS where such pages stand. */
export async function findPortal(deps: Pick<Deps, 'http'>, url: URL, signal: AbortSignal): Promise<Failure | undefined> {
  const plain = new URL(`http://${url.hostname}/`)
  try {
    return portalIn(await deps.http({ method: 'GET', url: plain.href, timeoutMs: LOOK_MS, maxBytes: MAX_BYTES, signal }), plain)
  } catch {
    return undefined
  }
}

async function speaksTls(deps: Deps, url: URL, signal: AbortSignal): Promise<boolean> {
  const host = hostOf(url)
  try {
    const socket = await deps.dial({ host, port: url.port === '' ? 80 : Number(url.port), tls: { servername: host, rejectUnauthorized: false }, timeoutMs: LOOK_MS, signal })
    socket.on('error', () => {})
    socket.destroy()
    return true
  } catch {
    return false
  }
}

/** Whether a certificate was refused for its dates alone: a key that it vouched for before is as good as ever. */
export function isOutOfDate(error: unknown): boolean {
  return error instanceof EngineError && ['cert-expired', 'cert-not-yet-valid', 'clock-wrong'].includes(error.code)
}
