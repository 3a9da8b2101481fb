/**
 * One question to one resolver the plain way.
 *
 *   0 s datagram   1 s datagram again   2 s, or when the answer was cut or the datagram refused: TCP beside it
 *
 * The first answer that fits counts: same number (new with every datagram), same question, from that very place. Others
 * are counted and waited out, so that nobody who guesses can answer in the resolver's place.
 */
import type { Duplex } from 'node:stream'
import type { Env } from '../base/env.ts'
import { EngineError, isDecodeError } from '../base/errors.ts'
import { formatAddrPort } from '../base/ip.ts'
import type { AddrPort } from '../base/ip.ts'
import { answersQuery, copyOf, withNumber } from './codec.ts'
import type { Carrier } from './ports.ts'
import { walk } from './walk.ts'
import type { Bones } from './walk.ts'

const AGAIN_MS = 1_000
const TCP_MS = 2_000
const TCP_LIMIT_MS = 5_000

export interface Message {
  readonly bytes: Uint8Array
  readonly bones: Bones
}

export interface Exchange {
  /** Rejects with EngineError('timeout' | 'io' | 'aborted'). */
  readonly answer: Promise<Message>
  /** Ends it without an answer; once it is over this does nothing. */
  cancel(): void
}

export interface ExchangeContext {
  readonly env: Env
  readonly limitMs: number
  /** Something came that is no answer to the question. */
  readonly onStray: () => void
}

/** Asks `at` over `carrier`. */
export function askPlain(carrier: Carrier, at: AddrPort, query: Message, context: ExchangeContext): Exchange {
  const { env, limitMs, onStray } = context
  const ends: (() => void)[] = []
  let isOver = false
  let open = 0
  let askedByTcp = false
  let settle: { resolve: (message: Message) => void; reject: (error: Error) => void }
  const answer = new Promise<Message>((resolve, reject) => (settle = { resolve, reject }))
  const over = (call: () => void): void => {
    if (isOver) return
    isOver = true
    for (const end of ends.splice(0)) end()
    call()
  }
  const failed = (error: Error): void => {
    open--
    if (!askedByTcp) byTcp()
    else if (open === 0) over(() => settle.reject(new EngineError('io', error.message, { cause: error })))
  }
  const byDatagram = (): void => {
    const { bytes, bones } = numbered(env, query)
    open++
    ends.push(carrier.datagram(at, bytes, (received) => {
      const message = isOver ? undefined : readAnswer(received, bones)
      if (!message) return isOver ? undefined : onStray()
      if (message.bones.isCut) return askedByTcp ? undefined : byTcp()
      over(() => settle.resolve(message))
    }, failed))
  }
  const byTcp = (): void => {
    if (askedByTcp || isOver) return
    askedByTcp = true
    open++
    const own = numbered(env, query)
    const streams: Duplex[] = []
    ends.push(() => streams[0]?.destroy())
    carrier.dial(at, Math.min(limitMs, TCP_LIMIT_MS)).then((stream) => {
      if (isOver) return void stream.destroy()
      streams.push(stream)
      return exchangeByStream(stream, own).then((message) => over(() => settle.resolve(message)))
    }).catch(failed)
  }
  byDatagram()
  ends.push(env.clock.after(AGAIN_MS, byDatagram), env.clock.after(TCP_MS, byTcp))
  ends.push(env.clock.after(limitMs, () => over(() => settle.reject(new EngineError('timeout', `${formatAddrPort(at)} did not answer`)))))
  return { answer, cancel: () => over(() => settle.reject(new EngineError('aborted', 'another one answered first'))) }
}

/** The query with a number that nobody can know. */
function numbered(env: Env, { bytes, bones }: Message): Message {
  const [high, low] = env.random.bytes(2)
  const id = (high! << 8) | low!
  return { bytes: withNumber(bytes, bones, id), bones: { ...bones, id } }
}

/** What was received, if it is the answer to the query. */
export function readAnswer(received: Uint8Array, query: Bones): Message | undefined {
  const bones = walk(received)
  if (isDecodeError(bones) || !answersQuery(bones, query)) return undefined
  return { bytes: copyOf(received, bones.length), bones }
}

/** One question and its answer over a stream, which the caller ends: each with its length, 2 bytes, in front. */
function exchangeByStream(stream: Duplex, { bytes, bones }: Message): Promise<Message> {
  return new Promise((resolve, reject) => {
    const held: Uint8Array[] = []
    let size = 0
    const finish = (call: () => void): void => {
      stream.on('error', () => {})
      stream.destroy()
      call()
    }
    stream.on('error', (error) => finish(() => reject(error)))
    stream.on('close', () => finish(() => reject(new Error('the connection ended without an answer'))))
    stream.on('data', (chunk: Uint8Array) => {
      held.push(chunk)
      size += chunk.length
      if (size < 2) return
      const all = held.length === 1 ? held[0]! : Buffer.concat(held.splice(0))
      if (held.length === 0) held.push(all)
      const length = (all[0]! << 8) | all[1]!
      if (size < length + 2) return
      const message = readAnswer(all.subarray(2, 2 + length), bones)
      finish(() => (message ? resolve(message) : reject(new Error('what came is no answer to the question'))))
    })
    stream.write(Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes]))
  })
}
