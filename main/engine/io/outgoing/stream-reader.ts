/**
 * The bytes of a stream as a source: what is there, in order, and what was put back before it.
 */
import type { Readable } from 'node:stream'
import { PutBack } from '../../core/taildrop/put-back.ts'
import { faultOf } from './stamp.ts'

export class StreamReader {
  readonly size: number
  readonly #stream: Readable
  readonly #chunks: AsyncIterator<Uint8Array>
  readonly #end: () => void | Promise<void>
  readonly #back = new PutBack()
  readonly #more = (): Promise<Uint8Array> => this.#next()
  #closed = false

  /** `end` is called once, when it is closed. */
  constructor(stream: Readable, size: number, end: () => void | Promise<void>) {
    this.#stream = stream
    // Whoever reads next hears of it.
    stream.on('error', () => {})
    this.#chunks = (stream as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
    this.size = size
    this.#end = end
  }

  read(most: number): Promise<Uint8Array> {
    return this.#back.read(most, this.#more)
  }

  unread(bytes: Uint8Array): void {
    this.#back.put(bytes)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#stream.destroy()
    await this.#end()
  }

  async #next(): Promise<Uint8Array> {
    try {
      for (;;) {
        const { value, done } = await this.#chunks.next()
        if (done === true) return new Uint8Array()
        if (value.length > 0) return value
      }
    } catch (error) {
      throw faultOf(error)
    }
  }
}
