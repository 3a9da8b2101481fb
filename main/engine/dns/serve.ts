/**
 * The resolver for programs that ask it at 100.100.100.100 and fd7a:115c:a1e0::53, by the proxies and forwards.
 *
 *   datagram   one query, one answer; one that does not fit what the program takes is cut, and it asks again by TCP
 *   TCP        each message with its length, 2 bytes, in front; up to 4096 B a query; ended after 45 s without a query
 *
 * What is no query gets no answer, and ends a stream. Queries of one stream that are under way are bounded, and so
 * are answers that it does not take: beyond, reading waits.
 */
import type { Duplex } from 'node:stream'
import type { Env } from '../base/env.ts'
import { isDecodeError } from '../base/errors.ts'
import { SERVICE_IPS } from '../base/ip.ts'
import { cutAnswer, datagramLimit } from './codec.ts'
import type { Resolver } from './resolver.ts'
import { walk } from './walk.ts'

const PORT = 53
const MAX_QUERY_BYTES = 4_096
const IDLE_MS = 45_000
const MAX_STREAMS = 256
const MAX_UNDER_WAY = 16

/** Whether programs ask the resolver at this place. */
export function isServicePlace({ ip, port }: { readonly ip: string; readonly port: number }): boolean {
  return port === PORT && SERVICE_IPS.includes(ip)
}

export class DnsServer {
  readonly #env: Env
  readonly #resolver: Pick<Resolver, 'answer' | 'told'>
  readonly #streams = new Set<Duplex>()

  constructor(deps: { env: Env; resolver: Pick<Resolver, 'answer' | 'told'> }) {
    this.#env = deps.env
    this.#resolver = deps.resolver
  }

  /** The answer to a datagram, as large as its sender takes; undefined: none. Never rejects. */
  async datagram(query: Uint8Array): Promise<Uint8Array | undefined> {
    if (query.length > MAX_QUERY_BYTES) return undefined
    this.#resolver.told.count('served_udp')
    const asked = walk(query)
    const answer = await this.#resolver.answer(query)
    if (!answer || isDecodeError(asked) || answer.length <= datagramLimit(asked)) return answer
    const bones = walk(answer)
    return isDecodeError(bones) ? undefined : cutAnswer(answer, bones)
  }

  /** Serves a stream, which is ours from here on. */
  accept(stream: Duplex): void {
    stream.on('error', () => stream.destroy())
    if (this.#streams.size >= MAX_STREAMS) return void stream.destroy()
    this.#streams.add(stream)
    let cancelTimer = this.#env.clock.after(IDLE_MS, () => stream.destroy())
    stream.once('close', () => {
      cancelTimer()
      this.#streams.delete(stream)
    })
    const reader = new Reader()
    let underWay = 0
    const pump = (): void => {
      for (;;) {
        if (stream.destroyed || underWay >= MAX_UNDER_WAY || stream.writableNeedDrain) return void stream.pause()
        const query = reader.next()
        if (query === undefined) return void stream.resume()
        if (query === 'bad') return void stream.destroy()
        cancelTimer()
        cancelTimer = this.#env.clock.after(IDLE_MS, () => stream.destroy())
        underWay++
        void this.#serve(stream, query).finally(() => {
          underWay--
          pump()
        })
      }
    }
    stream.on('drain', pump)
    stream.on('data', (chunk: Uint8Array) => {
      reader.add(chunk)
      pump()
    })
  }

  close(): void {
    for (const stream of this.#streams) stream.destroy()
  }

  async #serve(stream: Duplex, query: Uint8Array): Promise<void> {
    this.#resolver.told.count('served_tcp')
    const answer = await this.#resolver.answer(query)
    if (stream.destroyed) return
    if (!answer) return void stream.destroy()
    stream.write(Buffer.concat([Uint8Array.of(answer.length >> 8, answer.length & 0xff), answer]))
  }
}

/** Cuts a stream into messages. */
class Reader {
  #held: Uint8Array = new Uint8Array(0)

  add(chunk: Uint8Array): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
  }

  /** The next whole message; undefined: more has to come; 'bad': none that could be a query. */
  next(): Uint8Array | 'bad' | undefined {
    if (this.#held.length < 2) return undefined
    const length = (this.#held[0]! << 8) | this.#held[1]!
    if (length === 0 || length > MAX_QUERY_BYTES) return 'bad'
    if (this.#held.length < length + 2) return undefined
    const message = new Uint8Array(this.#held.subarray(2, length + 2))
    this.#held = this.#held.subarray(length + 2)
    return message
  }
}
