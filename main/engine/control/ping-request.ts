/**
 * Answers what control asks in its pings:
 *
 *   ''                          HEAD to a URL: this node is alive (a subnet router that does not answer loses its routes)
 *   disco TSMP ICMP peerapi     pings that peer, and POSTs what came of it; of a ping without an answer nothing is sent
 *   c2n                         a raw HTTP request inside; its answer is POSTed, over the Noise connection alone
 *
 * Every ping has its own URL; one seen before is not answered again. At most MAX_AT_ONCE are under way.
 * Source: tailscale control/controlclient/direct.go (answerPing), feature/c2n/c2n.go.
 */
import type { Env } from '../base/env.ts'
import { errorText } from '../base/errors.ts'
import type { PingRequest } from '../core/tailcfg/types.ts'
import { formatC2nAnswer, parseC2nRequest, type C2nAnswer } from './c2n-http.ts'
import { readAll, type ControlConnection } from './connection.ts'
import { deadline } from './deadline.ts'
import type { Asked, HttpFetch, PeerPingType } from './ports.ts'

const TIMEOUT_MS = 15_000
/** A ping of a peer takes up to 10 s, and its report as long as any. */
const PING_TIMEOUT_MS = 25_000
const C2N_TIMEOUT_MS = 60_000
const MAX_BYTES = 64 * 1024
const REMEMBERED = 64
const MAX_AT_ONCE = 16
const PEER_PINGS: ReadonlySet<string> = new Set<PeerPingType>(['disco', 'TSMP', 'ICMP', 'peerapi'])

export class PingAnswerer {
  readonly #env: Env
  readonly #http: HttpFetch
  readonly #seen: string[] = []
  #underWay = 0
  #asked: Asked | undefined

  constructor(deps: { env: Env; http: HttpFetch }) {
    this.#env = deps.env
    this.#http = deps.http
  }

  /** Who answers what goes beyond being alive. */
  setAsked(asked: Asked | undefined): void {
    this.#asked = asked
  }

  /** Answers in the background; failures are told to the journal only. */
  handle(ping: PingRequest, connection: ControlConnection, signal: AbortSignal): void {
    if (ping.URL === '' || this.#seen.includes(ping.URL)) return
    this.#seen.push(ping.URL)
    if (this.#seen.length > REMEMBERED) this.#seen.shift()
    const types = ping.Types ?? ''
    for (const type of types === '' || types === 'c2n' ? [types] : types.split(',').slice(0, PEER_PINGS.size)) this.#begin(ping, type.trim(), connection, signal)
  }

  #begin(ping: PingRequest, type: string, connection: ControlConnection, signal: AbortSignal): void {
    const tell = (answered: boolean, why?: string): void => {
      this.#env.journal.add({ part: 'control', kind: 'ping-request', types: type, answered, ...(why === undefined ? {} : { why }) })
      if (ping.Log === true) this.#env.log.info(`the server asked for a ping (${type || 'alive'}): ${answered ? 'answered' : (why ?? 'not answered')}`)
    }
    if (this.#underWay >= MAX_AT_ONCE) return tell(false, 'too many pings at once')
    this.#underWay++
    const limit = deadline(this.#env.clock, type === 'c2n' ? C2N_TIMEOUT_MS : type === '' ? TIMEOUT_MS : PING_TIMEOUT_MS, signal)
    this.#answer(ping, type, connection, limit.signal)
      .finally(() => {
        limit.done()
        this.#underWay--
      })
      .then((refused) => tell(refused === undefined, refused), (error: unknown) => tell(false, errorText(error)))
  }

  /** undefined when it was answered, else why not. */
  async #answer(ping: PingRequest, type: string, connection: ControlConnection, limit: AbortSignal): Promise<string | undefined> {
    const url = new URL(ping.URL, connection.url)
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'its URL is not one of HTTP'
    if (type === '') return await this.#send('HEAD', url, undefined, ping, connection, limit)
    if (type === 'c2n') {
      if (ping.URLIsNoise !== true) return 'requests to this node are answered over the Noise connection alone'
      return await this.#send('POST', url, formatC2nAnswer(await this.#c2n(ping)), ping, connection, limit)
    }
    if (!PEER_PINGS.has(type) || !this.#asked || !ping.IP) return 'a kind of ping that is not known, or of no address'
    const result = await this.#asked.ping(ping.IP, type as PeerPingType)
    if (result.Err !== '') return result.Err
    return await this.#send('POST', url, new TextEncoder().encode(JSON.stringify({ Type: type, ...result })), ping, connection, limit)
  }

  async #c2n(ping: PingRequest): Promise<C2nAnswer> {
    const request = parseC2nRequest(Buffer.from(ping.Payload ?? '', 'base64'))
    if (!request) return { status: 400, body: 'the request cannot be read\n' }
    if (request.path === '/echo') return { status: 200, body: request.body }
    return (await this.#asked?.answerC2n(request)) ?? { status: 400, body: 'unknown c2n path\n' }
  }

  async #send(
    method: 'HEAD' | 'POST', url: URL, body: Uint8Array | undefined, ping: PingRequest, connection: ControlConnection, signal: AbortSignal,
  ): Promise<undefined> {
    if (ping.URLIsNoise === true) {
      await readAll(await connection.send(method, url.pathname + url.search, body, {}, signal), MAX_BYTES)
      return
    }
    await this.#http({ method, url: url.href, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, signal, ...(body ? { body } : {}) })
  }
}
