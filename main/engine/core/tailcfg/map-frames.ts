/**
 * Framing of the map stream: length u32 **little-endian** | payload, until the end of the stream. Pure; fed in any chunking.
 *
 * Source: tailscale control/controlclient/direct.go. The size limit is ours: a hostile length must not reserve memory.
 */
import { readU32LE } from '../../base/bytes.ts'
import { decodeError, type DecodeError } from '../../base/errors.ts'
import { GrowingBytes } from '../../base/growing-bytes.ts'

export const MAX_FRAME_BYTES = 64 * 1024 * 1024
const HEADER_BYTES = 4

export class MapFrames {
  readonly #maxBytes: number
  readonly #frame = new GrowingBytes()

  constructor(maxBytes = MAX_FRAME_BYTES) {
    this.#maxBytes = maxBytes
  }

  /** Payloads that these bytes complete, in order, the caller's. The chunk is borrowed. A DecodeError is final. */
  handleBytes(chunk: Uint8Array): Uint8Array[] | DecodeError {
    const out: Uint8Array[] = []
    for (let at = 0; at < chunk.length; ) {
      const next = Math.min(chunk.length, at + this.#frameBytes() - this.#frame.length)
      this.#frame.add(chunk.subarray(at, next))
      at = next
      if (this.#frame.length < HEADER_BYTES) break
      const whole = this.#frameBytes()
      if (whole > HEADER_BYTES + this.#maxBytes) return decodeError('bad-length', 'map frame')
      if (this.#frame.length === whole) out.push(this.#frame.take().subarray(HEADER_BYTES))
    }
    return out
  }

  /** Bytes of the frame with its header; of the header alone until that is here. */
  #frameBytes(): number {
    return this.#frame.length < HEADER_BYTES ? HEADER_BYTES : HEADER_BYTES + readU32LE(this.#frame.view(), 0)
  }
}
