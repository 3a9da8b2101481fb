/**
 * The byte stream inside a control connection: seals what is written into records, opens what comes, cuts the early
 * payload off. A record that does not open ends it. Back-pressure goes through in both directions.
 */
import { Duplex } from 'node:stream'
import { EngineError, isDecodeError } from '../base/errors.ts'
import { EarlyPayloadFilter } from '../core/noise/early-payload.ts'
import type { TransportCodec } from '../core/noise/transport.ts'

export class NoiseStream extends Duplex {
  readonly #socket: Duplex
  readonly #codec: TransportCodec
  readonly #early = new EarlyPayloadFilter()
  readonly #onEarly: (json: Uint8Array) => void

  /** Owns the socket from here on. `rest` are bytes that came behind the handshake. */
  constructor(socket: Duplex, codec: TransportCodec, rest: Uint8Array, onEarly: (json: Uint8Array) => void) {
    super({ allowHalfOpen: false, readableHighWaterMark: 1024 * 1024 })
    this.#socket = socket
    this.#codec = codec
    this.#onEarly = onEarly
    // HTTP/2 listens while it lives; an error after that is no news.
    this.on('error', () => {})
    socket.on('data', (chunk: Uint8Array) => this.#handleBytes(chunk))
    socket.on('end', () => this.push(null))
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
    if (rest.length > 0) this.#handleBytes(rest)
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(this.#codec.seal(chunk), done)
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    this.#socket.write(this.#codec.seal(Buffer.concat(chunks.map(({ chunk }) => chunk))), done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done())
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }

  #handleBytes(chunk: Uint8Array): void {
    const plains = this.#codec.open(chunk)
    if (isDecodeError(plains)) return this.#fail(plains.reason)
    let goOn = true
    for (const plain of plains) {
      const bytes = this.#early.handleBytes(plain)
      if (isDecodeError(bytes)) return this.#fail(bytes.reason)
      if (bytes.length > 0) goOn = this.push(bytes)
    }
    const payload = this.#early.takePayload()
    if (payload) this.#onEarly(payload)
    if (!goOn) this.#socket.pause()
  }

  #fail(reason: string): void {
    this.destroy(new EngineError('control-bad-response', `the control connection carries bytes that do not belong to it (${reason})`))
  }
}
