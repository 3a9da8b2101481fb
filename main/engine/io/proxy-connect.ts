/**
 * Asks a proxy, over a connection to it, for a connection to somewhere else.
 *
 *   HTTP     CONNECT host:port HTTP/1.1, with Proxy-Authorization: Basic when there is a user → 2xx, then the bytes
 *   SOCKS5   greeting, user and password when asked (RFC 1929), CONNECT by name (RFC 1928) → success, then the bytes
 *
 * Names are sent as they are: the proxy looks them up, so that a network without DNS of its own works. Every failure is
 * told as the proxy's. Passwords are in no text.
 */
import type { Socket } from 'node:net'
import { parseIp } from '../base/ip.ts'
import { EngineError } from '../base/errors.ts'
import { printable } from '../base/printable.ts'
import type { Proxy, ProxyTarget } from './proxy-rules.ts'

const MAX_HEAD_BYTES = 16 * 1024

/** Resolves when the socket is connected to the target. Rejects with EngineError('proxy-sign-in' | 'proxy-refused' | 'proxy-unreachable'). */
export async function connectThrough(socket: Socket, proxy: Proxy, target: ProxyTarget, signal: AbortSignal): Promise<void> {
  const pipe = new Reader(socket, proxy, signal)
  try {
    await (proxy.kind === 'socks5' ? socksConnect(pipe, socket, proxy, target) : httpConnect(pipe, socket, proxy, target))
  } finally {
    pipe.done()
  }
}

async function httpConnect(pipe: Reader, socket: Socket, proxy: Proxy, target: ProxyTarget): Promise<void> {
  const at = `${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`
  const credentials = proxy.user === undefined ? '' : `Proxy-Authorization: Basic ${Buffer.from(`${proxy.user}:${proxy.password}`).toString('base64')}\r\n`
  socket.write(`CONNECT ${at} HTTP/1.1\r\nHost: ${at}\r\nUser-Agent: bowline\r\n${credentials}\r\n`)
  const head = await pipe.until('\r\n\r\n')
  const status = /^HTTP\/1\.[01] (\d{3})(?: ([^\r\n]*))?\r\n/.exec(head)
  if (!status) throw new EngineError('proxy-refused', `${proxy.name} is no HTTP proxy: it does not answer as one. Check the proxy setting`)
  const code = Number(status[1])
  if (code >= 200 && code < 300) return
  if (code === 407) throw signIn(proxy)
  const said = printable(status[2] ?? '', 80)
  const what = `HTTP ${code}${said === '' ? '' : ` ${said}`}`
  if (code >= 500) throw new EngineError('proxy-refused', `the proxy ${proxy.name} cannot reach ${at} (${what}). Check the server's address, or ask whoever runs the proxy`)
  throw new EngineError('proxy-refused', `the proxy ${proxy.name} does not let connections to ${at} through (${what}). Ask whoever runs it, or except the server with NO_PROXY`)
}

const SOCKS_SAYS: Readonly<Record<number, string>> = {
  1: 'it failed', 2: 'its rules forbid it', 3: 'no network', 4: 'the host cannot be reached', 5: 'connection refused', 6: 'it took too long',
}

