/**
 * The barest client of a control server: the engine's own Noise, Node's HTTP/2, no state. For tests of SimControl.
 */
import http2 from 'node:http2'
import { Duplex } from 'node:stream'
import { concat, toBase64 } from '../../../main/engine/base/bytes.ts'
import { isDecodeError } from '../../../main/engine/base/errors.ts'
import { PrivateKey, ZERO_NODE_KEY, discoKey, keyBytes, nodeKey } from '../../../main/engine/base/keys.ts'
import type { MachinePublicKey } from '../../../main/engine/base/keys.ts'
import { Initiator } from '../../../main/engine/core/noise/initiator.ts'
import { TransportCodec } from '../../../main/engine/core/noise/transport.ts'
import type { MapRequest, MapResponse, RegisterRequest, RegisterResponse } from '../../../main/engine/core/tailcfg/types.ts'
import { systemRandom } from '../clock.ts'

const VERSION = 131
const EARLY_HEADER_BYTES = 9

/** What came after the upgrade request: a channel for HTTP/2, or why there is none. */
export type RawConnect = { readonly kind: 'open'; readonly client: RawClient } | { readonly kind: 'closed'; readonly text: string }

/** Shakes hands on a fresh stream to the server. */
export async function rawConnect(
  stream: Duplex,
  serverKey: MachinePublicKey,
  options: { machine?: PrivateKey; version?: number } = {},
): Promise<RawConnect> {
  const machine = options.machine ?? newKey()
  const initiator = new Initiator({
    version: options.version ?? VERSION,
    machineKey: machine.bytes(),
    serverKey: keyBytes(serverKey),
    random32: systemRandom.bytes(32),
  })
  const handshake = toBase64(initiator.initiation()!)
  stream.write(
    'POST /ts2021 HTTP/1.1\r\nHost: control.sim\r\nConnection: upgrade\r\nUpgrade: tailscale-control-protocol\r\n' +
      `X-Tailscale-Handshake: ${handshake}\r\nContent-Length: 0\r\n\r\n`,
  )
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let head = ''
  let rest: Uint8Array = new Uint8Array(0)
  for (let end = -1; end < 0; ) {
    const next = await chunks.next()
    if (next.done) return { kind: 'closed', text: head }
    const bytes = concat(rest, next.value)
    end = Buffer.from(bytes).indexOf('\r\n\r\n')
    head = Buffer.from(bytes).toString('latin1', 0, end < 0 ? undefined : end)
    rest = end < 0 ? bytes : bytes.subarray(end + 4)
  }
  if (!head.startsWith('HTTP/1.1 101 ')) return { kind: 'closed', text: head }
  for (let result = initiator.handleBytes(rest); ; ) {
    if (result.kind === 'done') {
      const codec = new TransportCodec(result.sendKey, result.receiveKey)
      return { kind: 'open', client: new RawClient(machine, new RecordStream(stream, chunks, codec, result.rest)) }
    }
    if (result.kind !== 'more') return { kind: 'closed', text: result.kind === 'refused' ? result.text : result.reason }
    const next = await chunks.next()
    if (next.done) return { kind: 'closed', text: 'eof' }
    result = initiator.handleBytes(next.value)
  }
}

function newKey(): PrivateKey {
  return PrivateKey.fromRandom(systemRandom.bytes(32))
}

/** One machine with one node key, asking by hand. */
export class RawClient {
  readonly machine: PrivateKey
  readonly node = newKey()
  readonly disco = newKey()
  readonly records: RecordStream
  /** As in the last registration. */
  hostname = 'raw'
  readonly #session: http2.ClientHttp2Session

  constructor(machine: PrivateKey, records: RecordStream) {
    this.machine = machine
    this.records = records
    this.#session = http2.connect('https://control.sim', { createConnection: () => records })
    this.#session.on('error', () => {})
  }

  get nodeKey(): string {
    return nodeKey(this.node.publicBytes())
  }

  async register(part: Partial<RegisterRequest> = {}): Promise<RegisterResponse> {
    this.hostname = part.Hostinfo?.Hostname ?? this.hostname
    const always = { Version: VERSION, NodeKey: this.nodeKey, OldNodeKey: ZERO_NODE_KEY, Hostinfo: { Hostname: this.hostname } }
    const request: RegisterRequest = { ...always, ...part }
    const reply = await this.post('/machine/register', request)
    return JSON.parse(reply.body.toString('utf8')) as RegisterResponse
  }

