/**
 * Small services on this machine that are reached through the tunnels, and probes that reach them: an echo, a web page, a
 * stream of answers with times.
 */
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { dialVia, type Via } from '../../support/proxy-client.ts'
import { within } from '../../support/wait.ts'

export interface Service {
  port: number
  close(): Promise<void>
}

/** Listens on any port and tracks connections so that close() ends them too. */
async function listen(server: Server, host = '127.0.0.1'): Promise<Service> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, host, resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

/** Sends back what it gets; `host`: an address of this machine. */
export function echoService(host?: string): Promise<Service> {
  return listen(
    createServer((socket) => {
      socket.setNoDelay(true)
      socket.pipe(socket)
    }),
    host,
  )
}

/** Serves one text at every path. */
export function webService(text: string, host?: string): Promise<Service> {
  return listen(createHttpServer((_, response) => response.end(text)), host)
}

/** Connects through `via`, sends a word, and resolves when it has come back. Rejects at the timeout or a refusal. */
export async function echoOnce(via: Via, host: string, port: number, timeoutMs: number): Promise<void> {
  const socket = await dialVia(via, host, port, timeoutMs)
  try {
    await within(
      `an echo from ${host}:${port}`,
      timeoutMs,
      new Promise<void>((resolve, reject) => {
        socket.once('data', () => resolve())
        socket.once('error', reject)
        socket.once('close', () => reject(new Error('closed without an echo')))
        socket.resume()
        socket.write('x')
      }),
    )
  } finally {
    socket.destroy()
  }
}

/** Whether an echo comes back within the timeout. */
export async function reaches(via: Via, host: string, port: number, timeoutMs: number): Promise<boolean> {
  try {
    await echoOnce(via, host, port, timeoutMs)
    return true
  } catch {
    return false
  }
}

/** One connection that sends a byte every few ms and notes when the last answer came. */
export class Heartbeat {
  /** Wall clock ms of the newest answer. */
  lastAnswerMs = 0
  answers = 0
  closed = false
  readonly #socket: Socket
  readonly #timer: NodeJS.Timeout

  private constructor(socket: Socket, everyMs: number) {
    this.#socket = socket
    socket.on('data', () => {
      this.lastAnswerMs = Date.now()
      this.answers++
    })
    socket.on('error', () => undefined)
    socket.once('close', () => (this.closed = true))
    socket.resume()
    this.#timer = setInterval(() => {
      if (socket.writable) socket.write('.')
    }, everyMs)
  }

  static async open(via: Via, host: string, port: number, everyMs = 5): Promise<Heartbeat> {
    return new Heartbeat(await dialVia(via, host, port, 10_000), everyMs)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#socket.destroy()
  }
}
