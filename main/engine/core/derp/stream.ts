/**
 * Cuts the byte stream of a relay into frames, whatever the chunks. Made for speed: a run of neighbouring packet frames
 * inside one chunk is handed on as one piece, without a copy; only a frame that straddles two chunks is copied.
 *
 * Bounded: keeps at most one partial packet frame (64 KiB and a little); other frames of known types are at most
 * 64 KiB, unknown ones are skipped as they pass, and a claimed length above 1 MiB is an error at its header.
 * After an error the stream is dead: every later push returns the same error.
 */
import { readU32 } from '../../base/bytes.ts'
import type { DecodeError } from '../../base/errors.ts'
import { decodeError } from '../../base/errors.ts'
import { looksLikeDisco } from '../disco/envelope.ts'
import { FRAME, FRAME_HEADER_BYTES, KEY_BYTES, MAX_BODY_BYTES, MAX_PACKET_BYTES, MAX_PACKET_FRAME_BYTES, PACKET_OVERHEAD_BYTES } from './frame.ts'

/** Everything is borrowed until return. */
export interface DerpSink {
  /** Whole RecvPacket frames, one after the other, none of them disco. */
  onPackets(frames: Uint8Array): void
  /** One disco packet from the 32 B node key. */
  onDisco(src: Uint8Array, packet: Uint8Array): void
  /** The 32 B sender of the packets that follow, told when it differs from the one before. */
  onSource(src: Uint8Array): void
  /** Any other frame of a known type. */
  onFrame(type: number, body: Uint8Array): void
}

const MAX_OTHER_BODY_BYTES = 65_536
const KNOWN = new Set<number>(Object.values(FRAME))

export class DerpStream {
  readonly #sink: DerpSink
  #partial = new Uint8Array(2048)
  #partialLength = 0
  #skipBytes = 0
  #error: DecodeError | undefined
  readonly #lastSource = new Uint8Array(KEY_BYTES)
  #sourceKnown = false
  skippedFrames = 0

  constructor(sink: DerpSink) {
    this.#sink = sink
  }

  /** Bytes kept of a frame that is not whole yet. */
  get bufferedBytes(): number {
    return this.#partialLength
  }

