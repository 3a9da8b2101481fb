/**
 * A control server in one object: what a client of the Tailscale protocol needs to join, and what a test needs to make
 * its life hard. HTTP/1.1 outside (`/key`, `/ts2021`, `/register/…`, `/health`, `/verify`), HTTP/2 over Noise inside
 * (`/machine/register`, `/machine/map`).
 *
 * It listens on loopback, or takes streams in memory through `connect()`; both run the same code. Its state outlives
 * `restart()`. Time and chance are given, so that keepalives and expiry follow a hand clock.
 */
import http from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { concat, toHex } from '../../../main/engine/base/bytes.ts'
import type { Clock, Random } from '../../../main/engine/base/env.ts'
import { isDecodeError } from '../../../main/engine/base/errors.ts'
import { PrivateKey, machineKey } from '../../../main/engine/base/keys.ts'
import type { MachinePublicKey } from '../../../main/engine/base/keys.ts'
import type { MapResponse, PingRequest } from '../../../main/engine/core/tailcfg/types.ts'
import { errorFrame, initiationVersion, respond } from '../noise-responder.ts'
import { systemClock, systemRandom } from '../clock.ts'
import { memoryPair } from '../net/memory-pair.ts'
import { Faults } from './faults.ts'
import { MachineApi, PING_ANSWER_PATH } from './machine-api.ts'
import type { MachineApiOptions } from './machine-api.ts'
import { NoiseChannel, earlyPayload, initiationOf } from './noise-channel.ts'
import { OuterPages } from './outer-pages.ts'
import { Registration } from './registration.ts'
import type { PendingSignIn } from './registration.ts'
import { Tailnet } from './tailnet.ts'
import type { SimNode, TailnetOptions } from './tailnet.ts'

export interface SimControlOptions extends TailnetOptions, Partial<MachineApiOptions> {
  readonly clock?: Clock
  readonly random?: Random
  /** Shown on the sign-in page. */
  readonly networkName?: string
  /** Least capability version let in; Headscale 0.29's by default. */
  readonly minVersion?: number
}

/** What came back for a ping. */
export interface PingAnswer {
  readonly method: string
  readonly overNoise: boolean
  readonly body: string
}

export class SimControl {
  readonly tailnet: Tailnet
  readonly registration: Registration
  readonly faults = new Faults()
  /** How often each path was asked for, by path; the map as "/machine/map stream" and "/machine/map lite". */
  readonly counts = new Map<string, number>()
  /** What becomes of a handshake: answered, cut off after the 101, or refused with an error frame. */
  handshake: 'answer' | 'cut' | 'refuse' = 'answer'
  /** Changes the HTTP/2 bytes for the client, inside Noise; for servers that speak it wrongly. */
  mangle: (plain: Uint8Array) => Uint8Array = (plain) => plain
  readonly #machine: MachineApi
  readonly #pages: OuterPages
  readonly #random: Random
  readonly #minVersion: number
  #key: PrivateKey
  #server: http.Server
  #url = 'http://control.sim'
  #port = 0
  readonly #inner = http2.createServer()
  readonly #streams = new Set<Duplex>()
  readonly #machineOf = new WeakMap<object, MachinePublicKey>()
  #watchers = new Set<() => void>()
  readonly #answers = new Map<string, PingAnswer>()
  #lastPing = 0

