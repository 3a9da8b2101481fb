/**
 * The early payload: what a control server may put in front of its HTTP/2 stream, inside the Noise records.
 *
 *   ff ff ff 'T' 'S' | length u32 | JSON {"nodeKeyChallenge":"chalpub:…"}
 *
 * Anything else is HTTP/2 from its first byte (no HTTP/2 frame starts with ff ff ff), and is passed on whole. Big-endian.
 * Source: tailscale control/ts2021/conn.go, read 2026-11.
 */
import { readU32 } from '../../base/bytes.ts'
import { decodeError, type DecodeError } from '../../base/errors.ts'
import { GrowingBytes } from '../../base/growing-bytes.ts'

const MAGIC = new Uint8Array([0xff, 0xff, 0xff, 0x54, 0x53])
const HEADER_BYTES = 9
const MAX_PAYLOAD_BYTES = 10 * 1024 * 1024

/** Cuts the early payload off a stream of decrypted bytes that comes in any chunking. */
export class EarlyPayloadFilter {
  #held: GrowingBytes | undefined = new GrowingBytes()
  #payload: Uint8Array | undefined

  /** Bytes for HTTP/2 (may be empty), or a DecodeError when the payload claims to be too long. */
  handleBytes(chunk: Uint8Array): Uint8Array | DecodeError {
    if (!this.#held) return chunk
    this.#held.add(chunk)
    const held = this.#held.view()
    const known = Math.min(held.length, MAGIC.length)
    for (let i = 0; i < known; i++) if (held[i] !== MAGIC[i]) return this.#release(held)
    if (held.length >= HEADER_BYTES) {
      const length = readU32(held, MAGIC.length)
      if (length > MAX_PAYLOAD_BYTES) return decodeError('bad-length')
      if (held.length >= HEADER_BYTES + length) {
        this.#payload = held.slice(HEADER_BYTES, HEADER_BYTES + length)
        return this.#release(held.subarray(HEADER_BYTES + length))
      }
    }
    return new Uint8Array(0)
  }

  /** The JSON bytes, once: undefined before they are whole, when there are none, and after they were taken. */
  takePayload(): Uint8Array | undefined {
    const payload = this.#payload
    this.#payload = undefined
    return payload
  }

  #release(bytes: Uint8Array): Uint8Array {
    this.#held = undefined
    return bytes
  }
}