  /** Takes the next bytes of the stream, borrowed until return. Reasons: long, short. */
  push(chunk: Uint8Array): DecodeError | undefined {
    let at = 0
    while (at < chunk.length && !this.#error) {
      if (this.#skipBytes > 0) {
        const step = Math.min(this.#skipBytes, chunk.length - at)
        this.#skipBytes -= step
        at += step
      } else if (this.#partialLength > 0) {
        at += this.#complete(chunk, at)
      } else {
        at = this.#scan(chunk, at)
      }
    }
    return this.#error
  }

  /** Adds to the partial frame, hands it on when whole; returns how many bytes it took. */
  #complete(chunk: Uint8Array, at: number): number {
    const wanted = this.#partialLength < FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES : FRAME_HEADER_BYTES + readU32(this.#partial, 1)
    const step = Math.min(wanted - this.#partialLength, chunk.length - at)
    this.#keep(chunk.subarray(at, at + step), wanted)
    if (this.#partialLength < wanted) return step
    if (wanted === FRAME_HEADER_BYTES) {
      const bodyBytes = readU32(this.#partial, 1)
      this.#error = checkHeader(this.#partial[0]!, bodyBytes)
      if (this.#error) return step
      if (!KNOWN.has(this.#partial[0]!)) {
        this.#skip(bodyBytes)
        return step
      }
      if (bodyBytes > 0) return step
    }
    const frame = this.#partial.subarray(0, wanted)
    this.#partialLength = 0
    this.#dispatch(frame)
    return step
  }

  #keep(bytes: Uint8Array, wanted: number): void {
    if (this.#partial.length < wanted) {
      const bigger = new Uint8Array(Math.min(MAX_PACKET_FRAME_BYTES, Math.max(wanted, this.#partial.length * 2)))
      bigger.set(this.#partial.subarray(0, this.#partialLength))
      this.#partial = bigger
    }
    this.#partial.set(bytes, this.#partialLength)
    this.#partialLength += bytes.length
  }

  #skip(bodyBytes: number): void {
    this.skippedFrames++
    this.#partialLength = 0
    this.#skipBytes = bodyBytes
  }

  /** Hands on the whole frames from `at`; keeps what is left over. Returns where it stopped. */
  #scan(chunk: Uint8Array, from: number): number {
    let at = from
    let runFrom = from
    while (at + FRAME_HEADER_BYTES <= chunk.length) {
      const type = chunk[at]!
      const bodyBytes = readU32(chunk, at + 1)
      this.#error = checkHeader(type, bodyBytes)
      if (this.#error) break
      const end = at + FRAME_HEADER_BYTES + bodyBytes
      if (type === FRAME.recvPacket && end <= chunk.length && !looksLikeDisco(chunk, at + PACKET_OVERHEAD_BYTES, end)) {
        if (!this.#isLastSource(chunk, at + FRAME_HEADER_BYTES)) this.#source(chunk.subarray(at + FRAME_HEADER_BYTES, at + PACKET_OVERHEAD_BYTES))
        at = end
        continue
      }
      if (runFrom < at) this.#sink.onPackets(chunk.subarray(runFrom, at))
      if (!KNOWN.has(type)) {
        this.#skip(bodyBytes)
        return at + FRAME_HEADER_BYTES
      }
      runFrom = at
      if (end > chunk.length) break
      this.#dispatch(chunk.subarray(at, end))
      at = runFrom = end
    }
    if (runFrom < at) this.#sink.onPackets(chunk.subarray(runFrom, at))
    if (this.#error || at === chunk.length) return chunk.length
    const known = chunk.length - at >= FRAME_HEADER_BYTES
    this.#keep(chunk.subarray(at), known ? FRAME_HEADER_BYTES + readU32(chunk, at + 1) : FRAME_HEADER_BYTES)
    return chunk.length
  }

  #dispatch(frame: Uint8Array): void {
    if (frame[0] !== FRAME.recvPacket) {
      this.#sink.onFrame(frame[0]!, frame.subarray(FRAME_HEADER_BYTES))
      return
    }
    const src = frame.subarray(FRAME_HEADER_BYTES, PACKET_OVERHEAD_BYTES)
    if (!this.#isLastSource(frame, FRAME_HEADER_BYTES)) this.#source(src)
    if (looksLikeDisco(frame, PACKET_OVERHEAD_BYTES)) this.#sink.onDisco(src, frame.subarray(PACKET_OVERHEAD_BYTES))
    else this.#sink.onPackets(frame)
  }

  #isLastSource(b: Uint8Array, at: number): boolean {
    if (!this.#sourceKnown) return false
    for (let i = 0; i < KEY_BYTES; i++) if (b[at + i] !== this.#lastSource[i]) return false
    return true
  }

  #source(src: Uint8Array): void {
    this.#lastSource.set(src)
    this.#sourceKnown = true
    this.#sink.onSource(src)
  }

  /** Tells the next packet's sender again, even when it is the same: routes were forgotten. */
  forgetSource(): void {
    this.#sourceKnown = false
  }
}

function checkHeader(type: number, bodyBytes: number): DecodeError | undefined {
  if (bodyBytes > MAX_BODY_BYTES) return decodeError('long', 'frame')
  if (type === FRAME.recvPacket) {
    if (bodyBytes < KEY_BYTES) return decodeError('short', 'packet')
    return bodyBytes > KEY_BYTES + MAX_PACKET_BYTES ? decodeError('long', 'packet') : undefined
  }
  return KNOWN.has(type) && bodyBytes > MAX_OTHER_BODY_BYTES ? decodeError('long', 'frame') : undefined
}
