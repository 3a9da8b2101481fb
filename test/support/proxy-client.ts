/**
 * A client of SOCKS5 and HTTP CONNECT proxies, enough to test them: one destination, no authentication.
 * Sources: RFC 1928; RFC 9110 §9.3.6.
 */
import { connect, isIP, type Socket } from 'node:net'
import { parseIp } from '../../main/engine/base/ip.ts'

export type Via = { kind: 'none' } | { kind: 'socks5' | 'http'; port: number; proxyHost?: string }

/** A proxy's refusal: `reply` is the SOCKS reply code or the HTTP status. */
export class ProxyRefusal extends Error {
  readonly reply: number
  constructor(reply: number) {
    super(`the proxy refused with ${reply}`)
    this.reply = reply
  }
}

/** Opens a TCP connection to host:port through a proxy. Throws ProxyRefusal when the proxy says no. The caller owns the socket. */
export async function dialVia(via: Via, host: string, port: number, timeoutMs = 10_000): Promise<Socket> {
  const socket =
    via.kind === 'none' ? connect({ host, port }) : connect({ host: via.proxyHost ?? '127.0.0.1', port: via.port })
  socket.setNoDelay(true)
  const timer = setTimeout(() => socket.destroy(new Error(`no answer from ${host}:${port} in ${timeoutMs} ms`)), timeoutMs)
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    if (via.kind === 'socks5') await socksHandshake(socket, host, port)
    if (via.kind === 'http') await httpHandshake(socket, host, port)
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

async function socksHandshake(socket: Socket, host: string, port: number): Promise<void> {
  const reader = new Reader(socket)
  socket.write(Uint8Array.of(5, 1, 0))
  const method = await reader.take(2)
  if (method[0] !== 5 || method[1] !== 0) throw new Error(`no SOCKS5 proxy without authentication: ${method.toString('hex')}`)
  socket.write(Buffer.concat([Buffer.of(5, 1, 0), socksAddress(host), Buffer.of(port >> 8, port & 255)]))
  const head = await reader.take(5)
  const code = head[1] ?? 255
  const rest = head[3] === 1 ? 3 + 2 : head[3] === 4 ? 15 + 2 : (head[4] ?? 0) + 2
  if (code !== 0) throw new ProxyRefusal(code)
  await reader.take(rest)
  reader.release()
}

/** A place as SOCKS5 writes it: kind, then an address or a name with its length (RFC 1928 §5). */
export function socksAddress(host: string): Buffer {
  const ip = parseIp(host)
  return ip ? Buffer.of(ip.length === 4 ? 1 : 4, ...ip) : Buffer.concat([Buffer.of(3, host.length), Buffer.from(host)])
}

async function httpHandshake(socket: Socket, host: string, port: number): Promise<void> {
  const name = isIP(host) === 6 ? `[${host}]` : host
  const reader = new Reader(socket)
  socket.write(`CONNECT ${name}:${port} HTTP/1.1\r\nHost: ${name}:${port}\r\n\r\n`)
  const head = await reader.takeThrough('\r\n\r\n')
  const status = Number(head.split(' ')[1])
  if (status !== 200) throw new ProxyRefusal(status)
  reader.release()
}

/** Reads exact amounts from a socket and gives back what it read too much. */
class Reader {
  #socket: Socket
  #held = Buffer.alloc(0)
  #wake: (() => void) | undefined
  #error: Error | undefined
  #onData = (bytes: Buffer): void => {
    this.#held = Buffer.concat([this.#held, bytes])
    this.#wake?.()
  }
  #onClose = (): void => {
    this.#error ??= new Error('the proxy closed the connection')
    this.#wake?.()
  }
  #onError = (error: Error): void => {
    this.#error = error
    this.#wake?.()
  }

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', this.#onData).on('close', this.#onClose).on('error', this.#onError)
  }

  async take(count: number): Promise<Buffer> {
    while (this.#held.length < count) await this.#more()
    const taken = this.#held.subarray(0, count)
    this.#held = this.#held.subarray(count)
    return taken
  }

  async takeThrough(mark: string): Promise<string> {
    while (!this.#held.includes(mark)) await this.#more()
    return (await this.take(this.#held.indexOf(mark) + mark.length)).toString()
  }

  async #more(): Promise<void> {
    if (this.#error !== undefined) throw this.#error
    await new Promise<void>((resolve) => (this.#wake = resolve))
    if (this.#error !== undefined && this.#held.length === 0) throw this.#error
  }

  release(): void {
    this.#socket.off('data', this.#onData).off('close', this.#onClose).off('error', this.#onError)
    this.#socket.pause()
    if (this.#held.length > 0) this.#socket.unshift(this.#held)
  }
}
