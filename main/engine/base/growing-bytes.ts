/**
 * Bytes that are gathered piece by piece: memory grows with what has come, twice as large each time, and never with what
 * a hostile length claims. Pieces are copied, so that a small one does not hold on to a large buffer behind it.
 */
export class GrowingBytes {
  #bytes = new Uint8Array(0)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Puts a piece behind what is there; it is borrowed. */
  add(piece: Uint8Array): void {
    const length = this.#length + piece.length
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#bytes.length))
      larger.set(this.view())
      this.#bytes = larger
    }
    this.#bytes.set(piece, this.#length)
    this.#length = length
  }

  /** What is there, borrowed until the next `add`. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** What is there, the caller's; begins anew with nothing. */
  take(): Uint8Array {
    const whole = this.view()
    this.#bytes = new Uint8Array(0)
    this.#length = 0
    return whole
  }
}
