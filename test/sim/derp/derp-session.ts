/**
 * One client of a simulated relay, from its first frame to its last. Server side.
 *
 *   greeting  → ServerKey;  ← ClientInfo (box to our key);  admission;  → ServerInfo
 *   open      packets, Ping and Pong, NotePreferred; a KeepAlive every 60 s
 *
 * What goes out waits in two queues, disco and the rest, 32 packets each; a full queue loses its oldest, counted.
 * Source: tailscale derp/derpserver/derpserver.go.
 */
import type { Duplex } from 'node:stream'
import { concat } from '../../../main/engine/base/bytes.ts'
import { boxKey, boxOpen, boxSeal } from '../../../main/engine/base/crypto.ts'
import type { Env } from '../../../main/engine/base/env.ts'
import { isDecodeError } from '../../../main/engine/base/errors.ts'
import { nodeKey } from '../../../main/engine/base/keys.ts'
import type { NodePublicKey, PrivateKey } from '../../../main/engine/base/keys.ts'
import { DERP_MAGIC, DerpFrameReader, FRAME, KEY_BYTES, MAX_PACKET_BYTES, derpFrame } from './derp-frames.ts'
import type { DerpFrame } from './derp-frames.ts'

export interface ClientInfo {
  readonly version?: number
  readonly CanAckPings?: boolean
  readonly IsProber?: boolean
  readonly AppName?: string
}

/** The relay that a session belongs to. */
export interface SessionOwner {
  admit(key: NodePublicKey): Promise<boolean>
  joined(session: DerpSession): void
  forward(from: DerpSession, to: NodePublicKey, packet: Uint8Array): void
  left(session: DerpSession): void
}

const KEEP_ALIVE_MS = 60_000
const HANDSHAKE_MS = 10_000
const QUEUE_PACKETS = 32
const MAX_EARLY_FRAMES = 64
const SOCKET_FULL_BYTES = 256 * 1024
const DISCO_MAGIC = new Uint8Array([0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac])

export class DerpSession {
  /** Known once the client has logged in. */
  key: NodePublicKey | undefined
  info: ClientInfo | undefined
  /** Whether the client calls this region its home. */
  preferred = false
  /** Packets thrown away because the client reads too slowly. */
  dropped = 0
  /** Keys that this client has heard from: those who hear it when it goes. */
  readonly heardBy = new Set<NodePublicKey>()
  readonly #env: Pick<Env, 'clock' | 'random'>
  readonly #serverKey: PrivateKey
  readonly #stream: Duplex
  readonly #owner: SessionOwner
  readonly #reader = new DerpFrameReader()
  readonly #disco: Uint8Array[] = []
  readonly #other: Uint8Array[] = []
  #opening = false
  /** What came while the login was being judged. */
  #early: DerpFrame[] = []
  #closed = false
  #cancelKeepAlive: () => void = () => {}
  #cancelHandshake: () => void

  constructor(deps: { env: Pick<Env, 'clock' | 'random'>; key: PrivateKey; stream: Duplex; owner: SessionOwner }) {
    this.#env = deps.env
    this.#serverKey = deps.key
    this.#stream = deps.stream
    this.#owner = deps.owner
    this.#stream.on('data', (chunk: Buffer) => this.handleBytes(chunk))
    this.#stream.on('drain', () => this.#flush())
    this.#stream.on('close', () => this.close())
    this.#stream.on('error', () => this.close())
    this.#cancelHandshake = this.#env.clock.after(HANDSHAKE_MS, () => this.close())
    this.send(derpFrame(FRAME.serverKey, DERP_MAGIC, this.#serverKey.publicBytes()))
  }

  handleBytes(chunk: Uint8Array): void {
    const frames = this.#reader.take(chunk)
    if (isDecodeError(frames)) return this.close()
    for (const frame of frames) this.#handleFrame(frame)
  }

  #handleFrame(frame: DerpFrame): void {
    if (this.#closed) return
    if (!this.key) return this.#handleBeforeLogin(frame)
    switch (frame.type) {
      case FRAME.sendPacket: {
        const size = frame.body.length - KEY_BYTES
        if (size < 0 || size > MAX_PACKET_BYTES) return this.close()
        return this.#owner.forward(this, nodeKey(frame.body.subarray(0, KEY_BYTES)), frame.body.subarray(KEY_BYTES))
      }
      case FRAME.notePreferred:
        if (frame.body.length !== 1) return this.close()
        this.preferred = frame.body[0] === 1
        return
      case FRAME.ping:
        if (frame.body.length < 8 || frame.body.length > 1000) return this.close()
        return this.send(derpFrame(FRAME.pong, frame.body.subarray(0, 8)))
    }
  }

  #handleBeforeLogin(frame: DerpFrame): void {
    if (this.#opening && this.#early.length < MAX_EARLY_FRAMES) this.#early.push(frame)
    else if (!this.#opening && frame.type === FRAME.clientInfo) void this.#login(frame.body)
    else this.close()
  }

  async #login(body: Uint8Array): Promise<void> {
    this.#opening = true
    const clientRaw = body.subarray(0, KEY_BYTES)
    const shared = body.length > KEY_BYTES + 24 ? boxKey(this.#serverKey.bytes(), clientRaw) : undefined
    const plain = shared && boxOpen(shared, body.subarray(KEY_BYTES, KEY_BYTES + 24), body.subarray(KEY_BYTES + 24))
    const info = plain && parseInfo(plain)
    if (!shared || !info) return this.close()
    const key = nodeKey(clientRaw)
    if (!(await this.#owner.admit(key)) || this.#closed) return this.close()
    this.#cancelHandshake()
    this.info = info
    this.key = key
    const nonce = this.#env.random.bytes(24)
    const answer = new TextEncoder().encode(JSON.stringify({ version: 2 }))
    this.send(derpFrame(FRAME.serverInfo, nonce, boxSeal(shared, nonce, answer)))
    this.#keepAlive()
    this.#owner.joined(this)
    for (const frame of this.#early.splice(0)) this.#handleFrame(frame)
  }

  #keepAlive(): void {
    this.#cancelKeepAlive = this.#env.clock.after(KEEP_ALIVE_MS, () => {
      this.send(derpFrame(FRAME.keepAlive))
      this.#keepAlive()
    })
  }

  /** Queues a packet from another client. */
  deliver(from: NodePublicKey, fromRaw: Uint8Array, packet: Uint8Array): void {
    const queue = isDisco(packet) ? this.#disco : this.#other
    if (queue.length >= QUEUE_PACKETS) {
      queue.shift()
      this.dropped += 1
    }
    queue.push(derpFrame(FRAME.recvPacket, fromRaw, packet))
    this.heardBy.add(from)
    this.#flush()
  }

  #flush(): void {
    if (this.#stream.writableLength > SOCKET_FULL_BYTES) return
    const frames = [...this.#disco.splice(0), ...this.#other.splice(0)]
    if (frames.length > 0) this.#stream.write(concat(...frames))
  }

  /** Writes bytes past the queues: frames of the server itself, or a test's rubbish. */
  send(bytes: Uint8Array): void {
    if (!this.#closed) this.#stream.write(bytes)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#cancelHandshake()
    this.#cancelKeepAlive()
    this.#stream.destroy()
    this.#owner.left(this)
  }
}

/** Whether a packet looks like disco by its magic. */
export function isDisco(packet: Uint8Array): boolean {
  return packet.length >= 62 && DISCO_MAGIC.every((byte, i) => packet[i] === byte)
}

function parseInfo(plain: Uint8Array): ClientInfo | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(plain))
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
