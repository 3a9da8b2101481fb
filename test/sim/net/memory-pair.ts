/**
 * Two ends of one connection in memory, with a socket's manners: when one end is destroyed, the other closes too.
 */
import { duplexPair } from 'node:stream'
import type { Duplex } from 'node:stream'

/** A connected pair; either may be the client's. */
export function memoryPair(): [Duplex, Duplex] {
  const [a, b] = duplexPair()
  // What was written before the end still arrives: the other end closes after reading it.
  const follow = (gone: Duplex, left: Duplex): void => {
    gone.once('close', () => {
      if (!left.destroyed) setImmediate(() => left.destroy())
    })
  }
  follow(a, b)
  follow(b, a)
  return [a, b]
}
