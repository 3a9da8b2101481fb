/**
 * What another program sends us, as a source: read no faster than it is sent on, once, and never again.
 *
 * The stream belongs to whoever answers that program, and is left open whatever becomes of the transfer.
 */
import type { Readable } from 'node:stream'
import { SourceFault } from '../../../core/taildrop/files.ts'
import { PutBack } from '../../../core/taildrop/put-back.ts'
import type { SourceReader } from '../ports.ts'

const WAKING = ['readable', 'end', 'close'] as const

export class CallerReader implements SourceReader {
  readonly size: number
  readonly #stream: Readable
  readonly #back = new PutBack()
  readonly #more = (): Promise<Uint8Array> => this.#next()
  readonly #wake = (): void => this.#onWake?.()
  readonly #fail = (): void => {
    this.#failed = true
    this.#onWake?.()
  }
  #failed = false
  #onWake: (() => void) | undefined
  #closed = false

  /** `size` -1 unknown. */
  constructor(stream: Readable, size: number) {
    this.#stream = stream
    this.size = size
    for (const event of WAKING) stream.on(event, this.#wake)
    stream.on('error', this.#fail)
  }

  read(most: number): Promise<Uint8Array> {
    return this.#back.read(most, this.#more)
  }

  unread(bytes: Uint8Array): void {
    this.#back.put(bytes)
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      for (const event of WAKING) this.#stream.off(event, this.#wake)
      this.#stream.off('error', this.#fail).on('error', () => {})
      this.#onWake?.()
    }
    return Promise.resolve()
  }

  async #next(): Promise<Uint8Array> {
    for (;;) {
      if (this.#closed) return new Uint8Array()
      // An error may come with an end that looks like one.
      if (this.#failed) throw stopped()
      const bytes = this.#stream.read() as Uint8Array | null
      if (bytes && bytes.length > 0) return bytes
      if (this.#stream.readableEnded) return new Uint8Array()
      if (this.#stream.destroyed) throw stopped()
      await new Promise<void>((resolve) => (this.#onWake = resolve))
      this.#onWake = undefined
    }
  }
}

const stopped = (): SourceFault => new SourceFault('source-stopped', 'the program that sends stopped before all was there')
