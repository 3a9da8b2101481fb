/**
 * One open map stream: the first message, then deltas in batches, and keepalives in silence.
 *
 *   frame = length u32 LE | JSON, or one zstd frame of it when the client asked for "zstd"
 *
 * It remembers the view it last told and sends only the difference to the present one, so however many changes a batch
 * holds, a slow reader costs one view of memory: while the stream is full nothing more is written.
 */
import type { Writable } from 'node:stream'
import type { Clock } from '../../../main/engine/base/env.ts'
import { concat } from '../../../main/engine/base/bytes.ts'
import type { MapResponse, Node } from '../../../main/engine/core/tailcfg/types.ts'
import { deltaMessages, initialMessage } from './map-delta.ts'
import type { DeltaStyle, MapView } from './map-delta.ts'
import { zstdFrame } from './zstd-frame.ts'

export interface MapSessionOptions {
  readonly clock: Clock
  readonly nodeId: number
  readonly out: Writable
  readonly zstd: boolean
  readonly style: DeltaStyle
  readonly batchMs: number
  readonly keepAliveMs: number
  /** The present view, or undefined when the node is no more. */
  readonly view: () => MapView | undefined
  /** Sends in place of the first message. */
  readonly onStart?: ((session: MapSession, first: MapResponse) => void) | undefined
}

export class MapSession {
  readonly nodeId: number
  /** Messages sent, for tests that ask what a change cost. */
  sent = 0
  readonly #options: MapSessionOptions
  #told: MapView | undefined
  #full = false
  #closed = false
  #cancelBatch: (() => void) | undefined
  #cancelKeepAlive: (() => void) | undefined

  constructor(options: MapSessionOptions) {
    this.nodeId = options.nodeId
    this.#options = options
    options.out.on('drain', () => {
      this.#full = false
      this.changed()
    })
    options.out.on('close', () => this.#stop())
    options.out.on('error', () => this.#stop())
  }

  /** Sends the first message. */
  start(): void {
    const view = this.#options.view()
    if (!view) return this.close()
    this.#told = view
    const { onStart } = this.#options
    if (onStart) onStart(this, dated(initialMessage(view), this.#options.clock))
    else this.send(initialMessage(view))
  }

  get zstd(): boolean {
    return this.#options.zstd
  }

  /** Something may have changed: looks after the batching time. */
  changed(): void {
    if (this.#closed || this.#full || this.#cancelBatch) return
    this.#cancelBatch = this.#options.clock.after(this.#options.batchMs, () => {
      this.#cancelBatch = undefined
      this.#flush()
    })
  }

  /** Tells of this node again in the next batch, changed or not: Headscale's echo of every lite update. */
  repeat(nodeId: number): void {
    if (!this.#told) return
    if (nodeId === this.nodeId) this.#told = { ...this.#told, self: {} as Node }
    else this.#told = { ...this.#told, peers: this.#told.peers.filter((peer) => peer.ID !== nodeId) }
    this.changed()
  }

  #flush(): void {
    const view = this.#options.view()
    if (this.#closed || this.#full || !this.#told || !view) return
    const messages = deltaMessages(this.#told, view, this.#options.style)
    this.#told = view
    for (const message of messages) this.send(message)
  }

  /** Sends one message as it is, with the server's time; keepalives go bare, as Headscale's do. */
  send(message: MapResponse): void {
    this.sendBytes(mapFrame(message.KeepAlive ? message : dated(message, this.#options.clock), this.#options.zstd))
  }

  /** Puts raw bytes on the stream: for frames that no server should send. */
  sendBytes(bytes: Uint8Array): void {
    if (this.#closed) return
    this.sent += 1
    this.#full = !this.#options.out.write(bytes)
    this.#cancelKeepAlive?.()
    this.#cancelKeepAlive = this.#options.clock.after(this.#options.keepAliveMs, () => this.send({ KeepAlive: true }))
  }

  /** Ends the stream in good order. */
  close(): void {
    if (!this.#closed) this.#options.out.end()
    this.#stop()
  }

  #stop(): void {
    this.#closed = true
    this.#cancelBatch?.()
    this.#cancelKeepAlive?.()
  }
}

function dated(message: MapResponse, clock: Clock): MapResponse {
  return { ...message, ControlTime: new Date(clock.wallMs()).toISOString() }
}

/** One frame of a stream. */
export function mapFrame(message: MapResponse, zstd: boolean): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(message))
  const payload = zstd ? zstdFrame(json) : json
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, payload.length, true)
  return concat(length, payload)
}
