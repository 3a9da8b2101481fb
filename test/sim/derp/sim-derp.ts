/**
 * A relay in one object: DERP over an HTTP upgrade, and STUN over UDP beside it. On loopback, or in memory by `connect()`.
 *
 *   GET /derp with Upgrade: DERP    → 101, Derp-Version, Derp-Public-Key, then frames
 *   GET /derp/probe, /derp/latency-check → 200      GET /generate_204 → 204
 *
 * Packets go from client to client by key; the newest connection of a key gets its packets. A disco packet to nobody is
 * answered with PeerGone "not here", sparingly; a client that goes is announced to those it had spoken to.
 */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { toHex, writeU32 } from '../../../main/engine/base/bytes.ts'
import type { Clock, Random } from '../../../main/engine/base/env.ts'
import { PrivateKey, keyBytes } from '../../../main/engine/base/keys.ts'
import type { NodePublicKey } from '../../../main/engine/base/keys.ts'
import type { DerpMap, DerpRegion } from '../../../main/engine/core/tailcfg/types.ts'
import { systemClock, systemRandom } from '../clock.ts'
import { memoryPair } from '../net/memory-pair.ts'
import { FRAME, derpFrame } from './derp-frames.ts'
import { DerpSession, isDisco } from './derp-session.ts'
import { StunServer } from './stun-server.ts'
import type { StunServerOptions } from './stun-server.ts'

export interface SimDerpOptions extends StunServerOptions {
  readonly clock?: Clock
  readonly random?: Random
  readonly region?: number
  readonly code?: string
  readonly name?: string
  /** Who may use the relay; everybody without it. */
  readonly verify?: (key: NodePublicKey) => boolean | Promise<boolean>
}

const HOST = '127.0.0.1'
const PEER_GONE_DISCONNECTED = 0
const PEER_GONE_NOT_HERE = 1
const NOT_HERE_EVERY_MS = 1000
const NOT_HERE_BURST = 3

export class SimDerp {
  readonly region: number
  readonly stun: StunServer
  /** Packets passed on, and packets for nobody. */
  readonly counts = { forwarded: 0, forwardedBytes: 0, nobody: 0, refused: 0 }
  /** Whether the relay passes packets on; off, it swallows them. */
  forwarding = true
  readonly #options: SimDerpOptions
  readonly #clock: Clock
  readonly #random: Random
  readonly #key: PrivateKey
  readonly #sessions = new Set<DerpSession>()
  readonly #byKey = new Map<NodePublicKey, DerpSession>()
  readonly #notHere = new WeakMap<DerpSession, { credit: number; atMs: number }>()
  readonly #streams = new Set<Duplex>()
  #server: http.Server
  #port = 0

