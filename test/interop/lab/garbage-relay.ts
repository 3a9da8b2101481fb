/**
 * A relay gone bad: takes the place of a derper's TCP port, does as a relay does up to a point, and then sends rubbish.
 * Each new connection gets the next kind of rubbish.
 *
 *   DERP frame: type 1 B | length u32 BE | body. Server's first frame: type 1, magic "DERP🔑" and a key.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'

const UPGRADED = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n'
const MAGIC = Buffer.from('DERP🔑')

/** How much is sent on one connection by the kinds that go on, in bytes. */
const FLOOD_BYTES = 64 * 1024 * 1024

function frame(type: number, length: number, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt8(type, 0)
  head.writeUInt32BE(length >>> 0, 1)
  return Buffer.concat([head, body])
}

const serverKey = (): Buffer => frame(1, MAGIC.length + 32, Buffer.concat([MAGIC, randomBytes(32)]))

/** Writes rubbish until the limit or the other end has had enough. */
function flood(socket: Socket, make: () => Buffer): void {
  let sent = 0
  const more = (): void => {
    while (sent < FLOOD_BYTES && socket.writable) {
      const chunk = make()
      sent += chunk.length
      if (!socket.write(chunk)) {
        socket.once('drain', more)
        return
      }
    }
    socket.end()
  }
  more()
}

/** What is done after the request head has come, by name. */
const KINDS: readonly [string, (socket: Socket) => void][] = [
  ['bytes instead of HTTP', (socket) => void socket.end(randomBytes(4096))],
  ['a page instead of an upgrade', (socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello')],
  ['an endless header', (socket) => flood(socket, () => Buffer.from(`HTTP/1.1 101 Switching Protocols\r\nX: ${'a'.repeat(65536)}`))],
  ['garbage after the upgrade', (socket) => void socket.end(Buffer.concat([Buffer.from(UPGRADED), randomBytes(65536)]))],
  ['a first frame of 4 GiB', (socket) => flood(socket, once(Buffer.concat([Buffer.from(UPGRADED), frame(1, 0xffffffff, Buffer.alloc(0))]), () => randomBytes(65536)))],
  ['a wrong magic', (socket) => void socket.write(Buffer.concat([Buffer.from(UPGRADED), frame(1, 40, randomBytes(40))]))],
  ['garbage after the key', (socket) => flood(socket, once(Buffer.concat([Buffer.from(UPGRADED), serverKey()]), () => randomBytes(65536)))],
  ['an oversized packet', (socket) => flood(socket, once(Buffer.concat([Buffer.from(UPGRADED), serverKey(), frame(5, 0x7fffffff, Buffer.alloc(0))]), () => randomBytes(65536)))],
  ['packets of every small size from strangers', (socket) => flood(socket, once(Buffer.concat([Buffer.from(UPGRADED), serverKey()]), smallFrames()))],
  ['nothing at all', () => undefined],
]

/** The given bytes first, and then what `rest` makes. */
function once(first: Buffer, rest: () => Buffer): () => Buffer {
  let next: Buffer | undefined = first
  return () => {
    const chunk = next ?? rest()
    next = undefined
    return chunk
  }
}

function smallFrames(): () => Buffer {
  let size = 0
  return () => {
    const frames: Buffer[] = []
    for (let i = 0; i < 256; i++) {
      size = (size + 1) % 2048
      frames.push(frame([2, 5, 6, 8, 9, 0x0e, 0x0f, 0x10, 0x12, 0x13, 0x14, 0x15, 0xff][size % 13] ?? 5, size, randomBytes(size)))
    }
    return Buffer.concat(frames)
  }
}

export class GarbageRelay {
  readonly kinds: readonly string[] = KINDS.map(([name]) => name)
  /** How many connections got their rubbish so far. Others are closed at once. */
  served = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  /** `isMeant` says by the request's head whether a connection gets rubbish. */
  constructor(isMeant: (head: string) => boolean) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.once('close', () => this.#sockets.delete(socket))
      socket.once('data', (head: Buffer) => {
        if (!isMeant(head.toString('latin1'))) return socket.destroy()
        const [, act] = KINDS[this.served % KINDS.length] ?? []
        this.served++
        return act?.(socket)
      })
    })
  }

  /** Listens there; the port must be free. */
  start(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, resolve)
    })
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      for (const socket of this.#sockets) socket.destroy()
    })
  }
}
