/**
 * The command line's end of the LocalAPI: HTTP over the local socket, methods from the table.
 */
import { request } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { API_HOST, API_PREFIX, METHODS } from '../localapi/methods.ts'
import type { BodyOf, Method, MethodName, ResultOf } from '../localapi/methods.ts'
import type { Notify } from '../localapi/types.ts'
import { CliError, EXIT } from './exit.ts'

const MAX_ANSWER_BYTES = 256 * 1024 * 1024

export interface CallOptions<N extends MethodName> {
  readonly query?: Readonly<Record<string, string | number>>
  readonly body?: BodyOf<N>
  /** Below a row that ends in a slash. */
  readonly rest?: string
  readonly timeoutMs?: number
}

export class LocalApi {
  readonly socketPath: string

  constructor(socketPath: string) {
    this.socketPath = socketPath
  }

  /** The answer of an endpoint; throws CliError with what to do about it. */
  async call<N extends MethodName>(name: N, options: CallOptions<N> = {}): Promise<ResultOf<N>> {
    const method: Method<unknown, unknown> = METHODS[name]
    const query = new URLSearchParams(Object.entries(options.query ?? {}).map(([key, value]): [string, string] => [key, String(value)])).toString()
    const path = `${API_PREFIX}${method.path}${options.rest ?? ''}${query === '' ? '' : `?${query}`}`
    const answer = await this.#exchange(method.methods[0]!, path, options.body, options.timeoutMs ?? 30_000)
    if (answer.status >= 200 && answer.status < 300) {
      const isJson = answer.type.startsWith('application/json')
      return (answer.status === 204 || answer.text === '' ? undefined : isJson ? JSON.parse(answer.text) : answer.text) as ResultOf<N>
    }
    throw failureOf(answer.status, answer.text)
  }

  /** Lines of the bus until `each` answers true, the signal ends it, or the engine closes. */
  async watch(mask: number, each: (notify: Notify) => boolean | void, signal?: AbortSignal): Promise<'done' | 'closed' | 'aborted'> {
    return await new Promise((resolve, reject) => {
      const call = this.#open('GET', `${API_PREFIX}${METHODS.watchBus.path}?mask=${mask}`)
      const finish = (how: 'done' | 'closed' | 'aborted'): void => {
        resolve(how)
        call.destroy()
      }
      signal?.addEventListener('abort', () => finish('aborted'), { once: true })
      call.on('error', (error) => reject(this.#unreachable(error)))
      call.on('response', (response: IncomingMessage) => {
        if (response.statusCode !== 200) return reject(failureOf(response.statusCode ?? 0, 'the bus cannot be watched'))
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
          for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
            const line = text.slice(0, end)
            text = text.slice(end + 1)
            if (line === '') continue
            try {
              if (each(JSON.parse(line) as Notify) === true) return finish('done')
            } catch (error) {
              call.destroy()
              return reject(error instanceof Error ? error : new Error(String(error)))
            }
          }
        })
        response.on('close', () => finish('closed'))
      })
      call.end()
    })
  }

  async #exchange(method: string, path: string, body: unknown, timeoutMs: number): Promise<{ status: number; type: string; text: string }> {
    return await new Promise((resolve, reject) => {
      const call = this.#open(method, path)
      const timer = setTimeout(() => {
        reject(new CliError(EXIT.failed, 'timeout', `The engine at ${this.socketPath} gave no answer within ${Math.round(timeoutMs / 1000)} s.`))
        call.destroy()
      }, timeoutMs)
      call.on('error', (error) => reject(this.#unreachable(error)))
      call.on('close', () => clearTimeout(timer))
      call.on('response', (response: IncomingMessage) => {
        const chunks: Buffer[] = []
        let size = 0
        response.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > MAX_ANSWER_BYTES) call.destroy(new Error('the answer is too large'))
          else chunks.push(chunk)
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', text: Buffer.concat(chunks).toString('utf8') }))
      })
      if (body !== undefined) call.setHeader('Content-Type', 'application/json')
      call.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }

  #open(method: string, path: string): ClientRequest {
    return request({ socketPath: this.socketPath, method, path, headers: { Host: API_HOST }, agent: false })
  }

  #unreachable(error: NodeJS.ErrnoException): CliError {
    if (error.code === 'EACCES' || error.code === 'EPERM') {
      return new CliError(EXIT.denied, 'access-denied', `The engine's socket ${this.socketPath} may not be opened by this user. Use the user that started the engine, or root.`)
    }
    if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
      return new CliError(EXIT.noEngine, 'no-engine', `No engine is running at ${this.socketPath}. Start one with: bowline daemon   (or name another with --socket)`)
    }
    return new CliError(EXIT.noEngine, 'no-engine', `The engine at ${this.socketPath} cannot be reached: ${error.message}`)
  }
}

function failureOf(status: number, text: string): CliError {
  const message = messageOf(text)
  if (status === 403) {
    return new CliError(EXIT.denied, 'access-denied', `The engine refused: ${message}. Use the user that started it, root, or the user named with --operator.`)
  }
  return new CliError(EXIT.failed, status === 404 ? 'not-found' : status === 400 ? 'bad-request' : 'failed', message)
}

/** The sentence of an error answer: plain text, or JSON with "error" or "Error". */
function messageOf(text: string): string {
  const line = text.trim()
  if (line.startsWith('{')) {
    try {
      const value = JSON.parse(line) as { error?: unknown; Error?: unknown }
      const message = value.error ?? value.Error
      if (typeof message === 'string' && message !== '') return message
    } catch {
      return line
    }
  }
  return line === '' ? 'the engine gave no reason' : line
}
