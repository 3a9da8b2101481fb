/**
 * A relay in memory for client tests: takes streams from a dialler, does the upgrade and the login by the book, and lets
 * the test see every frame and send any bytes.
 */
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { concat, toHex } from '../../../main/engine/base/bytes.ts'
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
  /** Speaks TLS 1.3 and shows its key in a certificate; another key than its own with `wrong`; of this serial number. */
  meta?: { readonly wrong?: boolean; readonly serial?: string; readonly protocol?: string }
}

/** The relay's key in all tests. */
const RELAY_KEY = PrivateKey.fromRandom(new Uint8Array(32).fill(77))

export class RelayConnection {
  readonly host: string
  readonly port: number
  readonly options: DialOptions
  readonly frames: { type: number; body: Uint8Array }[] = []
  request = ''
  client: NodePublicKey | undefined
  closed = false
  readonly #stream: Duplex
  readonly #relayKey = RELAY_KEY
  readonly #script: RelayScript
  #loggedIn = false
  readonly #cut: DerpStream

  constructor(host: string, port: number, options: DialOptions, stream: Duplex, script: RelayScript) {
    this.host = host
    this.port = port
    this.options = options
    this.#stream = stream
    this.#script = script
    this.#cut = new DerpStream({
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
      if (this.#loggedIn) this.#cut.push(new Uint8Array(chunk))
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

  /** What the client writes stays with it. */
  stopReading(): void {
    this.#stream.pause()
  }

  #upgrade(chunk: Uint8Array): void {
    this.request += Buffer.from(chunk).toString('latin1')
    if (!this.request.includes('\r\n\r\n')) return
    this.#loggedIn = true
    const [top, ...rest] = this.request.split('\r\n\r\n')
    if (top!.includes('Derp-Fast-Start: 1')) {
      this.request = `${top!}\r\n\r\n`
      this.raw(this.#script.greeting ?? encodeFrame(FRAME.serverKey, encodeServerKey(this.#relayKey.publicBytes())))
      this.#cut.push(new Uint8Array(Buffer.from(rest.join('\r\n\r\n'), 'latin1')))
      return
    }
    const head = Buffer.from(this.#script.head ?? 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n', 'latin1')
    this.raw(concat(head, this.#script.greeting ?? encodeFrame(FRAME.serverKey, encodeServerKey(this.#relayKey.publicBytes()))))
  }

  #take(type: number, body: Uint8Array): void {
    this.frames.push({ type, body })
    if (type !== FRAME.clientInfo) return
    const info = decodeClientInfo(this.#relayKey, body)
    // Sealed for another key: a real relay hangs up.
    if (isDecodeError(info)) return void this.#stream.destroy()
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
  readonly #ours: Duplex[] = []

  get dials(): number {
    return this.#dials
  }

  readonly dial: Dial = async (host, port, options) => {
    const script = this.plan(host, port, this.#dials++)
    if (script === 'hang') return new Promise<Duplex>(() => {})
    if (script === 'refuse') throw new Error('connection refused')
    const [ours, theirs] = duplexPair()
    this.#ours.push(ours)
    Object.assign(ours, { localAddress: this.localIp })
    this.connections.push(new RelayConnection(host, port, options, theirs, script))
    return script.meta ? Object.assign(ours, tlsFace(script.meta)) : ours
  }

  /** Bytes that the clients have written and no relay has read. */
  unreadBytes(): number {
    return this.#ours.reduce((sum, stream) => sum + stream.writableLength, 0)
  }

  get last(): RelayConnection {
    return this.connections.at(-1)!
  }
}

function tlsFace({ wrong = false, serial = '02', protocol = 'TLSv1.3' }: NonNullable<RelayScript['meta']>): object {
  const key = wrong ? new Uint8Array(32).fill(9) : RELAY_KEY.publicBytes()
  const meta = { subject: `CN=derpkey${toHex(key)}`, serialNumber: serial, issuerCertificate: undefined }
  return { getProtocol: () => protocol, getPeerX509Certificate: () => ({ subject: 'CN=relay', serialNumber: 'A1B2C3', issuerCertificate: meta }) }
}