  mapRequest(part: Partial<MapRequest>): MapRequest {
    const DiscoKey = discoKey(this.disco.publicBytes())
    return { Version: VERSION, NodeKey: this.nodeKey, DiscoKey, Hostinfo: { Hostname: this.hostname }, ...part }
  }

  lite(part: Partial<MapRequest> = {}): Promise<{ status: number; body: Buffer }> {
    return this.post('/machine/map', this.mapRequest({ OmitPeers: true, Stream: false, ...part }))
  }

  /** Opens a map stream; each call of the returned function gives the next message. */
  async stream(part: Partial<MapRequest> = {}): Promise<{ status: number; next: () => Promise<MapResponse | undefined>; end: () => void }> {
    const stream = this.#session.request({ ':method': 'POST', ':path': '/machine/map' })
    stream.on('error', () => {})
    stream.end(JSON.stringify(this.mapRequest({ Stream: true, KeepAlive: true, Compress: '', ...part })))
    const status = await new Promise<number>((done) => stream.once('response', (headers) => done(Number(headers[':status']))))
    const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    let bytes: Buffer = Buffer.alloc(0)
    const next = async (): Promise<MapResponse | undefined> => {
      while (bytes.length < 4 || bytes.length < 4 + bytes.readUInt32LE(0)) {
        const chunk = await chunks.next()
        if (chunk.done) return undefined
        bytes = Buffer.concat([bytes, chunk.value])
      }
      const length = bytes.readUInt32LE(0)
      const message = JSON.parse(bytes.toString('utf8', 4, 4 + length)) as MapResponse
      bytes = bytes.subarray(4 + length)
      return message
    }
    return { status, next, end: () => stream.close() }
  }

  async post(path: string, body: unknown): Promise<{ status: number; body: Buffer }> {
    const stream = this.#session.request({ ':method': 'POST', ':path': path })
    stream.end(JSON.stringify(body))
    let status = 0
    stream.once('response', (headers) => (status = Number(headers[':status'])))
    const chunks: Buffer[] = []
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
    return { status, body: Buffer.concat(chunks) }
  }

  close(): void {
    this.#session.destroy()
    this.records.destroy()
  }
}

/** The client's plain stream over records; takes the early payload off its front. */
class RecordStream extends Duplex {
  /** The early payload's JSON text, once it has come. */
  early: string | undefined
  readonly #below: Duplex
  readonly #codec: TransportCodec
  #front: Uint8Array | undefined = new Uint8Array(0)

  constructor(below: Duplex, chunks: AsyncIterator<Buffer>, codec: TransportCodec, rest: Uint8Array) {
    super()
    this.#below = below
    this.#codec = codec
    below.on('error', () => this.destroy())
    this.#take(rest)
    void this.#pump(chunks)
  }

  async #pump(chunks: AsyncIterator<Buffer>): Promise<void> {
    try {
      for (let next = await chunks.next(); !next.done; next = await chunks.next()) this.#take(next.value)
    } catch {
      this.destroy()
    }
    this.push(null)
  }

  #take(chunk: Uint8Array): void {
    const plains = this.#codec.open(chunk)
    if (isDecodeError(plains)) return void this.destroy(new Error(plains.reason))
    for (const plain of plains) {
      if (!this.#front) this.push(plain)
      else this.#takeFront(plain)
    }
  }

  #takeFront(plain: Uint8Array): void {
    const front = Buffer.from(concat(this.#front!, plain))
    if (front.length < EARLY_HEADER_BYTES || front.length < EARLY_HEADER_BYTES + front.readUInt32BE(5)) {
      this.#front = front
      return
    }
    const end = EARLY_HEADER_BYTES + front.readUInt32BE(5)
    this.early = front.toString('utf8', EARLY_HEADER_BYTES, end)
    this.#front = undefined
    if (end < front.length) this.push(front.subarray(end))
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#below.write(this.#codec.seal(chunk), done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#below.destroy()
    done(error)
  }
}
