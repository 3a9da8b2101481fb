/**
 * Framing of the map stream: length u32 **little-endian** | payload, until the end of the stream. Pure; fed in any chunking.
 *
 * Source: tailscale control/controlclient/direct.go. The size limit is ours: a hostile length must not reserve memory.
 */
import { concat, readU32LE } from '../../base/bytes.ts'
import { decodeError, type DecodeError } from '../../base/errors.ts'

export const MAX_FRAME_BYTES = 64 * 1024 * 1024
const HEADER_BYTES = 4

export class MapFrames {
  readonly #maxBytes: number
  #chunks: Uint8Array[] = []
  #length = 0

  constructor(maxBytes = MAX_FRAME_BYTES) {
    this.#maxBytes = maxBytes
  }

  /** Payloads that these bytes complete, in order. The chunk is kept until its frame is whole. A DecodeError is final. */
  handleBytes(chunk: Uint8Array): Uint8Array[] | DecodeError {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    const out: Uint8Array[] = []
    while (this.#length >= HEADER_BYTES) {
      const length = readU32LE(this.#head(), 0)
      if (length > this.#maxBytes) return decodeError('bad-length', 'map frame')
      if (this.#length < HEADER_BYTES + length) break
      const whole = this.#chunks.length === 1 ? this.#chunks[0]! : concat(...this.#chunks)
      out.push(whole.subarray(HEADER_BYTES, HEADER_BYTES + length))
      const rest = whole.subarray(HEADER_BYTES + length)
      this.#chunks = rest.length === 0 ? [] : [rest]
      this.#length = rest.length
    }
    return out
  }

  /** A first chunk that holds the header, without joining a big frame's chunks again and again. */
  #head(): Uint8Array {
    while (this.#chunks[0]!.length < HEADER_BYTES) this.#chunks.splice(0, 2, concat(this.#chunks[0]!, this.#chunks[1]!))
    return this.#chunks[0]!
  }
}
