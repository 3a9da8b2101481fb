/**
 * The command line's end of the LocalAPI: methods from the table, failures as sentences with an exit code.
 */
import type { Readable } from 'node:stream'
import { LocalApiClient, LocalApiError } from '../client/local-api-client.ts'
import { METHODS } from '../localapi/methods.ts'
import type { BodyOf, HttpMethod, Method, MethodName, ResultOf } from '../localapi/methods.ts'
import type { Notify } from '../localapi/types.ts'
import { CliError, EXIT } from './exit.ts'
import type { EngineAt } from './paths.ts'

export interface CallOptions<N extends MethodName> {
  /** Of a row with several; the first one otherwise. */
  readonly method?: HttpMethod
  readonly query?: Readonly<Record<string, string | number>>
  readonly body?: BodyOf<N>
  /** Below a row that ends in a slash. */
  readonly rest?: string
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export class LocalApi {
  readonly socketPath: string
  /** Whose engine that is; `named`: somebody said which. */
  readonly kind: EngineAt['kind']
  readonly #client: LocalApiClient

  constructor(socketPath: string, kind: EngineAt['kind'] = 'named') {
    this.socketPath = socketPath
    this.kind = kind
    this.#client = new LocalApiClient(socketPath)
  }

  /** The answer of an endpoint; throws CliError with what to do about it. */
  async call<N extends MethodName>(name: N, options: CallOptions<N> = {}): Promise<ResultOf<N>> {
    const method: Method<unknown, unknown> = METHODS[name]
    const query = new URLSearchParams(Object.entries(options.query ?? {}).map(([key, value]): [string, string] => [key, String(value)])).toString()
    const path = `${method.path}${options.rest ?? ''}${query === '' ? '' : `?${query}`}`
    return (await this.request({ method: options.method ?? method.methods[0]!, path, body: options.body, timeoutMs: options.timeoutMs, signal: options.signal })) as ResultOf<N>
  }

  /** The answer to a request that a person wrote down, path below /localapi/v0/; throws CliError. */
  async request(options: { method: string; path: string; body?: unknown; timeoutMs?: number | undefined; signal?: AbortSignal | undefined }): Promise<unknown> {
    const timeoutMs = options.timeoutMs ?? 30_000
    const late = AbortSignal.timeout(timeoutMs)
    const signal = options.signal ? AbortSignal.any([late, options.signal]) : late
    try {
      return await this.#client.json({ method: options.method, path: options.path, body: options.body, signal })
    } catch (error) {
      if (options.signal?.aborted) throw new CliError(EXIT.interrupted, 'interrupted', 'Stopped.')
      if (late.aborted) throw new CliError(EXIT.timeout, 'timeout', `The engine at ${this.socketPath} gave no answer within ${Math.round(timeoutMs / 1000)} s.`)
      throw this.#failure(error)
    }
  }

  /** A stream as the body of a request, `size` -1: unknown; the stream is ended in any case. Throws CliError, or what the stream failed with. */
  async upload({ path, body, size, signal }: { path: string; body: Readable; size: number; signal: AbortSignal }): Promise<unknown> {
    try {
      return await this.#client.upload({ method: 'PUT', path, signal, ...(size < 0 ? {} : { headers: { 'content-length': String(size) } }) }, body)
    } catch (error) {
      if (signal.aborted) throw new CliError(EXIT.interrupted, 'interrupted', 'Stopped.')
      if (body.errored) throw body.errored
      // Of a file that is sent, what is refused may be the other device's word.
      const isTheirs = error instanceof LocalApiError && error.status >= 400 && !error.message.endsWith('access denied')
      throw isTheirs ? new CliError(EXIT.failed, 'refused', error.message) : this.#failure(error)
    } finally {
      body.destroy()
    }
  }

  /** Bytes of an endpoint, and how many (-1 unknown); throws CliError. */
  async download(path: string, signal: AbortSignal): Promise<{ readonly size: number; readonly stream: Readable }> {
    try {
      return await this.#client.download(path, signal)
    } catch (error) {
      if (signal.aborted) throw new CliError(EXIT.interrupted, 'interrupted', 'Stopped.')
      throw this.#failure(error)
    }
  }

  /** Lines of the bus until `each` answers true, the signal ends it, or the engine closes. */
  async watch(mask: number, each: (notify: Notify) => boolean | void, signal?: AbortSignal): Promise<'done' | 'closed' | 'aborted'> {
    try {
      return await this.#client.lines({ method: 'GET', path: `${METHODS.watchBus.path}?mask=${mask}`, ...(signal ? { signal } : {}) }, (value) => each(value as Notify))
    } catch (error) {
      if (signal?.aborted) return 'aborted'
      // A connection that breaks off is how an engine's end looks; what `each` throws goes on up.
      if (!(error instanceof LocalApiError) && typeof (error as NodeJS.ErrnoException).syscall === 'string') return 'closed'
      if (error instanceof Error && (error as NodeJS.ErrnoException).code === 'ECONNRESET') return 'closed'
      throw this.#failure(error)
    }
  }

  /** What a person can do about a request that failed. */
  #failure(error: unknown): Error {
    if (!(error instanceof LocalApiError)) return error instanceof Error ? error : new Error(String(error))
    if (error.status > 0) return failureOf(error.status, error.message, this.kind)
    if (error.code === 'access-denied') {
      return new CliError(EXIT.denied, 'access-denied', `The engine's socket ${this.socketPath} may not be opened by this user. Use the user that started the engine, or root.`)
    }
    const cause = error.cause as NodeJS.ErrnoException | undefined
    if (cause?.code === 'ENOENT' || cause?.code === 'ECONNREFUSED') {
      if (this.kind === 'service') return new CliError(EXIT.noEngine, 'no-engine', `The service of this computer does not run (nobody serves ${this.socketPath}). Start it with: sudo systemctl start bowline   (its log: journalctl -u bowline)`)
      return new CliError(EXIT.noEngine, 'no-engine', `No engine is running at ${this.socketPath}. Start one with: bowline daemon   (or name another with --socket)`)
    }
    return new CliError(EXIT.noEngine, 'no-engine', `The engine at ${this.socketPath} cannot be reached: ${cause?.message ?? error.message}`)
  }
}

function failureOf(status: number, message: string, kind: EngineAt['kind']): CliError {
  if (status === 403) {
    if (kind === 'service') return new CliError(EXIT.denied, 'access-denied', `The service of this computer refused: ${message}. Its operators, the group bowline and root may do that; to be one of them: sudo usermod -aG bowline $USER`)
    return new CliError(EXIT.denied, 'access-denied', `The engine refused: ${message}. Use the user that started it, root, or the user named with --operator.`)
  }
  if (status === 501) return new CliError(EXIT.unavailable, 'unavailable', message)
  return new CliError(EXIT.failed, status === 404 ? 'not-found' : status === 400 ? 'bad-request' : 'failed', message)
}