  constructor(options: SimControlOptions = {}) {
    const clock = options.clock ?? systemClock
    this.#random = options.random ?? systemRandom
    this.#minVersion = options.minVersion ?? 113
    this.#key = PrivateKey.fromRandom(this.#random.bytes(32))
    this.tailnet = new Tailnet({ clock, random: this.#random }, options)
    this.registration = new Registration(this.tailnet, clock, () => this.#url)
    const count = (what: string): void => {
      this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
      this.#tell()
    }
    const api = { deltaStyle: 'patch', batchMs: 20, keepAliveMs: 50_000, offlineAfterMs: 500, echoLiteUpdates: false, ...options } as const
    this.#machine = new MachineApi({ clock, tailnet: this.tailnet, registration: this.registration, faults: this.faults, count, onAnswer: (url, answer) => this.takeAnswer(url, answer) }, api)
    this.#pages = new OuterPages(this, options.networkName ?? this.tailnet.domain, count)
    this.tailnet.onChange = () => {
      this.#machine.changed()
      this.#tell()
    }
    this.#server = this.#makeServer()
    this.#inner.on('request', (request, response) => {
      const machine = request.stream.session && this.#machineOf.get(request.stream.session)
      if (machine) void this.#machine.handle(machine, request, response)
    })
    this.#inner.on('sessionError', () => {})
  }

  /** Base URL, without a slash at its end. */
  get url(): string {
    return this.#url
  }

  get publicKey(): MachinePublicKey {
    return machineKey(this.#key.publicBytes())
  }

  /** Listens on 127.0.0.1 and returns the base URL; port 0 takes any. */
  async start(port = 0): Promise<string> {
    await new Promise<void>((done, fail) => {
      this.#server.once('error', fail)
      this.#server.listen(port, '127.0.0.1', () => done())
    })
    this.#port = (this.#server.address() as AddressInfo).port
    this.#url = `http://127.0.0.1:${this.#port}`
    return this.#url
  }

  /** Ends every connection and listener at once. */
  async stop(): Promise<void> {
    this.dropConnections()
    this.#machine.stop()
    this.faults.clear()
    await new Promise<void>((done) => this.#server.close(() => done()))
  }

  /** Goes away and comes back on the same port with the same state; `newKey` = as if installed anew. */
  async restart(options: { downMs?: number; newKey?: boolean } = {}): Promise<void> {
    await this.stop()
    if (options.newKey) this.#key = PrivateKey.fromRandom(this.#random.bytes(32))
    if (options.downMs) await new Promise((done) => setTimeout(done, options.downMs))
    this.#server = this.#makeServer()
    await this.start(this.#port)
  }

  /** A client's end of an in-memory connection. */
  connect(): Duplex {
    const [client, server] = memoryPair()
    this.#server.emit('connection', server)
    return client
  }

  /** Cuts every connection without a word. */
  dropConnections(): void {
    for (const stream of this.#streams) stream.destroy()
  }

  /** Sends a message of the test's making to every stream of a node. */
  sendTo(node: SimNode, message: MapResponse): void {
    for (const session of this.#machine.sessionsOf(node)) session.send(message)
  }

  /** Puts raw bytes on every stream of a node. */
  sendBytesTo(node: SimNode, bytes: Uint8Array): void {
    for (const session of this.#machine.sessionsOf(node)) session.sendBytes(bytes)
  }

  /** Asks a node through its stream, at a URL of its own; resolves with what comes back. */
  async ask(node: SimNode, ping: Partial<PingRequest>, timeoutMs?: number): Promise<PingAnswer> {
    const id = String(++this.#lastPing)
    this.sendTo(node, { PingRequest: { URL: `${this.#url}${PING_ANSWER_PATH}?id=${id}`, ...ping } })
    return await this.until(() => this.#answers.get(id), `the answer to a ping (${ping.Types ?? 'alive'})`, timeoutMs)
  }

  /** A raw HTTP request inside a ping, and its raw answer. */
  async askNode(node: SimNode, request: string): Promise<string> {
    const answer = await this.ask(node, { Types: 'c2n', URLIsNoise: true, Payload: Buffer.from(request).toString('base64') })
    return answer.body
  }

  /** Takes a node's answer, however it came. */
  takeAnswer(url: string, answer: PingAnswer): void {
    this.#answers.set(new URL(url, 'http://sim').searchParams.get('id') ?? '', answer)
    this.#tell()
  }

  createAuthKey(options: Parameters<Tailnet['createAuthKey']>[0]): string {
    return this.tailnet.createAuthKey(options)
  }

  pendingSignIns(): PendingSignIn[] {
    return this.registration.pending()
  }

  /** Resolves with the first value of `look` that is not undefined, asked again at every change and request. */
  until<T>(look: () => T | undefined, what: string, timeoutMs = 10_000): Promise<T> {
    return new Promise((done, fail) => {
      const late = (): void => fail(new Error(`the control server waited ${timeoutMs} ms in vain for: ${what}`))
      const timer = setTimeout(() => finish(late), timeoutMs)
      const finish = (end: () => void): void => {
        clearTimeout(timer)
        this.#watchers.delete(check)
        end()
      }
      const check = (): void => {
        const value = look()
        if (value !== undefined) finish(() => done(value))
      }
      this.#watchers.add(check)
      check()
    })
  }

  #tell(): void {
    for (const check of this.#watchers) check()
  }

  #makeServer(): http.Server {
    const server = http.createServer((request, response) => void this.#pages.handle(request, response))
    server.on('connection', (stream: Duplex) => {
      this.#streams.add(stream)
      stream.on('close', () => this.#streams.delete(stream))
      stream.on('error', () => {})
    })
    server.on('upgrade', (request: http.IncomingMessage, stream: Duplex, head: Buffer) => this.#upgrade(request, stream, head))
    return server
  }

  #upgrade(request: http.IncomingMessage, stream: Duplex, head: Buffer): void {
    this.counts.set('/ts2021', (this.counts.get('/ts2021') ?? 0) + 1)
    const fault = this.faults.take('/ts2021')
    if (fault?.kind === 'status') return void stream.end(`HTTP/1.1 ${fault.status} Fault\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`)
    if (fault?.kind === 'drop') return void stream.destroy()
    const initiation = initiationOf(request.headers['x-tailscale-handshake'])
    if (request.url?.split('?')[0] !== '/ts2021' || request.headers.upgrade !== 'tailscale-control-protocol' || !initiation) {
      return void stream.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
    }
    stream.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: tailscale-control-protocol\r\nConnection: upgrade\r\n\r\n')
    if (fault?.kind === 'garbage') return void stream.end(fault.bytes)
    if (this.handshake === 'refuse') return void stream.end(errorFrame('this server does not want you'))
    const noise = respond(this.#key, initiation, PrivateKey.fromRandom(this.#random.bytes(32)).bytes())
    // A version that is too old looks like Headscale's: silence after the 101.
    if (this.handshake === 'cut' || isDecodeError(noise) || initiationVersion(initiation) < this.#minVersion) return void stream.end()
    stream.write(concat(noise.response, noise.seal.seal(earlyPayload(toHex(this.#random.bytes(32))))))
    const channel = new NoiseChannel(stream, noise, (plain) => this.mangle(plain))
    channel.on('error', () => {})
    this.#inner.once('session', (session) => {
      this.#machineOf.set(session, noise.machineKey)
      session.on('error', () => {})
    })
    this.#inner.emit('connection', channel)
    channel.unshiftBytes(head)
  }
}
