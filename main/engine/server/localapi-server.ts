/**
 * The LocalAPI over a Unix socket or a named pipe: HTTP/1.1, the stock daemon's paths, headers and refusals.
 *
 *   Host must be empty or local-tailscaled.sock; any Origin or Referer is refused (403): no web page may speak to us.
 *   Who calls is asked of the system, once a connection. Bodies are capped, slow senders are cut off.
 *
 * Source: dataplane facts §10.1; fixtures' README. Socket mode 0666 where callers can be told apart, else 0600.
 */
import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { dirname } from 'node:path'
import type { Duplex } from 'node:stream'
import type { Env } from '../base/env.ts'
import { EngineError, errorText } from '../base/errors.ts'
import type { Backend } from '../backend/backend.ts'
import { API_HOST, findMethod, METHODS } from '../../localapi/methods.ts'
import { allows, callerOf } from './caller.ts'
import type { Caller, PeerCredentials } from './caller.ts'
import { DIAL_PATH, refuseUpgrade, serveDial, type TunnelDial } from './dial.ts'
import { HANDLERS } from './handlers.ts'
import type { JournalReader } from './journal-page.ts'
import { errorReply, send, setCommonHeaders, text } from './reply.ts'
import type { Reply } from './reply.ts'

const MAX_BODY_BYTES = 4 * 1024 * 1024
const MAX_CONNECTIONS = 512
/** A whole request must be here by then. */
const REQUEST_MS = 10_000
/** Unix socket paths are this long at most (sun_path less its end). */
const MAX_SOCKET_PATH = process.platform === 'darwin' ? 103 : 107

export interface ServerDeps {
  readonly env: Env
  readonly backend: Backend
  readonly journal: JournalReader
  /** undefined: the system cannot tell who calls. */
  readonly peerCredentials: PeerCredentials | undefined
  /** TCP through the tunnel; undefined where there is none. */
  readonly dial?: TunnelDial
}

export class LocalApiServer {
  readonly #deps: ServerDeps
  readonly #server: Server
  readonly #callers = new WeakMap<Socket, Caller>()
  #path: string | undefined

  constructor(deps: ServerDeps) {
    this.#deps = deps
    this.#server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS / 2, connectionsCheckingInterval: 2_000, maxHeaderSize: 16_384 })
    this.#server.maxConnections = MAX_CONNECTIONS
    this.#server.on('request', (request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        deps.env.log.error('a LocalAPI request failed', { error: errorText(error) })
        send(response, errorReply(error), false)
      })
    })
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    this.#server.on('clientError', (_error, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
    })
  }

  /** Serves at a socket path or pipe name. Throws EngineError('already-running' | 'bad-argument' | 'io'). */
  async listen(path: string): Promise<void> {
    const isPipe = path.startsWith('\\\\.\\pipe\\')
    if (!isPipe) await makeWay(path)
    // Until its mode is set the socket must not be open to more than its owner.
    const before = isPipe ? undefined : process.umask(0o177)
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject)
        // The socket is made inside this call, so the mask is needed no longer than it lasts.
        this.#server.listen({ path, readableAll: isPipe, writableAll: isPipe }, () => {
          this.#server.off('error', reject)
          resolve()
        })
        if (before !== undefined) process.umask(before)
      })
      if (!isPipe) chmodSync(path, this.#deps.peerCredentials ? 0o666 : 0o600)
    } catch (error) {
      const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
      throw new EngineError(taken ? 'already-running' : 'io', `The socket ${path} cannot be served: ${errorText(error)}`, { cause: error })
    }
    this.#path = path
  }

  /** Ends all connections and takes the socket away. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
    if (this.#path !== undefined && !this.#path.startsWith('\\\\.\\pipe\\')) rmSync(this.#path, { force: true })
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply = (answer: Reply): void => send(response, answer, request.method === 'HEAD')
    if (!isLocalRequest(request)) return reply(text(403, 'invalid localapi request'))
    setCommonHeaders(response, this.#deps.backend.views.version)
    const url = parseTarget(request.url ?? '')
    if (!url) return reply(text(400, 'bad request target'))
    if (url.path === '/') return reply(text(200, 'tailscaled'))
    const match = findMethod(url.path, request.method ?? '')
    if (match.kind === 'unknown') return reply(text(404, '404 page not found'))
    if (match.kind === 'wrong-method') return reply(text(405, 'unsupported method'))
    const method = METHODS[match.name]
    const caller = this.#caller(request.socket)
    if (!allows(caller, method.may)) {
      this.#deps.env.journal.add({ part: 'server', kind: 'refused', why: `${caller.name} may not use ${method.path}` })
      return reply(text(403, `${method.path} access denied`))
    }
    const body = await readBody(request)
    if (body.kind === 'refused') return reply(body.reply)
    try {
      reply(
        await HANDLERS[match.name]({
          backend: this.#deps.backend,
          journal: this.#deps.journal,
          request,
          response,
          query: formValues(url.query, request, body.text),
          rest: match.rest,
          body: body.json,
        }),
      )
    } catch (error) {
      if (!(error instanceof EngineError)) this.#deps.env.log.error('a LocalAPI call failed', { method: method.path, error: errorText(error) })
      reply(errorReply(error))
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { dial } = this.#deps
    const allowed = isLocalRequest(request) && allows(this.#caller(request.socket), 'write')
    if (!allowed) return refuseUpgrade(socket, 403, 'dial access denied')
    if (!dial || request.url !== DIAL_PATH || request.method !== 'POST' || request.headers.upgrade !== 'ts-dial') return refuseUpgrade(socket, 400, 'no such upgrade')
    void serveDial(request, socket, head, dial)
  }

  #caller(socket: Socket): Caller {
    let caller = this.#callers.get(socket)
    if (!caller) {
      caller = callerOf(socket, this.#deps.peerCredentials, this.#deps.backend.views.prefs().OperatorUser ?? '')
      this.#callers.set(socket, caller)
    }
    return caller
  }
}

/** Whether no web page can have sent it: our own Host or none, and neither Origin nor Referer. */
function isLocalRequest({ headers }: IncomingMessage): boolean {
  const host = headers.host ?? ''
  return (headers.origin ?? '') === '' && (headers.referer ?? '') === '' && (host === '' || host === API_HOST)
}

