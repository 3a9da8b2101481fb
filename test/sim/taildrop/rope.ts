/**
 * Connections in memory between a courier and a PeerAPI, that can be cut anywhere: after so many bytes of either direction, with a
 * proper end or without. What was sent of each PUT is kept, so that nothing sent twice goes unseen.
 */
import { duplexPair, type Duplex } from 'node:stream'

/** Bytes that pass at once; a cut is exact. */
const SLICE = 16 << 10
const HWM = 16 << 10

export interface Cut {
  /** Bytes to the receiver, or back from it, that still pass. */
  readonly after: number
  readonly direction: 'to' | 'back'
  /** `reset`: what the receiver has not read yet is lost. */
  readonly how: 'end' | 'reset'
}

/** One PUT as it went over the wire. */
export interface SeenPut {
  readonly path: string
  readonly offset: number
  /** Bytes of its body that passed, with the lengths of chunks. */
  passed: number
  isWhole: boolean
}

export class Rope {
  readonly puts: SeenPut[] = []
  cuts = 0
  /** Applies to all bytes of all connections from here on, once. */
  #next: Cut | undefined
  #left = 0

  /** Cuts once when the bytes have passed. */
  plan(cut: Cut): void {
    this.#next = cut
    this.#left = cut.after
  }

  /** The planned cut did not happen: it is off. */
  rest(): void {
    this.#next = undefined
  }

  /** The two ends of a new connection. */
  connect(): { near: Duplex; far: Duplex } {
    const [near, a] = duplexPair({ highWaterMark: HWM }) as [Duplex, Duplex]
    const [b, far] = duplexPair({ highWaterMark: HWM }) as [Duplex, Duplex]
    const reader = new PutReader(this.puts)
    const end = (how: Cut['how']): void => {
      if (how === 'end') {
        a.end()
        b.end()
        // The sender cannot go on writing into what has ended.
        setImmediate(() => near.destroy())
        return
      }
      for (const stream of [near, far, a, b]) stream.destroy()
    }
    for (const stream of [near, far, a, b]) stream.on('error', () => {})
    near.once('close', () => b.end())
    far.once('close', () => a.end())
    void this.#carry(a, b, 'to', end, (bytes) => reader.take(bytes))
    void this.#carry(b, a, 'back', end, () => {})
    // What Node's own agent asks of a socket.
    Object.assign(near, { setKeepAlive: () => near, setTimeout: () => near, setNoDelay: () => near, ref: () => near, unref: () => near })
    return { near, far }
  }

  async #carry(from: Duplex, to: Duplex, direction: Cut['direction'], end: (how: Cut['how']) => void, seen: (bytes: Buffer) => void): Promise<void> {
    try {
      for await (const bytes of from as AsyncIterable<Buffer>) {
        for (let at = 0; at < bytes.length; at += SLICE) {
          const slice = bytes.subarray(at, at + SLICE)
          const cut = this.#next?.direction === direction ? this.#next : undefined
          const passing = cut && this.#left < slice.length ? slice.subarray(0, this.#left) : slice
          if (cut) this.#left -= passing.length
          seen(passing)
          if (passing.length > 0) await new Promise<void>((resolve) => to.write(passing, () => resolve()))
          if (cut && passing.length < slice.length) {
            this.#next = undefined
            this.cuts++
            return end(cut.how)
          }
        }
      }
      to.end()
    } catch {
      to.end()
    }
  }
}

/** Follows the requests on one connection. */
class PutReader {
  readonly #puts: SeenPut[]
  #head = ''
  #current: SeenPut | undefined
  #left = 0
  #isChunked = false
  #tail = ''

  constructor(puts: SeenPut[]) {
    this.#puts = puts
  }

  take(bytes: Buffer): void {
    while (bytes.length > 0) {
      if (this.#left > 0) bytes = this.#body(bytes)
      else bytes = this.#heads(bytes)
    }
  }

  #body(bytes: Buffer): Buffer {
    if (!this.#isChunked) {
      const part = bytes.subarray(0, this.#left)
      this.#left -= part.length
      if (this.#current) this.#current.passed += part.length
      if (this.#current && this.#left === 0) this.#current.isWhole = true
      return bytes.subarray(part.length)
    }
    // A chunked body ends with its trailer: an empty line behind the last chunk.
    this.#tail = (this.#tail + bytes.subarray(-200).toString('latin1')).slice(-200)
    if (this.#current) this.#current.passed += bytes.length
    if (/\r\n0\r\n(?:[^\r\n]+\r\n)*\r\n$/.test(this.#tail)) {
      this.#left = 0
      if (this.#current) this.#current.isWhole = true
    }
    return bytes.subarray(bytes.length)
  }

  #heads(bytes: Buffer): Buffer {
    this.#head += bytes.toString('latin1')
    const end = this.#head.indexOf('\r\n\r\n')
    if (end < 0) return bytes.subarray(bytes.length)
    const rest = this.#head.length - end - 4
    const head = this.#head.slice(0, end)
    this.#head = ''
    const [method, path = ''] = head.split(' ')
    const isFile = method === 'PUT' && !path.includes('/manifest/')
    this.#current = isFile ? { path, offset: Number(/^range: bytes=(\d+)-/im.exec(head)?.[1] ?? 0), passed: 0, isWhole: false } : undefined
    if (this.#current) this.#puts.push(this.#current)
    this.#isChunked = /^transfer-encoding: chunked/im.test(head)
    this.#tail = ''
    this.#left = this.#isChunked ? Number.POSITIVE_INFINITY : Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)
    return rest === 0 ? bytes.subarray(bytes.length) : bytes.subarray(bytes.length - rest)
  }
}
