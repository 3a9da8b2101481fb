/**
 * HTTP/2 with prior knowledge over any byte stream: one connection, parallel requests, big windows so that a netmap of
 * many megabytes flows without waiting for us. After GOAWAY or close the connection takes no more requests.
 */
import * as http2 from 'node:http2'
import { PassThrough, pipeline, type Duplex } from 'node:stream'
import { EngineError, errorText } from '../base/errors.ts'

const STREAM_WINDOW_BYTES = 8 * 1024 * 1024
const BODY_BUFFER_BYTES = 1024 * 1024
const CONNECTION_WINDOW_BYTES = 32 * 1024 * 1024

export interface Http2Request {
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly signal?: AbortSignal
}

export interface Http2Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  /** Ends or fails with the stream; destroying it ends the request. */
  readonly body: AsyncIterable<Uint8Array> & { destroy(): void }
}

/** One HTTP/2 connection. `authority` is the host that requests name. */
export class Http2Connection {
  readonly #session: http2.ClientHttp2Session
  #usable = true

  constructor(stream: Duplex, authority: string) {
    this.#session = http2.connect(`https://${authority}`, {
      createConnection: () => stream,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
    })
    const spent = (): void => void (this.#usable = false)
    this.#session.on('goaway', spent)
    this.#session.on('close', spent)
    this.#session.on('error', spent)
    this.#session.once('connect', () => {
      if (!this.#session.destroyed) this.#session.setLocalWindowSize(CONNECTION_WINDOW_BYTES)
    })
  }

  /** Whether new requests may be sent on it. */
  get usable(): boolean {
    return this.#usable && !this.#session.closed && !this.#session.destroyed
  }

  /** Sends a request and waits for the answer's head. Rejects with EngineError 'io' or 'aborted'. */
  request(request: Http2Request): Promise<Http2Response> {
    return new Promise((resolve, reject) => {
      if (!this.usable) return reject(new EngineError('io', 'the connection is closed'))
      const stream = this.#session.request({ ':method': request.method, ':path': request.path, ...request.headers })
      let answered = false
      const onAbort = (): void => {
        if (!answered) reject(new EngineError('aborted', 'the request was called off'))
        stream.close(http2.constants.NGHTTP2_CANCEL)
      }
      if (request.signal?.aborted === true) onAbort()
      request.signal?.addEventListener('abort', onAbort, { once: true })
      stream.on('close', () => {
        request.signal?.removeEventListener('abort', onAbort)
        reject(new EngineError('io', 'the connection was lost before the answer came'))
      })
      // After the head has come, the reader of the body sees the error; before it, the caller does.
      stream.on('error', (error) => reject(new EngineError('io', errorText(error), { cause: error })))
      stream.once('response', (headers) => {
        answered = true
        // A short answer is whole before any promise is heard, and Node throws away what has no reader by then.
        const body = new PassThrough({ readableHighWaterMark: BODY_BUFFER_BYTES })
        pipeline(stream, body, () => {})
        resolve({ status: Number(headers[':status']), headers: plainHeaders(headers), body })
      })
      stream.end(request.body)
    })
  }

  /** Round trip of an HTTP/2 PING; rejects when it does not come back in time or the connection ends. */
  ping(timeoutMs: number): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#session.closed || this.#session.destroyed) return reject(new EngineError('io', 'the connection is closed'))
      const timer = setTimeout(() => reject(new EngineError('timeout', 'the server does not answer on this connection')), timeoutMs)
      this.#session.ping((error, durationMs) => {
        clearTimeout(timer)
        if (error) reject(new EngineError('io', errorText(error), { cause: error }))
        else resolve(durationMs)
      })
    })
  }

  /** Calls once when the connection has ended, at once when it already has. */
  onClose(call: () => void): void {
    if (this.#session.destroyed) call()
    else this.#session.once('close', call)
  }

  /** Ends it now, requests and all. */
  close(): void {
    this.#usable = false
    this.#session.destroy()
  }
}

function plainHeaders(headers: http2.IncomingHttpHeaders): Record<string, string | undefined> {
  const out: Record<string, string | undefined> = {}
  for (const [name, value] of Object.entries(headers)) if (typeof value === 'string') out[name] = value
  return out
}