/** Path and query of a request target, absolute form included. */
function parseTarget(target: string): { path: string; query: string } | undefined {
  const local = target.startsWith('http://') ? target.slice(target.indexOf('/', 7) < 0 ? target.length : target.indexOf('/', 7)) : target
  if (!local.startsWith('/')) return undefined
  const mark = local.indexOf('?')
  return mark < 0 ? { path: local, query: '' } : { path: local.slice(0, mark), query: local.slice(mark + 1) }
}

type Body = { readonly kind: 'body'; readonly text: string; readonly json: unknown } | { readonly kind: 'refused'; readonly reply: Reply }

async function readBody(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of request) {
      size += (chunk as Buffer).length
      if (size > MAX_BODY_BYTES) {
        request.destroy()
        return { kind: 'refused', reply: text(413, 'the request body is too large') }
      }
      chunks.push(chunk as Buffer)
    }
  } catch {
    return { kind: 'refused', reply: text(400, 'the request broke off') }
  }
  const whole = Buffer.concat(chunks).toString('utf8')
  if (whole.trim() === '' || isForm(request)) return { kind: 'body', text: whole, json: undefined }
  try {
    return { kind: 'body', text: whole, json: JSON.parse(whole) as unknown }
  } catch {
    return { kind: 'refused', reply: text(400, 'invalid JSON body') }
  }
}

function isForm(request: IncomingMessage): boolean {
  return (request.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded')
}

/** Query parameters, with those of a form body before them. */
function formValues(query: string, request: IncomingMessage, body: string): URLSearchParams {
  const values = new URLSearchParams(isForm(request) ? body : '')
  for (const [name, value] of new URLSearchParams(query)) values.append(name, value)
  return values
}

/** Makes the directory, and removes a socket that nobody serves. */
async function makeWay(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw new EngineError('bad-argument', `The socket path ${path} is longer than the ${MAX_SOCKET_PATH} bytes that the system allows. Choose a shorter --socket.`)
  }
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  } catch (error) {
    throw new EngineError('io', `The directory of the socket ${path} cannot be made: ${errorText(error)}. Choose another --socket.`, { cause: error })
  }
  const state = await probe(path)
  if (state === 'served') throw new EngineError('already-running', `${path} is already served by another engine. Stop it, or choose another --socket.`)
  if (state === 'stale') rmSync(path, { force: true })
  if (state === 'other') throw new EngineError('io', `${path} exists and is not a socket that may be replaced. Choose another --socket.`)
}

async function probe(path: string): Promise<'free' | 'stale' | 'served' | 'other'> {
  // Connecting to a plain file is refused just as to a dead socket is; nobody's file may be removed.
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat) return 'free'
  if (!stat.isSocket()) return 'other'
  return await new Promise((resolve) => {
    const socket = connect({ path })
    const done = (answer: 'free' | 'stale' | 'served' | 'other'): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => done('served'))
    socket.once('error', (error: NodeJS.ErrnoException) => done(error.code === 'ENOENT' ? 'free' : error.code === 'ECONNREFUSED' ? 'stale' : 'other'))
  })
}