  constructor(options: SimDerpOptions = {}) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? systemRandom
    this.region = options.region ?? 900
    this.#key = PrivateKey.fromRandom(this.#random.bytes(32))
    this.stun = new StunServer(options)
    this.#server = this.#makeServer()
  }

  /** Listens on 127.0.0.1, TCP and UDP; port 0 takes any. */
  async start(options: { port?: number; stunPort?: number } = {}): Promise<void> {
    await this.stun.start(options.stunPort ?? 0)
    await new Promise<void>((done, fail) => {
      this.#server.once('error', fail)
      this.#server.listen(options.port ?? 0, '127.0.0.1', () => done())
    })
    this.#port = (this.#server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    this.dropConnections()
    await this.stun.stop()
    await new Promise<void>((done) => this.#server.close(() => done()))
  }

  /** Goes away and comes back on the same ports with the same key. */
  async restart(options: { downMs?: number } = {}): Promise<void> {
    const stunPort = this.stun.port
    await this.stop()
    if (options.downMs) await new Promise((done) => setTimeout(done, options.downMs))
    this.#server = this.#makeServer()
    await this.start({ port: this.#port, stunPort })
  }

  /** TCP port. */
  get port(): number {
    return this.#port
  }

  /** The region as control tells it to clients. */
  derpRegion(): DerpRegion {
    const id = this.region
    return {
      RegionID: id,
      RegionCode: this.#options.code ?? 'sim',
      RegionName: this.#options.name ?? 'Simulated relay',
      Nodes: [{ Name: String(id), RegionID: id, HostName: HOST, IPv4: HOST, IPv6: 'none', DERPPort: this.#port, STUNPort: this.stun.port }],
    }
  }

  /** A map with this region alone. */
  derpMap(): DerpMap {
    return { Regions: { [this.region]: this.derpRegion() } }
  }

  /** A client's end of an in-memory connection to the HTTP server. */
  connect(): Duplex {
    const [client, server] = memoryPair()
    this.#server.emit('connection', server)
    return client
  }

  /** The clients that are logged in. */
  clients(): DerpSession[] {
    return [...this.#sessions].filter((session) => session.key !== undefined)
  }

  sessionOf(key: NodePublicKey): DerpSession | undefined {
    return this.#byKey.get(key)
  }

  /** Cuts every connection without a word. */
  dropConnections(): void {
    for (const stream of this.#streams) stream.destroy()
  }

  /** Announces a restart to everybody, as a relay does before it goes. */
  announceRestart(reconnectInMs: number, tryForMs: number): void {
    const body = new Uint8Array(8)
    writeU32(body, 0, reconnectInMs)
    writeU32(body, 4, tryForMs)
    for (const session of this.clients()) session.send(derpFrame(FRAME.restarting, body))
  }

  #makeServer(): http.Server {
    const server = http.createServer((request, response) => answer(request, response))
    server.on('connection', (stream: Duplex) => {
      this.#streams.add(stream)
      stream.on('close', () => this.#streams.delete(stream))
      stream.on('error', () => {})
    })
    server.on('upgrade', (request: http.IncomingMessage, stream: Duplex, head: Buffer) => this.#upgrade(request, stream, head))
    return server
  }

  #upgrade(request: http.IncomingMessage, stream: Duplex, head: Buffer): void {
    if (request.url?.split('?')[0] !== '/derp' || request.headers.upgrade?.toLowerCase() !== 'derp') {
      stream.end('HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
      return
    }
    stream.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n' +
        `Derp-Version: 2\r\nDerp-Public-Key: ${toHex(this.#key.publicBytes())}\r\n\r\n`,
    )
    const session = new DerpSession({ env: { clock: this.#clock, random: this.#random }, key: this.#key, stream, owner: this.#ownerFace })
    this.#sessions.add(session)
    if (head.length > 0) session.handleBytes(head)
  }

  readonly #ownerFace = {
    admit: async (key: NodePublicKey): Promise<boolean> => {
      const allowed = (await this.#options.verify?.(key)) ?? true
      if (!allowed) this.counts.refused += 1
      return allowed
    },
    joined: (session: DerpSession): void => {
      if (session.key) this.#byKey.set(session.key, session)
    },
    forward: (from: DerpSession, to: NodePublicKey, packet: Uint8Array): void => this.#forward(from, to, packet),
    left: (session: DerpSession): void => this.#left(session),
  }

  #forward(from: DerpSession, to: NodePublicKey, packet: Uint8Array): void {
    if (!from.key || !this.forwarding) return
    const target = this.#byKey.get(to)
    if (!target) {
      this.counts.nobody += 1
      if (isDisco(packet) && this.#mayTellNotHere(from)) from.send(peerGone(to, PEER_GONE_NOT_HERE))
      return
    }
    this.counts.forwarded += 1
    this.counts.forwardedBytes += packet.length
    target.deliver(from.key, keyBytes(from.key), packet)
  }

  #mayTellNotHere(session: DerpSession): boolean {
    const nowMs = this.#clock.nowMs()
    const was = this.#notHere.get(session) ?? { credit: NOT_HERE_BURST, atMs: nowMs }
    const credit = Math.min(NOT_HERE_BURST, was.credit + (nowMs - was.atMs) / NOT_HERE_EVERY_MS)
    this.#notHere.set(session, { credit: Math.max(0, credit - 1), atMs: nowMs })
    return credit >= 1
  }

  #left(session: DerpSession): void {
    this.#sessions.delete(session)
    const { key } = session
    if (!key || this.#byKey.get(key) !== session) return
    this.#byKey.delete(key)
    const gone = peerGone(key, PEER_GONE_DISCONNECTED)
    for (const other of this.clients()) if (other.heardBy.has(key)) other.send(gone)
    // An older connection of the same key takes over.
    const heir = this.clients().findLast((other) => other.key === key)
    if (heir) this.#byKey.set(key, heir)
  }
}

function peerGone(key: NodePublicKey, reason: number): Uint8Array {
  return derpFrame(FRAME.peerGone, keyBytes(key), new Uint8Array([reason]))
}

function answer(request: http.IncomingMessage, response: http.ServerResponse): void {
  const path = request.url?.split('?')[0]
  if (path === '/derp') return void response.writeHead(426).end('DERP requires an upgrade')
  if (path === '/derp/probe' || path === '/derp/latency-check') {
    return void response.writeHead(200, { 'access-control-allow-origin': '*' }).end()
  }
  if (path !== '/generate_204') return void response.writeHead(404).end()
  const challenge = request.headers['x-tailscale-challenge']
  const fits = typeof challenge === 'string' && /^[A-Za-z0-9.:_-]{1,64}$/.test(challenge)
  response.writeHead(204, fits ? { 'x-tailscale-response': `response ${challenge}` } : {}).end()
}
