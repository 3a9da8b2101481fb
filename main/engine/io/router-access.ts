/**
 * The ways to the router for port mapping: UDP to one port of it, UDP to whoever answers a search, small HTTP exchanges with it.
 *
 * All UDP leaves from our own address towards the router. What cannot be opened or sent is as good as lost on the way.
 */
import type { Socket } from 'node:dgram'
import type { AddrPort } from '../base/ip.ts'
import type { makeHttpFetch } from './http-fetch.ts'
import type { Wires } from './wires.ts'

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

/** For one engine; its sockets are made as its others are. */
export class RouterWays {
  readonly #wires: Wires
  readonly #fetch: ReturnType<typeof makeHttpFetch>

  constructor(wires: Wires, fetch: ReturnType<typeof makeHttpFetch>) {
    this.#wires = wires
    this.#fetch = fetch
  }

  /** UDP to one port of the gateway; the system drops what comes from anywhere else. */
  readonly openPort = ({ gateway, selfIp }: Link, port: number, onDatagram: (bytes: Uint8Array) => void): { send(bytes: Uint8Array): void; close(): void } => {
    const socket = new EarlySocket(this.#wires, selfIp, onDatagram, (raw, ready) => raw.connect(port, gateway, ready))
    return { send: (bytes) => socket.use((raw) => raw.send(bytes, ignore)), close: () => socket.close() }
  }

  /** UDP to whoever answers. */
  readonly openSearch = ({ selfIp }: Link, onDatagram: (bytes: Uint8Array) => void): { send(to: AddrPort, bytes: Uint8Array): void; close(): void } => {
    const socket = new EarlySocket(this.#wires, selfIp, onDatagram, (raw, ready) => {
      raw.setMulticastTTL(SEARCH_HOPS)
      raw.setMulticastInterface(selfIp)
      ready()
    })
    return { send: (to, bytes) => socket.use((raw) => raw.send(bytes, to.port, to.ip, ignore)), close: () => socket.close() }
  }

  /** A UDP port that nobody else uses until it is closed; rejects when there is none. */
  async reservePort(): Promise<{ readonly port: number; readonly close: () => void }> {
    const socket = await new Promise<Socket>((resolve, reject) => this.#wires.datagrams(4, undefined, resolve).once('error', reject))
    socket.on('error', ignore)
    return { port: socket.address().port, close: () => void socket.close() }
  }

  /** One exchange with the gateway, no redirects. Rejects with EngineError: timeout, io, or control-bad-response when it was too much. */
  readonly http = async ({ gateway }: Link, request: RouterRequest): Promise<{ status: number; body: string }> => {
    const { place, body, ...rest } = request
    const answer = await this.#fetch({ ...rest, url: `http://${gateway}:${place.port}${place.path}`, ...(body === undefined ? {} : { body: Buffer.from(body) }) })
    return { status: answer.status, body: Buffer.from(answer.body).toString('utf8') }
  }
}

/** A socket that may be used before it stands; after a fault nothing is sent or heard any more. */
class EarlySocket {
  readonly #raw: Socket
  #waiting: ((raw: Socket) => void)[] | undefined = []
  #isOpen = true

  constructor(wires: Wires, ip: string, onDatagram: (bytes: Uint8Array) => void, makeReady: (raw: Socket, ready: () => void) => void) {
    this.#raw = wires.datagrams(4, ip, (raw) => this.#attempt(() => makeReady(raw, () => this.#stands())))
    // A refused datagram (nobody listens at the router) is told as an error of the next call: the socket goes on.
    this.#raw.on('error', ignore)
    this.#raw.on('message', (bytes) => {
      if (this.#isOpen) onDatagram(bytes)
    })
  }

  use(call: (raw: Socket) => void): void {
    if (!this.#isOpen) return
    if (this.#waiting) {
      if (this.#waiting.length < 16) this.#waiting.push(call)
      return
    }
    this.#attempt(() => call(this.#raw))
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

  #stands(): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    for (const call of waiting ?? []) this.use(call)
  }

  #attempt(call: () => void): void {
    try {
      call()
    } catch {
      this.close()
    }
  }
}

function ignore(): void {}
