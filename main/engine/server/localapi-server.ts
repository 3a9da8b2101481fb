/**
 * The LocalAPI over a Unix socket or a named pipe: HTTP/1.1, the stock daemon's paths, headers and refusals.
 *
 *   Host must be empty or local-tailscaled.sock; any Origin or Referer is refused (403): no web page may speak to us.
 *   Who calls is asked of the system, once a connection. Bodies are capped, slow senders are cut off.
 *
 * Source: dataplane facts §10.1; fixtures' README. Socket mode 0666 where callers can be told apart, else 0600.
 */
import { chmodSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Env } from '../base/env.ts'
import { EngineError, errorText } from '../base/errors.ts'
import type { Backend } from '../backend/backend.ts'
import type { MachineDoors } from '../features/machine/doors.ts'
import type { TaildropDoors } from '../features/taildrop/doors.ts'
import type { TrialDoors } from '../features/trial/doors.ts'
import { API_HOST, findMethod, METHODS } from '../../localapi/methods.ts'
import type { StoragePage } from '../../localapi/storage.ts'
import type { Method, ServedName } from '../../localapi/methods.ts'
import { mayNamePaths, mayWrite, peerName, peerOf, userOf } from './caller.ts'
import type { Peer, PeerCredentials, ServiceRights } from './caller.ts'
import { DIAL_PATH, refuseUpgrade, serveDial, type TunnelDial } from './dial.ts'
import { HANDLERS } from './handlers.ts'
import type { TryPortMap } from './port-map-trial.ts'
import type { JournalReader } from './journal-page.ts'
import { lackingReply, UNKNOWN_PATH } from './lacking.ts'
import type { Trust } from './trust.ts'
import { errorReply, send, setCommonHeaders, text } from './reply.ts'
import type { Reply } from './reply.ts'
import { BodyReader, formValues } from './request-body.ts'
import { makeWay } from './socket-path.ts'

const MAX_CONNECTIONS = 512
/** Of those that may only read, so that they never keep the others out. */
const MAX_READERS = 256
/** Requests that are being answered, streams aside: of those that may write, and of the others. */
const MAX_REQUESTS = { writers: 256, readers: 128 } as const
const HEADERS_MS = 5_000
/** Their handlers read the body themselves, as it comes. */
const STREAMED: ReadonlySet<ServedName> = new Set<ServedName>(['bugReport', 'spool', 'filePut'])

/** What may be asked also while the state is closed. */
const WHILE_CLOSED: ReadonlySet<string> = new Set<ServedName | ''>(['handOver'])

export interface ServerDeps {
  readonly env: Env
  readonly backend: Backend
  readonly journal: JournalReader
  readonly trust: Trust
  readonly taildrop: TaildropDoors
  readonly machine: MachineDoors
  readonly trial: TrialDoors
  /** undefined: the system cannot tell who calls. */
  readonly peerCredentials: PeerCredentials | undefined
  /** Of a service of the computer. */
  readonly rights?: ServiceRights | undefined
  /** TCP through the tunnel; undefined where there is none. */
  readonly dial?: TunnelDial
  /** A port asked of the router on trial; undefined where no router is asked. */
  readonly tryPortMap?: TryPortMap
  /** Where things are kept; undefined = in memory alone. */
  readonly storage?: () => StoragePage
}

export class LocalApiServer {
  readonly #deps: ServerDeps
  readonly #server: Server
  readonly #peers = new Map<Socket, Peer>()
  readonly #bodies: BodyReader
  #readers = 0
  readonly #requests = { writers: 0, readers: 0 }
  #path: string | undefined

