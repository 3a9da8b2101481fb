/**
 * A loopback door to one device's web page: a TCP listener on 127.0.0.1 whose connections go through the engine's tunnel.
 *
 * The browser cannot reach a tailnet address without a TUN device; this makes a page usable without any set-up. Doors
 * are reused per device and port, and close after ten minutes without a connection.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { LocalApiClient } from '../client/local-api-client.ts'

const IDLE_MS = 10 * 60_000
const DOORS_LIMIT = 32

export class PeerDoors {
  readonly #client: LocalApiClient
  readonly #doors = new Map<string, { server: Server; sockets: Set<Socket>; timer: NodeJS.Timeout | undefined }>()

  constructor(client: LocalApiClient) {
    this.#client = client
  }

  /** The address to open in the browser. */
  async open(ip: string, port: number): Promise<{ url: string }> {
    const key = `${ip}|${port}`
    const known = this.#doors.get(key)
    if (known?.server.listening) return { url: urlOf(known.server) }
    if (this.#doors.size >= DOORS_LIMIT) throw Object.assign(new Error('Too many pages are open at once.'), { code: 'too-many' })
    const probe = await this.#client.dial(ip, port)
    probe.destroy()
    const door = { server: createServer(), sockets: new Set<Socket>(), timer: undefined as NodeJS.Timeout | undefined }
    door.server.on('connection', (socket) => {
      clearTimeout(door.timer)
      door.sockets.add(socket)
      socket.on('close', () => {
        door.sockets.delete(socket)
        if (door.sockets.size === 0) this.#rest(key, door)
      })
      this.#join(socket, ip, port)
    })
    await new Promise<void>((resolve, reject) => {
      door.server.once('error', reject)
      door.server.listen(0, '127.0.0.1', resolve)
    })
    this.#doors.set(key, door)
    this.#rest(key, door)
    return { url: urlOf(door.server) }
  }

  close(): void {
    for (const { server, sockets, timer } of this.#doors.values()) {
      clearTimeout(timer)
      server.close()
      for (const socket of sockets) socket.destroy()
    }
    this.#doors.clear()
  }

  #join(socket: Socket, ip: string, port: number): void {
    socket.on('error', () => socket.destroy())
    this.#client.dial(ip, port).then(
      (tunnel) => {
        tunnel.on('error', () => socket.destroy())
        tunnel.on('close', () => socket.destroy())
        socket.on('close', () => tunnel.destroy())
        socket.pipe(tunnel)
        tunnel.pipe(socket)
      },
      () => socket.destroy(),
    )
  }

  #rest(key: string, door: { server: Server; timer: NodeJS.Timeout | undefined }): void {
    clearTimeout(door.timer)
    door.timer = setTimeout(() => {
      door.server.close()
      this.#doors.delete(key)
    }, IDLE_MS)
    door.timer.unref()
  }
}

const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
