/**
 * The bytes of a stream as a source: what is there, in order, and what was put back before it.
 */
import type { Readable } from 'node:stream'
import { faultOf } from './stamp.ts'

export class StreamReader {
  readonly size: number
  readonly #stream: Readable
  readonly #chunks: AsyncIterator<Uint8Array>
  readonly #end: () => void | Promise<void>
  readonly #back: Uint8Array[] = []
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

  async read(most: number): Promise<Uint8Array> {
    const bytes = this.#back.pop() ?? (await this.#next())
    if (bytes.length <= most) return bytes
    this.#back.push(bytes.subarray(most))
    return bytes.subarray(0, most)
  }

  unread(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#back.push(bytes)
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
