/**
 * DERP frames as a relay server writes and reads them, apart from the engine's own codec so that each checks the other.
 *
 *   type u8 | length u32 big-endian of the body | body
 *
 * Source: tailscale derp/derp.go, protocol version 2.
 */
import { concat, readU32, writeU32 } from '../../../main/engine/base/bytes.ts'
import { decodeError } from '../../../main/engine/base/errors.ts'
import type { DecodeError } from '../../../main/engine/base/errors.ts'

export const FRAME = {
  serverKey: 0x01,
  clientInfo: 0x02,
  serverInfo: 0x03,
  sendPacket: 0x04,
  recvPacket: 0x05,
  keepAlive: 0x06,
  notePreferred: 0x07,
  peerGone: 0x08,
  peerPresent: 0x09,
  ping: 0x12,
  pong: 0x13,
  health: 0x14,
  restarting: 0x15,
} as const

export const DERP_MAGIC = new Uint8Array([0x44, 0x45, 0x52, 0x50, 0xf0, 0x9f, 0x94, 0x91])
export const KEY_BYTES = 32
export const MAX_PACKET_BYTES = 65_536
const MAX_FRAME_BYTES = 1 << 20

export interface DerpFrame {
  readonly type: number
  /** Owned by the receiver. */
  readonly body: Uint8Array
}

/** One whole frame of the parts. */
export function derpFrame(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = concat(...parts)
  const head = new Uint8Array(5)
  head[0] = type
  writeU32(head, 1, body.length)
  return concat(head, body)
}

/** Cuts a byte stream into frames. */
export class DerpFrameReader {
  #chunks: Uint8Array[] = []
  #length = 0

  /** Every frame that is whole by now; a failure ends the connection. */
  take(chunk: Uint8Array): DerpFrame[] | DecodeError {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    if (this.#length < 5) return []
    let bytes = this.#chunks.length === 1 ? chunk : concat(...this.#chunks)
    const frames: DerpFrame[] = []
    while (bytes.length >= 5) {
      const length = readU32(bytes, 1)
      if (length > MAX_FRAME_BYTES) return decodeError('long', 'frame')
      if (bytes.length < 5 + length) break
      frames.push({ type: bytes[0]!, body: bytes.slice(5, 5 + length) })
      bytes = bytes.subarray(5 + length)
    }
    this.#chunks = bytes.length === 0 ? [] : [bytes]
    this.#length = bytes.length
    return frames
  }
}
