/**
 * The ways to the router for port mapping: UDP to one port of it, UDP to whoever answers a search, small HTTP exchanges with it.
 *
 * All UDP leaves from our own address towards the router. What cannot be opened or sent is as good as lost on the way.
 */
import { createSocket, type Socket } from 'node:dgram'
import type { AddrPort } from '../base/ip.ts'
import { makeHttpFetch } from './http-fetch.ts'

/** Not beyond the router and one device that counts. */
const SEARCH_HOPS = 2

interface Link {
  readonly gateway: string
  readonly selfIp: string
}

interface RouterRequest {
  readonly method: 'GET' | 'POST'
  readonly place: { readonly port: number; readonly path: string }
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly timeoutMs: number
  readonly maxBytes: number
}

const fetch = makeHttpFetch()

/** UDP to one port of the gateway; the system drops what comes from anywhere else. */
export function openPort({ gateway, selfIp }: Link, port: number, onDatagram: (bytes: Uint8Array) => void): { send(bytes: Uint8Array): void; close(): void } {
  const socket = new EarlySocket(onDatagram, (raw, ready) => raw.bind({ address: selfIp, port: 0 }, () => raw.connect(port, gateway, ready)))
  return { send: (bytes) => socket.use((raw) => raw.send(bytes, ignore)), close: () => socket.close() }
}

/** UDP to whoever answers. */
export function openSearch({ selfIp }: Link, onDatagram: (bytes: Uint8Array) => void): { send(to: AddrPort, bytes: Uint8Array): void; close(): void } {
  const socket = new EarlySocket(onDatagram, (raw, ready) => raw.bind({ address: selfIp, port: 0 }, () => {
    raw.setMulticastTTL(SEARCH_HOPS)
    raw.setMulticastInterface(selfIp)
    ready()
  }))
  return { send: (to, bytes) => socket.use((raw) => raw.send(bytes, to.port, to.ip, ignore)), close: () => socket.close() }
}

/** A UDP port that nobody else uses until it is closed; rejects when there is none. */
export async function reservePort(): Promise<{ readonly port: number; readonly close: () => void }> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve, reject) => socket.once('error', reject).bind(0, resolve))
  socket.on('error', ignore)
  return { port: socket.address().port, close: () => void socket.close() }
}

/** One exchange with the gateway, no redirects. Rejects with EngineError: timeout, io, or control-bad-response when it was too much. */
export async function routerHttp({ gateway }: Link, request: RouterRequest): Promise<{ status: number; body: string }> {
  const { place, body, ...rest } = request
  const answer = await fetch({ ...rest, url: `http://${gateway}:${place.port}${place.path}`, ...(body === undefined ? {} : { body: Buffer.from(body) }) })
  return { status: answer.status, body: Buffer.from(answer.body).toString('utf8') }
}

/** A socket that may be used before it stands; after a fault nothing is sent or heard any more. */
class EarlySocket {
  readonly #raw: Socket = createSocket('udp4')
  #waiting: ((raw: Socket) => void)[] | undefined = []
  #isOpen = true

  constructor(onDatagram: (bytes: Uint8Array) => void, makeReady: (raw: Socket, ready: () => void) => void) {
    // A refused datagram (nobody listens at the router) is told as an error of the next call: the socket goes on.
    this.#raw.on('error', ignore)
    this.#raw.on('message', (bytes) => {
      if (this.#isOpen) onDatagram(bytes)
    })
    try {
      makeReady(this.#raw, () => {
        const waiting = this.#waiting
        this.#waiting = undefined
        for (const call of waiting ?? []) this.use(call)
      })
    } catch {
      this.close()
    }
  }

  use(call: (raw: Socket) => void): void {
    if (!this.#isOpen) return
    if (this.#waiting) {
      if (this.#waiting.length < 16) this.#waiting.push(call)
      return
    }
    try {
      call(this.#raw)
    } catch {
      this.close()
    }
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    try {
      this.#raw.close()
    } catch {
      // It never stood.
    }
  }
}

function ignore(): void {}
