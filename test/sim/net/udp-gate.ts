/**
 * A NAT and a firewall for engines that share one loopback: every engine gets a public port of its own, and direct
 * traffic between engines passes only while the gate is open.
 *
 *   engine A 127.0.0.1:a ──▶ gate socket B* ┐               ┌ gate socket A* ──▶ engine B 127.0.0.1:b
 *                                            └ looks up a → A*, sends from A* to b
 *
 * The engine's own packets leave its kernel socket straight for 127.0.0.1, so nothing stands in their way on the way
 * out. The NAT is where they go: the STUN server tells engine A that the world sees it as A* (`publicOf`), so A publishes
 * A* and nothing else, and its peers send to A*. What arrives at A* from b is passed to a, sent from B*, the sender's own
 * public port. So a reply goes to B*, disco sees the source that it pinged, and the mapping is endpoint independent (full
 * cone). No engine ever learns another's real port. The mapping is made at the first STUN request or the first packet.
 *
 * Closed, the gate drops and counts; STUN does not pass through it, so addresses are learned all the while.
 */
import dgram from 'node:dgram'
import type { AddrPort } from '../../../main/engine/base/ip.ts'

interface Mapping {
  /** The engine's real port. */
  readonly inside: number
  readonly socket: dgram.Socket
  readonly outside: number
}

const LOOPBACK = '127.0.0.1'
const MAX_MAPPINGS = 64

export class UdpGate {
  /** Datagrams passed on and thrown away. */
  readonly counts = { passed: 0, dropped: 0 }
  #open = false
  #stopped = false
  readonly #mappings = new Map<number, Promise<Mapping>>()
  readonly #sockets = new Set<dgram.Socket>()

  get isOpen(): boolean {
    return this.#open
  }

  open(): void {
    this.#open = true
  }

  close(): void {
    this.#open = false
  }

  /** How the world sees an engine's socket; undefined for a stranger or when the table is full. */
  async publicOf(inside: AddrPort): Promise<AddrPort | undefined> {
    if (inside.ip !== LOOPBACK || this.#stopped) return undefined
    if (!this.#mappings.has(inside.port) && this.#mappings.size >= MAX_MAPPINGS) return undefined
    try {
      return { ip: LOOPBACK, port: (await this.#mappingOf(inside.port)).outside }
    } catch {
      return undefined
    }
  }

  #mappingOf(inside: number): Promise<Mapping> {
    let mapping = this.#mappings.get(inside)
    if (!mapping) {
      mapping = this.#makeMapping(inside)
      this.#mappings.set(inside, mapping)
    }
    return mapping
  }

  async #makeMapping(inside: number): Promise<Mapping> {
    const socket = dgram.createSocket('udp4')
    this.#sockets.add(socket)
    await new Promise<void>((done, fail) => {
      socket.once('error', fail)
      socket.bind(0, LOOPBACK, () => done())
    })
    socket.on('error', () => {})
    socket.on('message', (bytes, from) => void this.#pass(bytes, from.port, inside))
    return { inside, socket, outside: socket.address().port }
  }

  /** Sends on what came from a real port to a public one, with the sender's own public port as its source. */
  async #pass(bytes: Uint8Array, fromInside: number, toInside: number): Promise<void> {
    if (!this.#open || this.#stopped || (!this.#mappings.has(fromInside) && this.#mappings.size >= MAX_MAPPINGS)) {
      this.counts.dropped += 1
      return
    }
    const sender = await this.#mappingOf(fromInside)
    if (this.#stopped) return
    this.counts.passed += 1
    sender.socket.send(bytes, toInside, LOOPBACK)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.allSettled(this.#mappings.values())
    await Promise.all([...this.#sockets].map((socket) => new Promise<void>((done) => socket.close(() => done()))))
    this.#sockets.clear()
  }
}
