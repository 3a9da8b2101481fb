/**
 * A plain byte stream for HTTP/2 over the records of one Noise connection. Server side.
 *
 * Bytes from below go through the opener, bytes from above through the sealer; a bad record destroys both streams.
 * Backpressure passes through in both directions.
 */
import { Duplex } from 'node:stream'
import { concat, toBase64, writeU32 } from '../../../main/engine/base/bytes.ts'
import { isDecodeError } from '../../../main/engine/base/errors.ts'
import type { Responded } from '../noise-responder.ts'

const EARLY_MAGIC = new Uint8Array([0xff, 0xff, 0xff, 0x54, 0x53])

/** The early payload: magic 5 B | length u32 | JSON, the first plain bytes of the server's stream. */
export function earlyPayload(challengeHex: string): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify({ nodeKeyChallenge: `chalpub:${challengeHex}` }))
  const length = new Uint8Array(4)
  writeU32(length, 0, json.length)
  return concat(EARLY_MAGIC, length, json)
}

/** The initiation of an upgrade request's header, or undefined when it is not base64 of the right size. */
export function initiationOf(header: string | string[] | undefined): Uint8Array | undefined {
  if (typeof header !== 'string') return undefined
  const bytes = new Uint8Array(Buffer.from(header, 'base64'))
  return toBase64(bytes) === header ? bytes : undefined
}

/** HTTP/2's view of a Noise connection; owns the stream below from here on. */
export class NoiseChannel extends Duplex {
  readonly #below: Duplex
  readonly #noise: Responded
  readonly #mangle: (plain: Uint8Array) => Uint8Array

  /** `mangle` may change what goes to the client, before it is sealed. */
  constructor(below: Duplex, noise: Responded, mangle: (plain: Uint8Array) => Uint8Array = (plain) => plain) {
    super({ allowHalfOpen: false })
    this.#below = below
    this.#noise = noise
    this.#mangle = mangle
    below.on('data', (chunk: Buffer) => this.#handleBytes(chunk))
    below.on('end', () => this.push(null))
    below.on('close', () => this.destroy())
    below.on('error', (error: Error) => this.destroy(error))
  }

  /** Bytes that came together with the handshake. */
  unshiftBytes(head: Uint8Array): void {
    if (head.length > 0) this.#handleBytes(head)
  }

  #handleBytes(chunk: Uint8Array): void {
    const plain = this.#noise.open.open(chunk)
    if (isDecodeError(plain)) {
      this.destroy(new Error(`noise record: ${plain.reason}`))
      return
    }
    if (plain.length > 0 && !this.push(plain)) this.#below.pause()
  }

  override _read(): void {
    this.#below.resume()
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#below.write(this.#noise.seal.seal(this.#mangle(chunk)), done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#below.end(() => done())
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#below.destroy()
    done(error)
  }
}
