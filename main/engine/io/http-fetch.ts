/**
 * One small HTTP/1.1 exchange with a fully verified server: server key, ping answers. No redirects, no cookies, no pool.
 * Rejects with EngineError: 'timeout', 'aborted', 'io' (cause: Node's error), 'control-bad-response' for a body that is too long.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { EngineError, errorText } from '../base/errors.ts'
import type { DialOptions } from './dial.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST'
  /** http: or https:. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly signal?: AbortSignal
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** Makes a fetch on a dialler; `ca` adds roots. */
export function makeHttpFetch(dialer: (options: DialOptions) => Promise<Socket>, ca?: readonly string[]) {
  return async (request: HttpRequest): Promise<HttpResponse> => {
    const url = new URL(request.url)
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new EngineError('bad-argument', `not an HTTP address: ${url.protocol}`)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const secure = url.protocol === 'https:'
    const startMs = performance.now()
    const socket = await dialer({
      host,
      port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
      timeoutMs: request.timeoutMs,
      ...(secure ? { tls: { servername: host, rejectUnauthorized: true, ...(ca ? { ca } : {}) } } : {}),
      ...(request.signal ? { signal: request.signal } : {}),
    })
    const leftMs = Math.max(1, request.timeoutMs - (performance.now() - startMs))
    return exchange(socket, url, request, leftMs).finally(() => socket.destroy())
  }
}

function exchange(socket: Socket, url: URL, request: HttpRequest, leftMs: number): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const fail = (error: EngineError): void => {
      clearTimeout(timer)
      request.signal?.removeEventListener('abort', onAbort)
      reject(error)
    }
    const timer = setTimeout(() => fail(new EngineError('timeout', `${url.host} did not answer in time`)), leftMs)
    const onAbort = (): void => fail(new EngineError('aborted', 'the request was called off'))
    request.signal?.addEventListener('abort', onAbort, { once: true })
    const outgoing = httpRequest({
      method: request.method,
      path: url.pathname + url.search,
      headers: {
        host: url.host,
        connection: 'close',
        ...request.headers,
        ...(request.body ? { 'content-length': request.body.length } : {}),
      },
      createConnection: () => socket,
    })
    outgoing.on('error', (error) => fail(wrap(error, url)))
    outgoing.on('response', (response) => {
      readBody(response, request.maxBytes).then((body) => {
        clearTimeout(timer)
        request.signal?.removeEventListener('abort', onAbort)
        resolve({ status: response.statusCode ?? 0, headers: plainHeaders(response), body })
      }, (error: unknown) => fail(wrap(error, url)))
    })
    outgoing.end(request.body)
  })
}

function wrap(error: unknown, url: URL): EngineError {
  return error instanceof EngineError ? error : new EngineError('io', `${url.host}: ${errorText(error)}`, { cause: error })
}

async function readBody(response: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response) {
    length += chunk.length
    if (length > maxBytes) throw new EngineError('control-bad-response', `the answer is longer than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

function plainHeaders(response: IncomingMessage): Record<string, string> {
  const out: Record<string, string> = {}
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) out[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return out
}
