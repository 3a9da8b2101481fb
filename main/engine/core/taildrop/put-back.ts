/**
 * Bytes of a source that were read and given back: they come again before what is next, and no read gives more than was asked for.
 */
export class PutBack {
  /** The first last. */
  readonly #back: Uint8Array[] = []

  /** Up to `most` bytes of what was put back, else of what `next` gives, whose rest is kept; empty = the end. Rejects with what `next` rejects with. */
  async read(most: number, next: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const bytes = this.#back.pop() ?? (await next())
    if (bytes.length <= most) return bytes
    this.#back.push(bytes.subarray(most))
    return bytes.subarray(0, most)
  }

  /** To be read again first; the bytes are borrowed. */
  put(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#back.push(bytes)
  }
}
