/**
 * A proxy for tests: HTTP CONNECT (plain or over TLS) and SOCKS5 on one port, with or without a user. It connects to
 * wherever `resolve` says, so that names that no DNS knows lead to loopback.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'

export interface ConnectProxyOptions {
  /** "user:password"; without it everybody may. */
  credentials?: string
  /** Where a host that is asked for really is; undefined = refused. */
  resolve?: (host: string) => string | undefined
  /** Answers every CONNECT with this status line in place of connecting. */
  refuse?: string
  tls?: { cert: string; key: string }
}

export class ConnectProxy {
  /** "host:port" of every connection that was asked for. */
  readonly asked: string[] = []
  port = 0
  readonly #options: ConnectProxyOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(options: ConnectProxyOptions = {}) {
    this.#options = options
    const serve = (socket: Socket): void => this.#serve(socket)
    this.#server = options.tls ? createTlsServer(options.tls, serve) : createServer(serve)
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    this.port = (this.#server.address() as AddressInfo).port
    return this
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #serve(socket: Socket): void {
    this.#keep(socket)
    let bytes = Buffer.alloc(0)
    let step: 'first' | 'auth' | 'request' = 'first'
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk])
      if (step === 'first' && bytes[0] === 5) {
        if (bytes.length < 2 || bytes.length < 2 + bytes[1]!) return
        const offered = bytes.subarray(2, 2 + bytes[1]!)
        bytes = bytes.subarray(2 + bytes[1]!)
        const method = this.#options.credentials === undefined ? 0 : 2
        step = method === 0 ? 'request' : 'auth'
        if (offered.includes(method)) socket.write(Buffer.of(5, method))
        else socket.end(Buffer.of(5, 255))
      } else if (step === 'auth') {
        const user = bytes.subarray(2, 2 + bytes[1]!).toString()
        const password = bytes.subarray(3 + bytes[1]!).toString()
        bytes = Buffer.alloc(0)
        step = 'request'
        const good = `${user}:${password}` === this.#options.credentials
        socket.write(Buffer.of(1, good ? 0 : 1))
        if (!good) socket.end()
      } else if (step === 'request') {
        socket.off('data', onData)
        const host = bytes[3] === 3 ? bytes.subarray(5, 5 + bytes[4]!).toString() : bytes.subarray(4, 8).join('.')
        this.#join(socket, host, bytes.readUInt16BE(bytes.length - 2), Buffer.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0), Buffer.of(5, 4, 0, 1, 0, 0, 0, 0, 0, 0))
      } else if (bytes.includes('\r\n\r\n')) {
        socket.off('data', onData)
        this.#connect(socket, bytes.toString('latin1'))
      }
    }
    socket.on('data', onData)
  }

  #connect(socket: Socket, head: string): void {
    const { credentials, refuse } = this.#options
    const target = /^CONNECT (\S+):(\d+) HTTP\/1\.1\r\n/.exec(head)
    const basic = /^proxy-authorization: basic (\S+)/im.exec(head)?.[1] ?? ''
    if (!target) return void socket.end('HTTP/1.1 405 Method Not Allowed\r\n\r\n')
    if (credentials !== undefined && Buffer.from(basic, 'base64').toString() !== credentials) {
      return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n')
    }
    if (refuse !== undefined) return void socket.end(`HTTP/1.1 ${refuse}\r\n\r\n`)
    this.#join(socket, target[1]!.replace(/^\[|\]$/g, ''), Number(target[2]), 'HTTP/1.1 200 Connection established\r\n\r\n', 'HTTP/1.1 502 Bad Gateway\r\n\r\n')
  }

  #join(socket: Socket, host: string, port: number, good: string | Buffer, bad: string | Buffer): void {
    this.asked.push(`${host}:${port}`)
    const at = this.#options.resolve ? this.#options.resolve(host) : host
    if (at === undefined) return void socket.end(bad)
    const far = connect({ host: at, port })
    this.#keep(far)
    far.on('error', () => socket.writable && far.connecting && socket.end(bad))
    far.once('connect', () => {
      socket.write(good)
      socket.pipe(far)
      far.pipe(socket)
    })
    far.on('close', () => socket.destroy())
    socket.on('close', () => far.destroy())
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#sockets.delete(socket))
  }
}