  constructor(deps: ServerDeps) {
    this.#deps = deps
    this.#bodies = new BodyReader(deps.env.clock)
    // Bodies have a time limit of their own: a bug report is recorded for as long as its body stays open.
    this.#server = createServer({ requestTimeout: 0, headersTimeout: HEADERS_MS, connectionsCheckingInterval: 2_000, maxHeaderSize: 16_384 })
    this.#server.maxConnections = MAX_CONNECTIONS
    this.#server.on('connection', (socket) => this.#admit(socket))
    this.#server.on('request', (request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        deps.env.log.error('a LocalAPI request failed', { error: errorText(error) })
        send(response, errorReply(error), false)
      })
    })
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (!socket.writable) return void socket.destroy()
      const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request'
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`, () => socket.destroy())
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

  /** Connections that are open now, upgraded ones too. */
  get connections(): number {
    return this.#peers.size
  }

  /** Ends all connections and takes the socket away. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    // Those that were upgraded are no longer the HTTP server's.
    for (const socket of this.#peers.keys()) socket.destroy()
    await closed
    if (this.#path !== undefined && !this.#path.startsWith('\\\\.\\pipe\\')) rmSync(this.#path, { force: true })
  }

  /** Knows who has come, and lets only so many in who may not write. */
  #admit(socket: Socket): void {
    const peer = peerOf(socket, this.#deps.peerCredentials)
    this.#peers.set(socket, peer)
    socket.once('close', () => this.#peers.delete(socket))
    if (this.#mayWrite(peer)) return
    if (this.#readers >= MAX_READERS) return void socket.destroy()
    this.#readers++
    socket.once('close', () => this.#readers--)
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A request that failed forgets its socket.
    const { socket } = request
    const reply = (answer: Reply): void => {
      // What is left of a body that was not read would be taken for the next request.
      if (hasBody(request) && !request.complete && answer.kind !== 'streams') {
        response.setHeader('Connection', 'close')
        response.once('finish', () => socket.destroy())
      }
      send(response, answer, request.method === 'HEAD')
    }
    if (!isLocalRequest(request)) return reply(text(403, 'invalid localapi request'))
    setCommonHeaders(response, this.#deps.backend.views.version)
    const url = parseTarget(request.url ?? '')
    if (!url) return reply(text(400, 'bad request target'))
    if (url.path === '/') return reply(text(200, 'tailscaled'))
    const match = findMethod(url.path, request.method ?? '')
    if (match.kind === 'unknown') return reply(UNKNOWN_PATH)
    const method: Method<unknown, unknown> = METHODS[match.name]
    if (method.lacks === 'absent') return reply(UNKNOWN_PATH)
    const writes = this.#mayWrite(this.#peer(socket))
    if (method.may === 'write' && !writes) return reply(this.#refused(socket, method))
    if (method.lacks) return reply(lackingReply(method.lacks))
    const { closed } = this.#deps.backend
    if (closed !== undefined && method.may === 'write' && !WHILE_CLOSED.has(match.kind === 'found' ? match.name : '')) return reply(text(503, closed))
    if (match.kind === 'wrong-method') return reply(text(method.instead.status, method.instead.text))
    const kind = writes ? 'writers' : 'readers'
    if (this.#requests[kind] >= MAX_REQUESTS[kind]) return reply(text(503, 'too many requests at once'))
    this.#requests[kind]++
    try {
      reply(await this.#answer(match.name as ServedName, match.rest, url.query, request, response, writes, this.#peer(socket)))
    } finally {
      this.#requests[kind]--
    }
  }

  async #answer(name: ServedName, rest: string, query: string, request: IncomingMessage, response: ServerResponse, writes: boolean, peer: Peer): Promise<Reply> {
    const { backend, journal, trust, taildrop, machine, trial, env, tryPortMap, storage = () => ({ Keys: 'memory' }) } = this.#deps
    const body = STREAMED.has(name) ? ({ kind: 'body', text: '', json: undefined } as const) : await this.#bodies.read(request, writes)
    if (body.kind === 'refused') return body.reply
    const uid = peer.kind === 'known' ? peer.credentials.uid : undefined
    const caller = { mayWrite: writes, mayNamePaths: mayNamePaths(peer), uid, user: uid === undefined || uid === 0 ? '' : userOf(uid) }
    const reason = reasonOf(request)
    if (reason !== undefined) env.journal.add({ part: 'server', kind: 'reason', why: reason, path: METHODS[name].path })
    try {
      return await HANDLERS[name]({ backend, journal, clock: env.clock, caller, trust, taildrop, machine, trial, storage, tryPortMap, request, response, query: formValues(query, request, body.text), rest, body: body.json })
    } catch (error) {
      if (!(error instanceof EngineError)) env.log.error('a LocalAPI call failed', { method: METHODS[name].path, error: errorText(error) })
      return errorReply(error)
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { dial } = this.#deps
    const allowed = isLocalRequest(request) && this.#mayWrite(this.#peer(request.socket))
    if (!allowed) return refuseUpgrade(socket, 403, 'dial access denied')
    if (!dial || request.url !== DIAL_PATH || request.method !== 'POST' || request.headers.upgrade !== 'ts-dial') return refuseUpgrade(socket, 400, 'no such upgrade')
    void serveDial(request, socket, head, { dial, plan: (host, port) => this.#deps.backend.dialPlan(host, port) })
  }

  #refused(socket: Socket, method: Method<unknown, unknown>): Reply {
    this.#deps.env.journal.add({ part: 'server', kind: 'refused', why: `${peerName(this.#peer(socket))} may not use ${method.path}` })
    return text(403, method.denied)
  }

  #peer(socket: Socket): Peer {
    return this.#peers.get(socket) ?? { kind: 'unknown' }
  }

  #mayWrite(peer: Peer): boolean {
    return mayWrite(peer, this.#deps.backend.views.prefs().OperatorUser ?? '', this.#deps.rights)
  }
}

const MAX_REASON = 256

/** Why a person asks, as its client says it (base64 of a text); undefined without one. */
function reasonOf({ headers }: IncomingMessage): string | undefined {
  const said = headers['x-tailscale-reason']
  if (typeof said !== 'string' || said === '') return undefined
  return Buffer.from(said, 'base64').toString('utf8').slice(0, MAX_REASON)
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

const ABSOLUTE = /^http:\/\/([^/?#]*)(.*)$/

/** Whether no web page can have sent it: our own Host or none, and neither Origin nor Referer. A target's host counts. */
function isLocalRequest({ headers, url }: IncomingMessage): boolean {
  const host = ABSOLUTE.exec(url ?? '')?.[1] ?? headers.host ?? ''
  return (headers.origin ?? '') === '' && (headers.referer ?? '') === '' && (host === '' || host === API_HOST)
}

/** Path and query of a request target, absolute form included. */
function parseTarget(target: string): { path: string; query: string } | undefined {
  const local = ABSOLUTE.exec(target)?.[2] ?? target
  if (local !== '' && !local.startsWith('/')) return undefined
  const mark = local.indexOf('?')
  return mark < 0 ? { path: local || '/', query: '' } : { path: local.slice(0, mark), query: local.slice(mark + 1) }
}
