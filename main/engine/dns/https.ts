/**
 * Questions over HTTP (RFC 8484): to devices of the network by HTTP inside the tunnel, to others by HTTPS. Connections are
 * kept for the next question: HTTP/2 where the server takes it, else HTTP/1.1.
 *
 * The number of a question is 0 here: the connection says what belongs together. Answers are bounded as any others.
 */
import { Agent, request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { ClientHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex, Readable } from 'node:stream'
import type { Env } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import type { AddrPort } from '../base/ip.ts'
import { withNumber } from './codec.ts'
import { readAnswer } from './exchange.ts'
import type { Exchange, Message } from './exchange.ts'
import type { Carrier, ResolverDeps } from './ports.ts'
import { MAX_MESSAGE_BYTES } from './walk.ts'

const DIAL_MS = 5_000
/** A device opens its PeerAPI anew when its network changes, and is away for that moment. */
const AGAIN_MS = [200, 500, 1_500, undefined] as const
const IDLE_MS = 60_000
const MAX_SOCKETS = 4
const MAX_SESSIONS = 16
const TYPE = 'application/dns-message'

type Dial = () => Promise<Duplex>

export class HttpsAsker {
  readonly #env: Env
  readonly #secure: ResolverDeps['secure']
  readonly #agents = new Map<string, Agent>()
  readonly #sessions = new Map<string, ClientHttp2Session>()

  constructor(deps: Pick<ResolverDeps, 'env' | 'secure'>) {
    this.#env = deps.env
    this.#secure = deps.secure
  }

  /** Asks a device's PeerAPI at `url`, whose address is `at`. */
  askPeer(carrier: Carrier, at: AddrPort, url: string, query: Message, limitMs: number): Exchange {
    return this.#exchange(query, limitMs, async (bytes, signal) => {
      for (const pauseMs of AGAIN_MS) {
        try {
          return await this.#byHttp1(this.#agentOf(`${url} tunnel`, () => carrier.dial(at, DIAL_MS)), new URL(url), bytes, signal)
        } catch (error) {
          if (signal.aborted || pauseMs === undefined || isRefusal(error)) throw error
          await this.#pause(pauseMs)
        }
      }
      throw new EngineError('io', 'it cannot be reached')
    })
  }

  /** Asks an HTTPS server through a stream that `dial` opens. */
  askHttps(key: string, dial: Dial, url: string, query: Message, limitMs: number): Exchange {
    const at = new URL(url)
    return this.#exchange(query, limitMs, async (bytes, signal) => {
      const session = this.#sessions.get(key)
      if (session && !session.closed && !session.destroyed) {
        try {
          return await byHttp2(session, at, bytes, signal)
        } catch (error) {
          // One that was kept may have died unseen.
          if (signal.aborted || isRefusal(error)) throw error
          session.destroy()
        }
      }
      const plain = await dial()
      signal.addEventListener('abort', () => plain.destroy(), { once: true })
      const { stream, protocol } = await this.#secure(plain, at.hostname.replace(/^\[|\]$/g, ''), ['h2', 'http/1.1'])
      if (protocol === 'h2') return byHttp2(this.#keep(key, at, stream), at, bytes, signal)
      const once = new StreamAgent(() => Promise.resolve(stream), { keepAlive: false })
      return this.#byHttp1(once, at, bytes, signal).finally(() => once.destroy())
    })
  }

  /** Ends every connection: the network is another one. */
  close(): void {
    for (const agent of this.#agents.values()) agent.destroy()
    for (const session of this.#sessions.values()) session.destroy()
    this.#agents.clear()
    this.#sessions.clear()
  }

  #exchange(query: Message, limitMs: number, ask: (bytes: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>): Exchange {
    const control = new AbortController()
    const own = { bytes: withNumber(query.bytes, query.bones, 0), bones: { ...query.bones, id: 0 } }
    let end: (error: Error) => void = () => {}
    const ended = new Promise<never>((_resolve, reject) => (end = reject))
    ended.catch(() => {})
    const stop = (error: Error): void => {
      cancelTimer()
      control.abort()
      end(error)
    }
    const cancelTimer = this.#env.clock.after(limitMs, () => stop(new EngineError('timeout', 'it did not answer')))
    const answer = Promise.race([ask(own.bytes, control.signal), ended]).then((bytes) => {
      const message = readAnswer(bytes, own.bones)
      if (!message) throw new EngineError('io', 'what came is no answer to the question')
      return message
    }).finally(() => cancelTimer())
    return { answer, cancel: () => stop(new EngineError('aborted', 'another one answered first')) }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#env.clock.after(ms, resolve))
  }

  #agentOf(key: string, dial: Dial): Agent {
    let agent = this.#agents.get(key)
    if (!agent) {
      for (const [oldest, old] of this.#agents) {
        if (this.#agents.size < MAX_SESSIONS) break
        old.destroy()
        this.#agents.delete(oldest)
      }
      agent = new StreamAgent(dial, { keepAlive: true, maxSockets: MAX_SOCKETS, timeout: IDLE_MS })
      this.#agents.set(key, agent)
    }
    return agent
  }

  /** One more try where the other side had closed the connection that was kept. */
  async #byHttp1(agent: Agent, url: URL, bytes: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const sent: { request?: ClientRequest } = {}
    try {
      return await byHttp1(agent, url, bytes, signal, sent)
    } catch (error) {
      if (signal.aborted || sent.request?.reusedSocket !== true) throw error
      return byHttp1(agent, url, bytes, signal, {})
    }
  }

  #keep(key: string, url: URL, stream: Duplex): ClientHttp2Session {
    for (const [oldest, old] of this.#sessions) {
      if (this.#sessions.size < MAX_SESSIONS) break
      old.close()
      this.#sessions.delete(oldest)
    }
    const session = connectHttp2(url.origin, { createConnection: () => stream, maxSessionMemory: 2 })
    this.#sessions.set(key, session)
    const drop = (): void => {
      if (this.#sessions.get(key) === session) this.#sessions.delete(key)
    }
    session.on('error', drop)
    session.on('goaway', drop)
    session.on('close', drop)
    session.setTimeout(IDLE_MS, () => session.close())
    session.unref()
    return session
  }
}

