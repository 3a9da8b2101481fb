/**
 * A STUN server that answers as a relay's does: only to requests of Tailscale's own shape, only with the mapped address.
 *
 * What it calls the mapped address is the sender's, or what `seenAs` makes of it: that is how a simulated NAT speaks.
 * The codec is core/stun.
 */
import dgram from 'node:dgram'
import { isDecodeError } from '../../../main/engine/base/errors.ts'
import type { AddrPort } from '../../../main/engine/base/ip.ts'
import { decodeStunRequest, encodeStunResponse } from '../../../main/engine/core/stun/stun.ts'

export interface StunServerOptions {
  /** The sender as the world sees it; undefined gets no answer. */
  readonly seenAs?: (from: AddrPort) => Promise<AddrPort | undefined> | AddrPort | undefined
}

export class StunServer {
  /** Proper requests answered, and everything else. */
  readonly counts = { answered: 0, ignored: 0 }
  /** A server that hears and says nothing. */
  silent = false
  readonly #options: StunServerOptions
  #socket: dgram.Socket | undefined
  #port = 0

  constructor(options: StunServerOptions = {}) {
    this.#options = options
  }

  get port(): number {
    return this.#port
  }

  /** Listens on 127.0.0.1; port 0 takes any. */
  async start(port = 0): Promise<void> {
    const socket = dgram.createSocket('udp4')
    this.#socket = socket
    socket.on('message', (bytes, from) => void this.#answer(bytes, { ip: from.address, port: from.port }))
    await new Promise<void>((done, fail) => {
      socket.once('error', fail)
      socket.bind(port, '127.0.0.1', () => done())
    })
    socket.on('error', () => {})
    this.#port = socket.address().port
  }

  async stop(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    if (socket) await new Promise<void>((done) => socket.close(() => done()))
  }

  async #answer(bytes: Uint8Array, from: AddrPort): Promise<void> {
    const txid = decodeStunRequest(bytes)
    const mapped = !isDecodeError(txid) && !this.silent ? await (this.#options.seenAs ? this.#options.seenAs(from) : from) : undefined
    if (isDecodeError(txid) || !mapped) {
      this.counts.ignored += 1
      return
    }
    this.counts.answered += 1
    this.#socket?.send(encodeStunResponse(txid, mapped), from.port, from.ip)
  }
}
