/**
 * How the engine's own sockets to the outside are made: the only place that opens them, so that all can be kept out of the tunnel
 * while it has the whole computer.
 *
 *   plain  →  steered (a mark that routing rules go by, or an interface to leave by)  →  plain
 *
 * A switch holds for sockets that live as well: the next packet of each goes the new way, and nothing is cut. One that cannot be
 * steered is an error, never a plain one: that would go around in a circle.
 *
 * Node can say nothing of a socket before it connects, so the add-on makes it and Node takes the descriptor, not yet connected.
 */
import { closeSync } from 'node:fs'
import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { connect, isIP, Socket, type SocketConstructorOpts } from 'node:net'
import { EngineError } from '../base/errors.ts'

/** One of them: SO_MARK (Linux), or the number of an interface (macOS). */
export interface WireWay {
  readonly mark?: number
  readonly interface?: number
}

/** What the add-on makes; a descriptor is its taker's. All throw EngineError. */
export interface WireMaker {
  openStream(v6: boolean, way: WireWay): number
  openDatagram(ip: string, port: number, way: WireWay): number
  steer(fd: number, way: WireWay): void
}

/** Takes back what was set. */
const NO_WAY: Readonly<Record<'mark' | 'interface', WireWay>> = { mark: { mark: 0 }, interface: { interface: 0 } }

export class Wires {
  readonly #maker: WireMaker | undefined
  #way: WireWay | undefined
  readonly #streams = new Set<Socket>()
  readonly #datagrams = new Map<DatagramSocket, number>()

  /** Without a maker all sockets are plain. */
  constructor(maker?: WireMaker) {
    this.#maker = maker
  }

  /** undefined = plain. */
  get way(): WireWay | undefined {
    return this.#way
  }

  /**
   * From here on, sockets that live included. Throws EngineError('access-denied' | 'not-supported'), with all as it was, when this
   * process may not.
   */
  steer(way: WireWay | undefined): void {
    const before = this.#way
    if (way?.mark === before?.mark && way?.interface === before?.interface) return
    if (way !== undefined) this.#try(way)
    this.#way = way
    const isLate = this.#steerLiving(way ?? unsteered(before))
    if (isLate) setImmediate(() => this.#steerLiving(this.#way ?? unsteered(before)))
  }

  /** TCP to an address, connecting; the caller owns it. What goes wrong is told by its 'error'. */
  connect(ip: string, port: number): Socket {
    if (this.#way === undefined) return this.#watch(connect({ host: ip, port }))
    let fd: number | undefined
    try {
      fd = this.#maker!.openStream(isIP(ip) === 6, this.#way)
      // Read from the start, a socket that is not connected yet would be an error.
      const socket = new Socket({ fd, readable: true, writable: true, manualStart: true } as SocketConstructorOpts)
      fd = undefined
      return this.#watch(socket.connect({ host: ip, port }))
    } catch (error) {
      if (fd !== undefined) closeSync(fd)
      return new Socket().destroy(error as Error)
    }
  }

  /**
   * UDP, being bound, to `ip` or any address; the caller owns it, and uses it from `onBound` on: before, Node would bind another. What
   * goes wrong is told by its 'error', later than the return.
   */
  datagrams(family: 4 | 6, ip: string | undefined, onBound: (socket: DatagramSocket) => void): DatagramSocket {
    const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
    if (!this.#maker) return socket.bind({ port: 0, exclusive: true, ...(ip === undefined ? {} : { address: ip }) }, () => onBound(socket))
    let isOpen = true
    const close = socket.close.bind(socket)
    // Its descriptor is another's at once, while 'close' comes later.
    socket.close = (call) => {
      isOpen = false
      this.#datagrams.delete(socket)
      return close(call)
    }
    let fd: number | undefined
    try {
      fd = this.#maker.openDatagram(ip ?? (family === 4 ? '0.0.0.0' : '::'), 0, this.#way ?? {})
      socket.bind({ fd, exclusive: true })
      this.#datagrams.set(socket, fd)
      process.nextTick(() => isOpen && onBound(socket))
    } catch (error) {
      if (fd !== undefined) closeSync(fd)
      process.nextTick(() => isOpen && socket.emit('error', error as Error))
    }
    return socket
  }

  #watch(socket: Socket): Socket {
    this.#streams.add(socket)
    return socket.once('close', () => void this.#streams.delete(socket))
  }

  /** Throws when sockets cannot be steered that way. */
  #try(way: WireWay): void {
    if (!this.#maker) throw new EngineError('not-supported', 'sockets cannot be kept out of the tunnel on this system')
    closeSync(this.#maker.openStream(false, way))
  }

  /** Whether there is one without a descriptor yet. */
  #steerLiving(way: WireWay | undefined): boolean {
    if (way === undefined) return false
    let isLate = false
    for (const socket of this.#streams) {
      const fd = (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd
      if (fd !== undefined && fd >= 0) this.#steerOne(fd, way, (error) => socket.destroy(error))
      else isLate = true
    }
    for (const [socket, fd] of this.#datagrams) this.#steerOne(fd, way, (error) => socket.emit('error', error))
    return isLate
  }

  /** One that cannot be steered is ended: whoever has it opens another. */
  #steerOne(fd: number, way: WireWay, end: (error: Error) => void): void {
    try {
      this.#maker?.steer(fd, way)
    } catch (error) {
      if (this.#way !== undefined) end(error as Error)
    }
  }
}

function unsteered(before: WireWay | undefined): WireWay | undefined {
  if (before === undefined) return undefined
  return before.mark === undefined ? NO_WAY.interface : NO_WAY.mark
}
