/**
 * Answers control's pings: a HEAD to a URL proves that this node is alive (a subnet router that does not answer loses
 * its routes), and the least of control-to-node requests ("c2n"), which come as a raw HTTP request inside the ping.
 *
 * Every ping has its own URL; one seen before is not answered again.
 * Source: tailscale feature/c2n/c2n.go, ipn/ipnlocal/c2n.go.
 */
import type { Env } from '../base/env.ts'
import { errorText } from '../base/errors.ts'
import type { PingRequest } from '../core/tailcfg/types.ts'
import { readAll, type ControlConnection } from './connection.ts'
import { deadline } from './deadline.ts'
import type { HttpFetch } from './ports.ts'

const TIMEOUT_MS = 15_000
const MAX_BYTES = 64 * 1024
const REMEMBERED = 64

export class PingAnswerer {
  readonly #env: Env
  readonly #http: HttpFetch
  readonly #seen: string[] = []

  constructor(deps: { env: Env; http: HttpFetch }) {
    this.#env = deps.env
    this.#http = deps.http
  }

  /** Answers in the background; failures are told to the journal only. */
  handle(ping: PingRequest, connection: ControlConnection, signal: AbortSignal): void {
    if (ping.URL === '' || this.#seen.includes(ping.URL)) return
    this.#seen.push(ping.URL)
    if (this.#seen.length > REMEMBERED) this.#seen.shift()
    const types = ping.Types ?? ''
    const limit = deadline(this.#env.clock, TIMEOUT_MS, signal)
    this.#answer(ping, types, connection, limit.signal).finally(() => limit.done()).then(
      (answered) => this.#env.journal.add({ part: 'control', kind: 'ping-request', types, answered }),
      (error: unknown) => this.#env.journal.add({ part: 'control', kind: 'ping-request', types, answered: false, why: errorText(error) }),
    )
  }

  async #answer(ping: PingRequest, types: string, connection: ControlConnection, limit: AbortSignal): Promise<boolean> {
    const url = new URL(ping.URL, connection.url)
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return false
    const path = url.pathname + url.search
    if (types === '' && ping.URLIsNoise === true) {
      await readAll(await connection.send('HEAD', path, undefined, {}, limit), MAX_BYTES)
      return true
    }
    if (types === '') {
      await this.#http({ method: 'HEAD', url: url.href, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, signal: limit })
      return true
    }
    if (types !== 'c2n' || ping.URLIsNoise !== true) return false
    const answer = answerC2n(new Uint8Array(Buffer.from(ping.Payload ?? '', 'base64')))
    await readAll(await connection.send('POST', path, answer, {}, limit), MAX_BYTES)
    return true
  }
}

/** The raw HTTP answer to a raw HTTP request: /echo gives the body back, everything else is unknown. */
export function answerC2n(request: Uint8Array): Uint8Array {
  const text = Buffer.from(request).toString('latin1')
  const end = text.indexOf('\r\n\r\n')
  const [, path = ''] = (text.split('\r\n', 1)[0] ?? '').split(' ')
  const isEcho = end >= 0 && path.split('?')[0] === '/echo'
  const body = isEcho ? text.slice(end + 4) : 'unknown c2n path'
  const status = isEcho ? '200 OK' : '400 Bad Request'
  const lines = [`HTTP/1.1 ${status}`, 'Content-Type: text/plain', `Content-Length: ${body.length}`, 'Connection: close', '', body]
  return new Uint8Array(Buffer.from(lines.join('\r\n'), 'latin1'))
}