/** The other side has said something; asking again changes nothing. */
function isRefusal(error: unknown): boolean {
  return error instanceof HttpRefusal
}

/** What an HTTP server said in place of an answer. */
class HttpRefusal extends EngineError {}

/** HTTP/1.1 over streams that somebody else opens. */
class StreamAgent extends Agent {
  readonly #dial: Dial

  constructor(dial: Dial, options: { keepAlive: boolean; maxSockets?: number; timeout?: number }) {
    super(options)
    this.#dial = dial
  }

  override createConnection(_options: unknown, done?: (error: Error | null, stream: Duplex) => void): Duplex | null | undefined {
    // The stream is a socket wherever sockets are, and only then are its timeouts Node's.
    this.#dial().then((stream) => done?.(null, stream), (error: Error) => done?.(error, undefined as unknown as Socket))
    return undefined
  }
}

function byHttp1(agent: Agent, url: URL, bytes: Uint8Array, signal: AbortSignal, sent: { request?: ClientRequest }): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      agent, method: 'POST', signal, host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port), path: url.pathname + url.search,
      headers: { host: url.host, accept: TYPE, 'content-type': TYPE, 'content-length': bytes.length },
    })
    sent.request = outgoing
    outgoing.on('error', reject)
    outgoing.on('response', (response: IncomingMessage) => void readBody(response, response.statusCode ?? 0, response.headers['content-type'] ?? '').then(resolve, reject))
    outgoing.end(bytes)
  })
}

function byHttp2(session: ClientHttp2Session, url: URL, bytes: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': url.pathname + url.search, accept: TYPE, 'content-type': TYPE, 'content-length': String(bytes.length) }, { signal })
    stream.on('error', reject)
    const onClose = (): void => reject(new Error('the connection ended without an answer'))
    stream.on('close', onClose)
    stream.on('response', (headers) => {
      stream.off('close', onClose)
      readBody(stream, Number(headers[':status']), String(headers['content-type'] ?? '')).then(resolve, reject)
    })
    stream.end(bytes)
  })
}

async function readBody(body: Readable, status: number, type: string): Promise<Uint8Array> {
  if (status !== 200 || !type.startsWith(TYPE)) {
    body.resume()
    throw new HttpRefusal('io', status === 403 ? 'it does not let this device ask (HTTP status 403)' : status !== 200 ? `it refused with HTTP status ${status}` : 'what came is no DNS message')
  }
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > MAX_MESSAGE_BYTES) {
      body.destroy()
      throw new HttpRefusal('io', 'the answer is longer than a DNS message can be')
    }
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}
