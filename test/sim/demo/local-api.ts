/**
 * The demo's hand on an engine: LocalAPI over its Unix socket, as any other tool would use it.
 */
import http from 'node:http'
import { API_HOST, API_PREFIX, METHODS } from '../../../main/localapi/methods.ts'
import type { BodyOf, HttpMethod, MethodName, ResultOf } from '../../../main/localapi/methods.ts'
import type { Notify, PingResult, PingType } from '../../../main/localapi/types.ts'

const TIMEOUT_MS = 15_000

export interface CallOptions<N extends MethodName> {
  /** The row's first without it. */
  readonly method?: HttpMethod
  readonly query?: Readonly<Record<string, string>>
  readonly body?: BodyOf<N>
}

export class LocalApi {
  readonly socketPath: string

  constructor(socketPath: string) {
    this.socketPath = socketPath
  }

  /** One call by its row's name. */
  async call<N extends MethodName>(name: N, options: CallOptions<N> = {}): Promise<ResultOf<N>> {
    const method = options.method ?? METHODS[name].methods[0]!
    const query = new URLSearchParams(options.query).toString()
    const { status, text } = await this.#exchange(method, `${API_PREFIX}${METHODS[name].path}${query && `?${query}`}`, options.body)
    if (status >= 300) throw new Error(`${method} ${METHODS[name].path}: ${status} ${text.trim()}`)
    return (text === '' ? undefined : JSON.parse(text)) as ResultOf<N>
  }

  ping(ip: string, type: PingType): Promise<PingResult> {
    return this.call('ping', { query: { ip, type } })
  }

  /** Calls for each message of the bus until the returned function ends it. */
  watch(mask: number, onNotify: (notify: Notify) => void): () => void {
    const path = `${API_PREFIX}${METHODS.watchBus.path}?mask=${mask}`
    const request = http.request({ socketPath: this.socketPath, path, headers: { host: API_HOST } })
    request.on('error', () => {})
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('error', () => {})
      response.on('data', (chunk: string) => {
        const lines = (text + chunk).split('\n')
        text = lines.pop() ?? ''
        for (const line of lines) if (line.trim() !== '') onNotify(JSON.parse(line) as Notify)
      })
    })
    request.end()
    return () => request.destroy()
  }

  #exchange(method: string, path: string, body: unknown): Promise<{ status: number; text: string }> {
    return new Promise((done, fail) => {
      const payload = body === undefined ? undefined : JSON.stringify(body)
      const options = { socketPath: this.socketPath, method, path, headers: { host: API_HOST }, timeout: TIMEOUT_MS }
      const request = http.request(options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', fail)
        response.on('end', () => done({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }))
      })
      request.on('timeout', () => request.destroy(new Error(`${method} ${path}: no answer from the engine`)))
      request.on('error', fail)
      request.end(payload)
    })
  }
}
