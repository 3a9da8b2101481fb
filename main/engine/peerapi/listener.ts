/**
 * The PeerAPI: what this device serves to other devices of its network, over HTTP/1.1 and HTTP/2 with prior knowledge.
 *
 *   stream from the tunnel → place (admission.ts) → who is it (the address) → which HTTP (preface.ts)
 *     → each request: still the same device? → may it ask (guard.ts) → route | "/" (hello.ts) | 404
 *
 * The packet filter lets everybody of the network through to here, so every route judges for itself what its caller may do.
 * Whoever sends no request, or sends it slowly, is cut off; bodies and idle connections are bounded in time.
 * Source: dataplane facts §8.1–8.2.
 */
import { createServer as createHttp1, type Server, STATUS_CODES } from 'node:http'
import { createServer as createHttp2, type Http2Server, type Http2ServerRequest, type Http2Session, type ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Env } from '../base/env.ts'
import { errorText } from '../base/errors.ts'
import type { AddrPort } from '../base/ip.ts'
import { Admission, type Leave } from './admission.ts'
import { plain, send, type Request, type Response } from './answer.ts'
import { refusalOf } from './guard.ts'
import { hello } from './hello.ts'
import type { Answer, Directory, Route, Visit } from './ports.ts'
import { readPreface } from './preface.ts'
import { PeerApiTold } from './told.ts'

/** From the connection to the end of its first request's head. */
const FIRST_REQUEST_MS = 10_000
/** From one request's end to the end of the next one's head; stock clients keep theirs for 90 s. */
const NEXT_REQUEST_MS = 100_000
/** Nothing moves in either direction although a request is under way. */
const STALLED_MS = 120_000
const MAX_HEAD_BYTES = 16_384
const MAX_HEADERS = 100
/** How long what a client still sends is read and thrown away after our last word, so that it gets to read that. */
const LINGER_MS = 1_000
const MAX_STREAMS = 32
/** How long a connection waits for a place before it is told to come again. */
const WAIT_MS = 10_000
const COME_AGAIN = 'HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 21\r\n\r\ntoo many connections\n'

interface Connection {
  readonly stream: Duplex
  readonly from: AddrPort
  /** Who it was when it came; a device that takes over an address is another one. */
  readonly stableId: string
  /** Requests that are being answered. */
  open: number
  /** The latest one. */
  last: Request | undefined
  /** Nonsense came behind it. */
  isBroken: boolean
  isEnding: boolean
  /** Requests that may stand still. */
  held: number
  cancelTimer: () => void
}

/** A stream that the data plane hands up. */
export interface Arrival {
  readonly socket: Duplex
  readonly from: AddrPort
}

export class PeerApiListener {
  readonly #env: Env
  readonly #directory: Directory
  readonly #routes: readonly Route[]
  readonly #http1: Server
  readonly #http2: Http2Server
  readonly #admission = new Admission()
  readonly #told: PeerApiTold
  readonly #connections = new Map<Duplex | Http2Session, Connection>()
  /** Streams in line for a place: unread. */
  readonly #waiting = new Set<Duplex>()
  /** Whose HTTP/2 session is being made. */
  #arriving: Connection | undefined

