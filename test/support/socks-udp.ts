/**
 * Datagrams through a SOCKS5 proxy (RFC 1928, UDP ASSOCIATE): one association, closed with its control connection.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { socksAddress } from './proxy-client.ts'

export class SocksUdp {
  readonly #control: Socket
  readonly #socket: UdpSocket
  readonly #port: number
  readonly #waiting: ((payload: Uint8Array) => void)[] = []

  private constructor(control: Socket, socket: UdpSocket, port: number) {
    this.#control = control
    this.#socket = socket
    this.#port = port
    socket.on('message', (datagram) => this.#waiting.shift()?.(datagram.subarray(datagram[3] === 1 ? 10 : 22)))
  }

  /** An association of the proxy at 127.0.0.1. */
  static async open(proxyPort: number): Promise<SocksUdp> {
    const control = connect(proxyPort, '127.0.0.1')
    control.on('error', () => control.destroy())
    await once(control, 'connect')
    control.write(Uint8Array.of(5, 1, 0))
    await once(control, 'data')
    control.write(Uint8Array.of(5, 3, 0, 1, 0, 0, 0, 0, 0, 0))
    const [reply] = (await once(control, 'data')) as [Buffer]
    if (reply[1] !== 0) throw new Error(`the proxy refused datagrams: ${reply[1]}`)
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new SocksUdp(control, socket, reply.readUInt16BE(reply.length - 2))
  }

  /** The next answer to a datagram; undefined after `timeoutMs`. */
  async ask(host: string, port: number, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array | undefined> {
    const answer = new Promise<Uint8Array | undefined>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), timeoutMs)
      this.#waiting.push((bytes) => {
        clearTimeout(timer)
        resolve(bytes)
      })
    })
    this.#socket.send(Buffer.concat([Uint8Array.of(0, 0, 0), socksAddress(host), Uint8Array.of(port >> 8, port & 255), payload]), this.#port, '127.0.0.1')
    return await answer
  }

  close(): void {
    this.#control.destroy()
    this.#socket.close()
  }
}
