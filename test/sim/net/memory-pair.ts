/**
 * Two ends of one connection in memory, with a socket's manners: what is written arrives in a later turn of the loop
 * (an HTTP/2 session must not be read into while it writes), a slow reader holds the writer back, and when one end is
 * destroyed the other closes after reading what was sent.
 */
import { Duplex } from 'node:stream'

class End extends Duplex {
  peer: End | undefined
  #resume: (() => void) | undefined

  override _read(): void {
    const resume = this.#resume
    this.#resume = undefined
    resume?.()
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    setImmediate(() => {
      const { peer } = this
      if (!peer || peer.destroyed || peer.readableEnded) done()
      else if (peer.push(chunk)) done()
      else peer.#resume = done
    })
  }

  override _final(done: (error?: Error | null) => void): void {
    setImmediate(() => {
      if (this.peer?.destroyed === false) this.peer.push(null)
      done()
    })
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this._read()
    const { peer } = this
    // Two turns: what was written before the end is on its way in the first.
    setImmediate(() => setImmediate(() => peer?.destroy()))
    done(error)
  }
}

/** A connected pair; either may be the client's. */
export function memoryPair(): [Duplex, Duplex] {
  const a = new End()
  const b = new End()
  a.peer = b
  b.peer = a
  return [a, b]
}
