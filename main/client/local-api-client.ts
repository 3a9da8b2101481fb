/**
 * A LocalAPI client over the engine's Unix socket or named pipe, for every door on Node: command line, web host, app.
 *
 * One request, one connection: the socket is local and the engine is the only speaker. Bodies are JSON, capped at 256 MiB.
 */
import { request, type ClientRequest, type IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { API_HOST, API_PREFIX } from '../localapi/methods.ts'

const BODY_LIMIT_BYTES = 256 * 1024 * 1024

/** A request that the engine refused or that did not reach it. `status` 0 = no answer. */
export class LocalApiError extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'LocalApiError'
    this.status = status
    this.code = code
  }
}

export interface RequestOptions {
  readonly method: string
  /** Below /localapi/v0/, with its query. */
  readonly path: string
  readonly body?: unknown
  readonly signal?: AbortSignal
  readonly headers?: Readonly<Record<string, string>>
}

export class LocalApiClient {
  #socketPath: string

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  get socketPath(): string {
    return this.#socketPath
  }

  /** Requests from here on go to that engine. */
  speakWith(socketPath: string): void {
    this.#socketPath = socketPath
  }

  /** The answer: JSON, else its text, `undefined` for an empty one; throws LocalApiError. */
  async json(options: RequestOptions): Promise<unknown> {
    return this.#answer(await this.#send(options))
  }

  async #answer(response: IncomingMessage): Promise<unknown> {
    const text = await readAll(response)
    if ((response.statusCode ?? 0) >= 400) throw refused(response.statusCode ?? 0, text)
    if (text === '') return undefined
    if (!(response.headers['content-type'] ?? '').startsWith('application/json')) return text
    try {
      return JSON.parse(text) as unknown
    } catch (error) {
      throw new LocalApiError(0, 'bad-answer', 'the engine sent what is no JSON', { cause: error })
    }
  }

  /**
   * Sends a stream as the body, as fast as the engine takes it, and answers as `json` does. The engine may refuse before the end: what
   * the stream still has is the caller's, who ends it.
   */
  async upload(options: Omit<RequestOptions, 'body'>, body: Readable): Promise<unknown> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const req = this.#request(options)
      const stop = feed(body, req)
      req.on('response', (response) => {
        stop()
        resolve(response)
      })
      req.on('error', (error: NodeJS.ErrnoException) => {
        stop()
        const isCut = error.code === 'EPIPE' || error.code === 'ECONNRESET'
        reject(isCut ? new LocalApiError(0, 'cut-off', 'the engine stopped taking what is sent', { cause: error }) : unreachable(error, this.#socketPath))
      })
    })
    return this.#answer(response)
  }

  /** The answer's bytes, and how many there will be (-1 unknown); the stream is the caller's. Throws LocalApiError. */
  async download(path: string, signal: AbortSignal): Promise<{ readonly size: number; readonly stream: Readable }> {
    const response = await this.#send({ method: 'GET', path, signal })
    if ((response.statusCode ?? 0) >= 400) throw refused(response.statusCode ?? 0, await readAll(response))
    const length = response.headers['content-length']
    return { size: length === undefined ? -1 : Number(length), stream: response }
  }

  /** Follows a stream of JSON lines until it ends or `onLine` answers true; says which. Lines that are no JSON end it. */
  async lines(options: RequestOptions, onLine: (value: unknown) => boolean | void): Promise<'closed' | 'done'> {
    const response = await this.#send(options)
    if ((response.statusCode ?? 0) >= 400) throw refused(response.statusCode ?? 0, await readAll(response))
    response.setEncoding('utf8')
    let rest = ''
    for await (const chunk of response as AsyncIterable<string>) {
      const parts = (rest + chunk).split('\n')
      rest = parts.pop()!
      if (rest.length > BODY_LIMIT_BYTES) throw new LocalApiError(0, 'bad-answer', 'the engine sent a line without end')
      // Leaving the loop closes the connection.
      for (const part of parts) if (part !== '' && onLine(JSON.parse(part) as unknown) === true) return 'done'
    }
    return 'closed'
  }

  #request({ method, path, body, signal, headers }: RequestOptions): ClientRequest {
    const text = body === undefined ? undefined : JSON.stringify(body)
    return request({
      socketPath: this.#socketPath,
      method,
      path: API_PREFIX + path,
      headers: { host: API_HOST, ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }), ...headers },
      agent: false,
      ...(signal ? { signal } : {}),
    })
  }

  #send(options: RequestOptions): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const req = this.#request(options)
      req.on('response', resolve)
      req.on('error', (error) => reject(unreachable(error, this.#socketPath)))
      req.end(options.body === undefined ? undefined : JSON.stringify(options.body))
    })
  }
}

/**
 * The stream's bytes into the request; call what it answers to stop. Between two pieces the system is asked once whether an answer has
 * come: a write to a connection that the other side has closed behind its answer would lose that answer.
 */
function feed(body: Readable, req: ClientRequest): () => void {
  const go = (): void => void body.resume()
  const onData = (chunk: Buffer): void => {
    body.pause()
    if (req.write(chunk)) setImmediate(go)
    else req.once('drain', () => setImmediate(go))
  }
  const onEnd = (): void => void req.end()
  const giveUp = (): void => {
    if (!body.readableEnded) req.destroy(new Error('what was to be sent ended too early'))
  }
  let isStopped = false
  body.on('data', onData).on('end', onEnd).on('error', giveUp).on('close', giveUp)
  return () => {
    if (isStopped) return
    isStopped = true
    // The listener for errors stays: what becomes of the rest is no failure of anything any more.
    body.off('data', onData).off('end', onEnd).pause()
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length
    if (size > BODY_LIMIT_BYTES) throw new LocalApiError(0, 'bad-answer', 'the engine sent an answer without end')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function refused(status: number, text: string): LocalApiError {
  let message = text.trim()
  let code = status === 403 ? 'access-denied' : status === 404 ? 'not-found' : 'refused'
  try {
    const body = JSON.parse(text) as { error?: unknown; Error?: unknown; code?: unknown }
    const said = body.error ?? body.Error
    if (typeof said === 'string') message = said
    if (typeof body.code === 'string') code = body.code
  } catch {
    // Plain text is the stock daemon's form of an error too.
  }
  return new LocalApiError(status, code, message === '' ? `the engine answered ${status}` : message)
}

function unreachable(error: Error, socketPath: string): LocalApiError {
  const code = (error as NodeJS.ErrnoException).code
  if (error.name === 'AbortError') return new LocalApiError(0, 'aborted', 'stopped waiting for the engine', { cause: error })
  const denied = code === 'EACCES' || code === 'EPERM'
  const why = denied ? 'this user may not use it' : code === 'ENOENT' || code === 'ECONNREFUSED' ? 'nothing answers there' : error.message
  return new LocalApiError(0, denied ? 'access-denied' : 'no-engine', `no engine at ${socketPath}: ${why}`, { cause: error })
}