  constructor(deps: { env: Env; directory: Directory; routes?: readonly Route[] }) {
    this.#env = deps.env
    this.#directory = deps.directory
    this.#routes = deps.routes ?? []
    this.#told = new PeerApiTold(deps.env)
    // Every limit in time is ours: Node's own need a listening server.
    this.#http1 = createHttp1({ headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0, maxHeaderSize: MAX_HEAD_BYTES })
    this.#http1.maxHeadersCount = MAX_HEADERS
    this.#http1.timeout = STALLED_MS
    this.#http1.on('request', (request, response) => this.#admitRequest(this.#connections.get(request.socket), request, response))
    this.#http1.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#refuseNonsense(error, socket))
    this.#http1.on('connect', (_request, socket) => void socket.destroy())
    this.#http2 = createHttp2({
      settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: MAX_HEAD_BYTES },
      maxHeaderListPairs: MAX_HEADERS, maxSessionMemory: 4, maxSessionInvalidFrames: 20, maxSessionRejectedStreams: 20, maxOutstandingPings: 4,
    })
    this.#http2.setTimeout(STALLED_MS)
    this.#http2.on('session', (session) => this.#takeSession(session))
    this.#http2.on('sessionError', () => this.#told.count('protocol_errors'))
    this.#http2.on('timeout', (session: ServerHttp2Session) => session.destroy())
    this.#http2.on('request', (request, response) => this.#admitRequest(request.stream.session && this.#connections.get(request.stream.session), request, response))
  }

  /** Serves a stream, now or when there is a place for it, or closes it; never throws. The stream is ours from here on. */
  accept({ socket, from }: Arrival): void {
    socket.on('error', () => socket.destroy())
    this.#told.count('connections')
    if (!this.#directory.callerAt(from.ip)) return this.#turnAway(socket, from, 'unknown', 'no device of the network has this address')
    const leave = this.#admission.enter(from.ip)
    if (leave) return this.#serve(socket, from, leave)
    let cancelTimer = (): void => {}
    const stepOut = this.#admission.wait(from.ip, (place) => {
      cancelTimer()
      this.#waiting.delete(socket)
      this.#serve(socket, from, place)
    })
    if (!stepOut) return this.#sendAway(socket, from)
    this.#waiting.add(socket)
    this.#closeIdle(from.ip)
    cancelTimer = this.#env.clock.after(WAIT_MS, () => {
      stepOut()
      this.#sendAway(socket, from)
    })
    socket.once('close', () => {
      cancelTimer()
      stepOut()
      this.#waiting.delete(socket)
    })
  }

  /** Closes every connection. */
  close(): void {
    for (const socket of this.#waiting) socket.destroy()
    for (const { stream } of this.#connections.values()) stream.destroy()
  }

  /** Since the start, by name. */
  counters(): Readonly<Record<string, number>> {
    return this.#told.counters()
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#admission.total
  }

  #serve(socket: Duplex, from: AddrPort, leave: Leave): void {
    socket.once('close', leave)
    const caller = this.#directory.callerAt(from.ip)
    if (!caller) return this.#turnAway(socket, from, 'unknown', 'the device that had this address is no longer in the network')
    const connection: Connection = { stream: socket, from, stableId: caller.node.StableID, open: 0, last: undefined, isBroken: false, isEnding: false, held: 0, cancelTimer: () => {} }
    this.#connections.set(socket, connection)
    socket.once('close', () => {
      connection.cancelTimer()
      this.#connections.delete(socket)
    })
    this.#await(connection, FIRST_REQUEST_MS)
    readPreface(socket, (protocol) => {
      if (protocol === 'http1') {
        // Node ends a connection with this; closing at once would throw away what we said while the client still sends.
        const { destroySoon } = socket as Partial<Socket>
        Object.assign(socket, { destroySoon: () => (connection.last?.complete === true && destroySoon ? destroySoon.call(socket) : this.#linger(connection)) })
        return void this.#http1.emit('connection', socket)
      }
      this.#arriving = connection
      this.#http2.emit('connection', socket)
      this.#arriving = undefined
    })
  }

  /** Makes a place for who waits, of a connection that nobody uses now. */
  #closeIdle(ip: string): void {
    for (const { from, open, last, stream } of this.#connections.values()) if (from.ip === ip && open === 0 && last) return void stream.destroy()
  }

  /** There is no place: says so to what has most likely asked by now. */
  #sendAway(socket: Duplex, from: AddrPort): void {
    this.#told.drop('too_many', from.ip, 'it has too many connections open, or all together have')
    if (!socket.writable) return void socket.destroy()
    socket.resume()
    socket.write(COME_AGAIN)
    this.#env.clock.after(LINGER_MS, () => socket.destroy())
  }

  /** All is said: closes the connection a little later. */
  #linger(connection: Connection): void {
    if (connection.isEnding) return
    connection.isEnding = true
    connection.cancelTimer()
    connection.cancelTimer = this.#env.clock.after(LINGER_MS, () => connection.stream.destroy())
  }

  #takeSession(session: ServerHttp2Session): void {
    const connection = this.#arriving
    if (!connection) return session.destroy()
    this.#connections.set(session, connection)
    session.once('close', () => {
      this.#connections.delete(session)
      connection.stream.destroy()
    })
  }

  #turnAway(stream: Duplex, from: AddrPort, counter: 'too_many' | 'unknown' | 'slow', why: string): void {
    this.#told.drop(counter, from.ip, why)
    stream.destroy()
  }

  /** Cuts the connection unless a whole request head comes in time. */
  #await(connection: Connection, withinMs: number): void {
    connection.cancelTimer()
    connection.cancelTimer = this.#env.clock.after(withinMs, () => this.#turnAway(connection.stream, connection.from, 'slow', `no whole request came within ${withinMs / 1_000} s`))
  }

  #admitRequest(connection: Connection | undefined, request: Request, response: Response): void {
    if (!connection || connection.isEnding) return void request.resume()
    connection.cancelTimer()
    connection.open++
    connection.last = request
    response.once('close', () => {
      connection.open--
      if (connection.open === 0 && !connection.isEnding && !connection.stream.destroyed) this.#await(connection, NEXT_REQUEST_MS)
    })
    request.on('error', () => {})
    // Over HTTP/2 a body that is cut off would end like a whole one.
    if (request.httpVersionMajor === 2) request.once('aborted', () => request.destroy(new Error('the request was cut off')))
    const over = new AbortController()
    response.once('close', () => over.abort())
    this.#answer(connection, request, over.signal).then((answer) => {
      if (request.httpVersionMajor === 1 && (connection.isBroken || this.#admission.isWaitedFor(connection.from.ip))) response.setHeader('connection', 'close')
      return send(request, response, answer)
    }, (error: unknown) => {
      this.#env.log.part('peerapi').error('a request failed', { error: errorText(error) })
      return send(request, response, plain(500, 'the request failed'))
    }).catch(() => response.destroy())
  }

  async #answer(connection: Connection, request: Request, over: AbortSignal): Promise<Answer> {
    const { from } = connection
    const caller = this.#directory.callerAt(from.ip)
    if (!caller || caller.node.StableID !== connection.stableId) {
      this.#turnAway(connection.stream, from, 'unknown', 'the device that had this address is no longer in the network')
      return plain(403, 'invalid peerapi request')
    }
    this.#told.count('requests')
    const { host, path, query } = targetOf(request)
    const refusal = refusalOf(caller, host, request.headers)
    if (refusal) {
      this.#told.refuse(refusal, caller, path)
      return plain(403, 'invalid peerapi request')
    }
    const route = this.#routes.find((one) => one.path === path || (one.path.endsWith('/') && path.startsWith(one.path)))
    const visit: Visit = {
      caller, from: from.ip, method: request.method ?? '', path, query, headers: request.headers, body: request, over,
      trailers: () => request.trailers, hold: () => hold(connection, request, over),
    }
    if (!route && path !== '/') {
      this.#told.count('not_found')
      return plain(404, 'unsupported peerapi path')
    }
    const answer = await (route ? route.serve(visit) : hello(visit))
    this.#told.served(caller, request.method ?? '', path, answer.status, versionOf(request))
    return answer
  }

  #refuseNonsense(error: NodeJS.ErrnoException, socket: Duplex): void {
    const connection = this.#connections.get(socket)
    if (connection?.isEnding) return
    // Who ends in the middle of a body has nothing more to hear; what came of it is kept at once.
    const isCut = error.code === 'HPE_INVALID_EOF_STATE' && (connection?.open ?? 0) > 0
    if (!connection || !socket.writable || isCut) return void socket.destroy()
    this.#told.count('protocol_errors')
    // What came whole before it gets its answer.
    if (connection.open > 0 && connection.last?.complete === true) return void (connection.isBroken = true)
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400
    socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]!}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    this.#linger(connection)
  }
}