async function socksConnect(pipe: Reader, socket: Socket, proxy: Proxy, target: ProxyTarget): Promise<void> {
  const methods = proxy.user === undefined ? [0] : [0, 2]
  socket.write(Buffer.from([5, methods.length, ...methods]))
  const [version, method] = await pipe.take(2)
  if (version !== 5) throw new EngineError('proxy-refused', `${proxy.name} is no SOCKS5 proxy: it does not answer as one. Check the proxy setting`)
  if (method === 2 && proxy.user !== undefined) {
    const [user, password] = [Buffer.from(proxy.user), Buffer.from(proxy.password)]
    if (user.length > 255 || password.length > 255) throw signIn(proxy)
    socket.write(Buffer.concat([Buffer.from([1, user.length]), user, Buffer.from([password.length]), password]))
    if ((await pipe.take(2))[1] !== 0) throw signIn(proxy)
  } else if (method !== 0) throw signIn(proxy)
  const ip = parseIp(target.host)
  const name = Buffer.from(target.host)
  if (!ip && name.length > 255) throw new EngineError('bad-argument', 'the name of the host is too long')
  const address = ip ? [ip.length === 4 ? 1 : 4, ...ip] : [3, name.length, ...name]
  socket.write(Buffer.from([5, 1, 0, ...address, target.port >> 8, target.port & 255]))
  const [, reply, , kind] = await pipe.take(4)
  if (reply !== 0) {
    throw new EngineError('proxy-refused', `the proxy ${proxy.name} does not connect to ${target.host}:${target.port}: ${SOCKS_SAYS[reply!] ?? `it answers ${reply}`}. Ask whoever runs it`)
  }
  await pipe.take((kind === 1 ? 4 : kind === 4 ? 16 : (await pipe.take(1))[0]!) + 2)
}

function signIn(proxy: Proxy): EngineError {
  const text = proxy.user === undefined
    ? `the proxy ${proxy.name} wants a user and a password. Put them into the proxy setting: http://USER:PASSWORD@HOST:PORT`
    : `the proxy ${proxy.name} does not accept this user and password. Correct them in the proxy setting`
  return new EngineError('proxy-sign-in', text)
}

/** Takes exactly what is asked for off the front of a socket's bytes; the rest stays there. */
class Reader {
  readonly #socket: Socket
  readonly #signal: AbortSignal
  readonly #proxy: Proxy
  #bytes = Buffer.alloc(0)
  #wake: (() => void) | undefined
  #failure: unknown

  constructor(socket: Socket, proxy: Proxy, signal: AbortSignal) {
    this.#socket = socket
    this.#proxy = proxy
    this.#signal = signal
    socket.on('readable', this.#onReadable)
    socket.on('close', this.#onClose)
    socket.on('error', this.#onClose)
    signal.addEventListener('abort', this.#onAbort, { once: true })
    if (signal.aborted) this.#onAbort()
  }

  async take(count: number): Promise<Uint8Array> {
    return this.#cut(() => (this.#bytes.length >= count ? count : -1))
  }

  async until(mark: string): Promise<string> {
    const head = await this.#cut(() => {
      const at = this.#bytes.indexOf(mark)
      return at < 0 ? -1 : at + mark.length
    })
    return Buffer.from(head).toString('latin1')
  }

  /** Gives the socket back with what was not taken. */
  done(): void {
    this.#socket.off('readable', this.#onReadable)
    this.#socket.off('close', this.#onClose)
    this.#signal.removeEventListener('abort', this.#onAbort)
    if (this.#bytes.length > 0) this.#socket.unshift(this.#bytes)
    // An error between two owners must not be unheard, so this listener stays.
  }

  async #cut(end: () => number): Promise<Uint8Array> {
    for (;;) {
      const at = end()
      if (at >= 0) {
        const cut = this.#bytes.subarray(0, at)
        this.#bytes = this.#bytes.subarray(at)
        return cut
      }
      if (this.#bytes.length > MAX_HEAD_BYTES) this.#failure ??= new EngineError('proxy-refused', `the proxy ${this.#proxy.name} answers without end`)
      if (this.#failure !== undefined) throw this.#failure
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  // Reading so, and not by 'data', leaves the stream to its next owner as if it were new.
  readonly #onReadable = (): void => {
    for (let chunk: Buffer | null; this.#bytes.length <= MAX_HEAD_BYTES && (chunk = this.#socket.read() as Buffer | null) !== null; ) {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
    }
    this.#wake?.()
  }

  readonly #onClose = (): void => {
    this.#failure ??= new EngineError('proxy-refused', `the proxy ${this.#proxy.name} closed the connection. Ask whoever runs it`)
    this.#wake?.()
  }

  readonly #onAbort = (): void => {
    this.#failure ??= this.#signal.reason
    this.#wake?.()
  }
}
