/**
 * A relay in memory for client tests: takes streams from a dialler, does the upgrade and the login by the book, and lets
 * the test see every frame and send any bytes.
 */
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { concat } from '../../../main/engine/base/bytes.ts'
import { isDecodeError } from '../../../main/engine/base/errors.ts'
import type { NodePublicKey } from '../../../main/engine/base/keys.ts'
import { nodeKey, PrivateKey } from '../../../main/engine/base/keys.ts'
import { encodeFrame, FRAME } from '../../../main/engine/core/derp/frame.ts'
import { decodeClientInfo, encodeServerInfo, encodeServerKey } from '../../../main/engine/core/derp/login.ts'
import { DerpStream } from '../../../main/engine/core/derp/stream.ts'
import type { Dial, DialOptions } from '../../../main/engine/derp/ports.ts'

export interface RelayScript {
  /** Reply to the upgrade; the default is 101. */
  head?: string
  /** Info for the client; the default has only the version. */
  info?: string
  /** Bytes in place of the ServerKey frame. */
  greeting?: Uint8Array
  /** Never reads: the client's writes pile up. */
  stuck?: boolean
}

export class RelayConnection {
  readonly host: string
  readonly port: number
  readonly options: DialOptions
  readonly frames: { type: number; body: Uint8Array }[] = []
  request = ''
  client: NodePublicKey | undefined
  closed = false
  readonly #stream: Duplex
  readonly #relayKey = PrivateKey.fromRandom(new Uint8Array(32).fill(77))
  readonly #script: RelayScript
  #loggedIn = false

  constructor(host: string, port: number, options: DialOptions, stream: Duplex, script: RelayScript) {
    this.host = host
    this.port = port
    this.options = options
    this.#stream = stream
    this.#script = script
    const cut = new DerpStream({
      onPackets: () => {},
      onDisco: () => {},
      onSource: () => {},
      onFrame: (type, body) => this.#take(type, body.slice()),
    })
    stream.on('close', () => (this.closed = true))
    stream.on('end', () => (this.closed = true))
    stream.on('error', () => {})
    if (script.stuck === true) return
    stream.on('data', (chunk: Uint8Array) => {
      if (this.#loggedIn) cut.push(new Uint8Array(chunk))
      else this.#upgrade(chunk)
    })
  }

  of(type: number): Uint8Array[] {
    return this.frames.filter((frame) => frame.type === type).map((frame) => frame.body)
  }

  send(type: number, body: Uint8Array): void {
    this.#stream.write(encodeFrame(type, body))
  }

  raw(bytes: Uint8Array): void {
    this.#stream.write(bytes)
  }

  close(): void {
    this.#stream.destroy()
  }

  #upgrade(chunk: Uint8Array): void {
    this.request += Buffer.from(chunk).toString('latin1')
    if (!this.request.includes('\r\n\r\n')) return
    this.#loggedIn = true
    const head = Buffer.from(this.#script.head ?? 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n', 'latin1')
    this.raw(concat(head, this.#script.greeting ?? encodeFrame(FRAME.serverKey, encodeServerKey(this.#relayKey.publicBytes()))))
  }

  #take(type: number, body: Uint8Array): void {
    this.frames.push({ type, body })
    if (type !== FRAME.clientInfo) return
    const info = decodeClientInfo(this.#relayKey, body)
    if (isDecodeError(info)) throw new Error(`client info: ${info.reason}`)
    this.client = nodeKey(info.nodeKey)
    const answer = encodeServerInfo(this.#relayKey, info.nodeKey, new Uint8Array(24).fill(5), this.#script.info ?? '{"version":2}')
    if (!isDecodeError(answer)) this.send(FRAME.serverInfo, answer)
  }
}

/** A dialler that ends at relays in memory; `plan` says what happens at each dial. */
export class MemoryRelays {
  readonly connections: RelayConnection[] = []
  plan: (host: string, port: number, count: number) => RelayScript | 'refuse' | 'hang' = () => ({})
  /** Our end's address of streams that are dialled from here on. */
  localIp: string | undefined
  #dials = 0

  get dials(): number {
    return this.#dials
  }

  readonly dial: Dial = async (host, port, options) => {
    const script = this.plan(host, port, this.#dials++)
    if (script === 'hang') return new Promise<Duplex>(() => {})
    if (script === 'refuse') throw new Error('connection refused')
    const [ours, theirs] = duplexPair()
    Object.assign(ours, { localAddress: this.localIp })
    this.connections.push(new RelayConnection(host, port, options, theirs, script))
    return ours
  }

  get last(): RelayConnection {
    return this.connections.at(-1)!
  }
}