/** Lets a connection stand still while one of its requests may; answers how to end that. */
function hold(connection: Connection, request: Request, over: AbortSignal): () => void {
  const timed = request.httpVersionMajor === 1 ? (connection.stream as Partial<Socket>) : (request as Http2ServerRequest).stream.session
  const release = (): void => {
    over.removeEventListener('abort', release)
    if (isReleased) return
    isReleased = true
    if (--connection.held === 0 && !connection.stream.destroyed) timed?.setTimeout?.(STALLED_MS)
  }
  let isReleased = over.aborted
  if (isReleased) return release
  over.addEventListener('abort', release)
  if (connection.held++ === 0) timed?.setTimeout?.(0)
  return release
}

function versionOf(request: Request): string {
  return `HTTP/${request.httpVersionMajor}.${request.httpVersionMinor}`
}

const ABSOLUTE = /^http:\/\/([^/?#]*)(.*)$/

/** Host, path and query of a request; a target in absolute form names the host itself. */
function targetOf(request: Request): { host: string; path: string; query: string } {
  const target = request.url ?? ''
  const absolute = ABSOLUTE.exec(target)
  const authority = request.headers[':authority']
  const named = absolute?.[1] ?? (typeof authority === 'string' ? authority : request.headers.host) ?? ''
  // Of two the readers on the way may each have taken another one.
  const host = request.rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length > 1 ? '' : named
  const local = absolute ? absolute[2]! || '/' : target
  const mark = local.indexOf('?')
  return mark < 0 ? { host, path: local, query: '' } : { host, path: local.slice(0, mark), query: local.slice(mark + 1) }
}
