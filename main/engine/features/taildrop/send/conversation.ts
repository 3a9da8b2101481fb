/**
 * One request to a device and its answer, HTTP/1.1. The device may be hostile: its head is bounded (16 KiB, 64 fields), of
 * provisional answers eight are read, it may not upgrade, and a body is read to a limit and in time.
 *
 *   begun → answered (its head is here) → read | over
 *   any → failed (SendFault: the connection is gone)
 */
import { request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { Clock } from '../../../base/env.ts'
import { SendFault, sendFaultOf } from './fault.ts'
import type { PeerLink } from './link.ts'
import { Patience } from './patience.ts'

const MAX_HEAD_BYTES = 16_384
const MAX_FIELDS = 64
const MAX_PROVISIONAL = 8
/** Between two pieces of a small answer. */
const BODY_MS = 10_000

export interface Ask {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly path: string
  readonly headers?: OutgoingHttpHeaders
  readonly signal: AbortSignal
}

export interface Answer {
  readonly status: number
  readonly text: string
}

export class Conversation {
  readonly request: ClientRequest
  /** The head of the answer; rejects with SendFault. */
  readonly response: Promise<IncomingMessage>
  /** Called once, when the answer begins or the connection is gone. */
  onSettled: () => void = () => {}
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #abort = (): void => this.fail(new SendFault('aborted', 'nobody wants it any more'))
  #fault: SendFault | undefined
  #isSettled = false
  #reject: (fault: SendFault) => void = () => {}

  constructor(link: PeerLink, clock: Clock, { method, path, headers, signal }: Ask) {
    this.#clock = clock
    this.#signal = signal
    const { ip, port } = link.place
    this.request = httpRequest({ agent: link.agent, host: ip, port, method, path, headers: { host: 'peer', ...headers }, maxHeaderSize: MAX_HEAD_BYTES })
    this.request.maxHeadersCount = MAX_FIELDS
    this.response = new Promise((resolve, reject) => {
      this.#reject = reject
      this.#watch(resolve)
    })
    this.response.catch(() => {})
    if (signal.aborted) this.#abort()
  }

  /** The answer has begun, or there will be none. */
  get isSettled(): boolean {
    return this.#isSettled
  }

  /** Ends it and its connection; the first fault counts. */
  fail(fault: SendFault): void {
    this.#fault ??= fault
    this.request.destroy(this.#fault)
    // A request that has no connection yet would say so only once it has one.
    this.#over(this.#fault)
  }

  /** The whole answer; more than `most` bytes are nonsense. Rejects with SendFault. */
  async answer(most: number): Promise<Answer> {
    const response = await this.response
    const patience = new Patience(this.#clock, () => this.fail(new SendFault('silent', 'the answer stopped in the middle')))
    const parts: Buffer[] = []
    let length = 0
    try {
      patience.renew(BODY_MS)
      for await (const part of response as AsyncIterable<Buffer>) {
        patience.renew(BODY_MS)
        length += part.length
        if (length > most) throw new SendFault('nonsense', 'the answer has no end')
        parts.push(part)
      }
      return { status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }
    } catch (error) {
      throw this.#fault ?? sendFaultOf(error)
    } finally {
      patience.rest()
    }
  }

  /** The body of the answer as it comes. Rejects with SendFault. */
  async *pieces(withinMs: number): AsyncGenerator<Buffer> {
    const response = await this.response
    const patience = new Patience(this.#clock, () => this.fail(new SendFault('silent', 'the answer stopped in the middle')))
    try {
      patience.renew(withinMs)
      for await (const part of response as AsyncIterable<Buffer>) {
        patience.rest()
        yield part
        patience.renew(withinMs)
      }
    } catch (error) {
      throw this.#fault ?? sendFaultOf(error)
    } finally {
      patience.rest()
    }
  }

  #over(error: unknown): void {
    this.#fault ??= faultOf(error)
    this.#reject(this.#fault)
    this.#settle()
  }

  #settle(): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.onSettled()
  }

  #watch(resolve: (response: IncomingMessage) => void): void {
    let provisional = 0
    this.#signal.addEventListener('abort', this.#abort)
    this.request
      .on('information', () => {
        if (++provisional > MAX_PROVISIONAL) this.fail(new SendFault('nonsense', 'the device gives no final answer'))
      })
      .on('upgrade', (_response, stream) => {
        stream.destroy()
        this.fail(new SendFault('nonsense', 'the device wants to speak another protocol'))
      })
      .on('response', (response) => {
        response.on('error', () => {})
        resolve(response)
        this.#settle()
      })
      .on('error', (error) => this.#over(error))
      .once('close', () => {
        this.#signal.removeEventListener('abort', this.#abort)
        this.#over(new SendFault('broken', 'the connection ended without an answer'))
      })
  }
}

/** One request with a small body or none, and its whole answer. Rejects with SendFault. */
export async function exchange(link: PeerLink, clock: Clock, ask: Ask & { readonly body?: string; readonly withinMs: number; readonly most: number }): Promise<Answer> {
  const { body, withinMs, most } = ask
  const talk = new Conversation(link, clock, body === undefined ? ask : { ...ask, headers: { ...ask.headers, 'content-length': Buffer.byteLength(body) } })
  const patience = new Patience(clock, () => talk.fail(new SendFault('silent', 'the device does not answer')))
  patience.renew(withinMs)
  talk.request.end(body)
  try {
    await talk.response
    patience.rest()
    return await talk.answer(most)
  } catch (error) {
    talk.fail(sendFaultOf(error))
    throw error
  } finally {
    patience.rest()
  }
}

function faultOf(error: unknown): SendFault {
  const { code = '' } = error as { code?: string }
  return code.startsWith('HPE_') ? new SendFault('nonsense', 'the device does not speak HTTP', { cause: error }) : sendFaultOf(error)
}
