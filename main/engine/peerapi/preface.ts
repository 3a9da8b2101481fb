/**
 * Tells HTTP/1 from HTTP/2 on one port: a client that knows that we speak HTTP/2 begins with "PRI", which is no method of HTTP/1.
 *
 * Source: RFC 9113 §3.4.
 */
import type { Duplex } from 'node:stream'

const PREFACE = Buffer.from('PRI')

/** Calls back once with what the client speaks; nothing of what it sent is taken away. Never calls for a client that says nothing. */
export function readPreface(stream: Duplex, then: (protocol: 'http1' | 'http2') => void): void {
  let held = Buffer.alloc(0)
  const look = (): void => {
    const bytes = stream.read() as Buffer | null
    if (bytes === null) return
    held = Buffer.concat([held, bytes])
    const length = Math.min(held.length, PREFACE.length)
    const isLike = held.subarray(0, length).equals(PREFACE.subarray(0, length))
    if (isLike && length < PREFACE.length) return
    stream.off('readable', look)
    stream.unshift(held)
    then(isLike ? 'http2' : 'http1')
  }
  stream.on('readable', look)
}
