/**
 * Records of the control connection after the handshake: a byte stream cut into sealed frames. Pure codec, one per
 * connection; both directions.
 *
 *   0x04 | length u16 of the ciphertext | ciphertext (plain text + 16 B tag)
 *   at most 4096 B with the header, so at most 4077 B of plain text; empty plain text is legal
 *   nonce = 4 zero bytes | counter u64 **big-endian** from 0 per direction (Noise itself would say little-endian)
 *
 * Any bad type, length or tag ends the connection: the codec stays failed. No rekeying.
 * Source: tailscale control/controlbase/conn.go, read 2026-11.
 */
import { readU16, writeU16, writeU32 } from '../../base/bytes.ts'
import { aeadOpen, aeadSeal } from '../../base/crypto.ts'
import { decodeError, type DecodeError } from '../../base/errors.ts'
import { MESSAGE_RECORD } from './initiator.ts'
import { TAG_BYTES } from './symmetric-state.ts'

const HEADER_BYTES = 3
export const MAX_FRAME_BYTES = 4096
const MAX_CIPHERTEXT_BYTES = MAX_FRAME_BYTES - HEADER_BYTES
export const MAX_PLAIN_BYTES = MAX_CIPHERTEXT_BYTES - TAG_BYTES
const NO_AD = new Uint8Array(0)
const U32 = 2 ** 32

export class TransportCodec {
  readonly #sendKey: Uint8Array
  readonly #receiveKey: Uint8Array
  #sendCounter = 0
  #receiveCounter = 0
  readonly #partial = new Uint8Array(MAX_FRAME_BYTES)
  #partialLength = 0
  #failed: DecodeError | undefined

  constructor(sendKey: Uint8Array, receiveKey: Uint8Array) {
    this.#sendKey = sendKey
    this.#receiveKey = receiveKey
  }

  /** Sealed records for the plain text, in one new array; nothing for nothing. */
  seal(plain: Uint8Array): Uint8Array {
    const records = Math.ceil(plain.length / MAX_PLAIN_BYTES)
    const out = new Uint8Array(plain.length + records * (HEADER_BYTES + TAG_BYTES))
    let at = 0
    for (let from = 0; from < plain.length; from += MAX_PLAIN_BYTES) {
      const sealed = aeadSeal(this.#sendKey, nonce(this.#sendCounter++), plain.subarray(from, from + MAX_PLAIN_BYTES), NO_AD)
      out[at] = MESSAGE_RECORD
      writeU16(out, at + 1, sealed.length)
      out.set(sealed, at + HEADER_BYTES)
      at += HEADER_BYTES + sealed.length
    }
    return out
  }

  /**
   * Plain texts of the records that these bytes complete, in order; empty records give nothing. The arrays are the
   * caller's. The chunk is borrowed. A DecodeError is final for this connection.
   */
  open(chunk: Uint8Array): Uint8Array[] | DecodeError {
    const out: Uint8Array[] = []
    let at = 0
    while (!this.#failed) {
      const got = this.#partialLength + (chunk.length - at)
      if (got < HEADER_BYTES) break
      const length = this.#partialLength === 0 ? readU16(chunk, at + 1) : this.#lengthOfPartial(chunk, at)
      const type = this.#partialLength === 0 ? chunk[at]! : this.#partial[0]!
      this.#failed = checkHeader(type, length)
      if (this.#failed || got < HEADER_BYTES + length) break
      const record = this.#takeRecord(chunk, at, HEADER_BYTES + length)
      at = record.next
      const plain = aeadOpen(this.#receiveKey, nonce(this.#receiveCounter++), record.sealed, NO_AD)
      if (!plain) this.#failed = decodeError('bad-seal')
      else if (plain.length > 0) out.push(plain)
    }
    if (this.#failed) return this.#failed
    this.#partial.set(chunk.subarray(at), this.#partialLength)
    this.#partialLength += chunk.length - at
    return out
  }

  /** Reads the length when the header lies across the kept bytes and the chunk. */
  #lengthOfPartial(chunk: Uint8Array, at: number): number {
    const byte = (i: number): number => (i < this.#partialLength ? this.#partial[i]! : chunk[at + i - this.#partialLength]!)
    return (byte(1) << 8) | byte(2)
  }

  #takeRecord(chunk: Uint8Array, at: number, total: number): { sealed: Uint8Array; next: number } {
    if (this.#partialLength === 0) return { sealed: chunk.subarray(at + HEADER_BYTES, at + total), next: at + total }
    const missing = total - this.#partialLength
    this.#partial.set(chunk.subarray(at, at + missing), this.#partialLength)
    this.#partialLength = 0
    return { sealed: this.#partial.subarray(HEADER_BYTES, total), next: at + missing }
  }
}

function checkHeader(type: number, length: number): DecodeError | undefined {
  if (type !== MESSAGE_RECORD) return decodeError('bad-type')
  if (length < TAG_BYTES || length > MAX_CIPHERTEXT_BYTES) return decodeError('bad-length')
  return undefined
}

/** 2^53 records of one connection are beyond reach, so a double holds the counter. */
function nonce(counter: number): Uint8Array {
  const out = new Uint8Array(12)
  writeU32(out, 4, Math.floor(counter / U32))
  writeU32(out, 8, counter % U32)
  return out
}
