/**
 * A source and sink of bytes as a program of its own, so that a test's own thread is not the slow part.
 *
 *   byte-peer.ts serve HOST PORT                        prints {"port":N}, then serves until ended
 *   byte-peer.ts get|put KIND PROXYPORT HOST PORT BYTES CHECK    KIND none|socks5|http, CHECK hash|compare; prints a Result
 *
 * A client sends one line, `get BYTES\n` or `put BYTES CHECK\n`. For `get` the server sends that many bytes of the pattern
 * and ends. For `put` it reads that many and answers with one line of JSON: {"bytes":N,"sha256":"…"}.
 * The pattern has a prime period, so a lost, doubled or moved part shows. `compare` checks every byte against it at little
 * cost; `hash` computes SHA-256 over what arrived, to be compared with patternHash().
 */
import { createHash, type Hash } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { dialVia, type Via } from './proxy-client.ts'

const PERIOD = 1_048_573
const WRITE_BYTES = 512 * 1024

export type Check = 'hash' | 'compare'

export interface Result {
  bytes: number
  /** From the request to the last byte (get), or to the server's receipt (put). */
  seconds: number
  firstByteMs: number
  /** What the receiver computed, and what it must be. Both are empty with `compare`. */
  sha256: string
  expected: string
}

let cachedPattern: Buffer | undefined

/** Two periods of the pattern in a row, so that any slice up to one period long lies in one piece. */
function pattern(): Buffer {
  if (cachedPattern !== undefined) return cachedPattern
  const bytes = Buffer.allocUnsafe(PERIOD * 2)
  let x = 0x9e3779b9
  for (let i = 0; i < PERIOD; i++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    bytes[i] = x & 255
  }
  bytes.copy(bytes, PERIOD, 0, PERIOD)
  cachedPattern = bytes
  return bytes
}

/** SHA-256, in hex, of the first `count` bytes of the pattern. */
export function patternHash(count: number): string {
  const hash = createHash('sha256')
  const bytes = pattern()
  let at = 0
  for (; at + PERIOD <= count; at += PERIOD) hash.update(bytes.subarray(0, PERIOD))
  return hash.update(bytes.subarray(0, count - at)).digest('hex')
}

/** Receives the pattern and checks it as it comes. */
class Sink {
  bytes = 0
  readonly #hash: Hash | undefined
  readonly #pattern = pattern()

  constructor(check: Check) {
    this.#hash = check === 'hash' ? createHash('sha256') : undefined
  }

  take(chunk: Uint8Array): void {
    if (this.#hash !== undefined) this.#hash.update(chunk)
    else {
      const at = this.bytes % PERIOD
      if (this.#pattern.compare(chunk, 0, chunk.length, at, at + chunk.length) !== 0) {
        throw new Error(`the bytes from ${this.bytes} to ${this.bytes + chunk.length} are not those sent`)
      }
    }
    this.bytes += chunk.length
  }

  digest(): string {
    return this.#hash?.digest('hex') ?? ''
  }
}

/** Writes the first `count` bytes of the pattern, as fast as the socket takes them. */
async function pour(socket: Socket, count: number): Promise<void> {
  const bytes = pattern()
  const closed = new Promise<'closed'>((resolve) => socket.once('close', () => resolve('closed')))
  for (let sent = 0; sent < count; ) {
    const at = sent % PERIOD
    const size = Math.min(WRITE_BYTES, count - sent)
    sent += size
    if (socket.write(bytes.subarray(at, at + size))) continue
    const drained = new Promise<'drained'>((resolve) => socket.once('drain', () => resolve('drained')))
    if ((await Promise.race([drained, closed])) === 'closed') {
      throw new Error(`the connection closed after at most ${sent} of ${count} bytes`)
    }
  }
}

function serveOne(socket: Socket): void {
  let line = ''
  let sink: Sink | undefined
  let want = 0
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  const receive = (chunk: Buffer): void => {
    if (sink === undefined) return
    sink.take(chunk)
    if (sink.bytes >= want) socket.end(`${JSON.stringify({ bytes: sink.bytes, sha256: sink.digest() })}\n`)
  }
  socket.on('data', (chunk) => {
    if (sink !== undefined) return receive(chunk)
    const end = chunk.indexOf(10)
    line += chunk.toString('latin1', 0, end < 0 ? chunk.length : end)
    if (end < 0) return
    const [verb, count, check] = line.split(' ')
    want = Number(count)
    if (verb === 'get') {
      pour(socket, want).then(
        () => socket.end(),
        () => socket.destroy(),
      )
      return
    }
    sink = new Sink(check === 'hash' ? 'hash' : 'compare')
    if (end + 1 < chunk.length) receive(chunk.subarray(end + 1))
  })
}

/** Serves on host:port (0 = any) and returns the port. */
export function serve(host: string, port: number): Promise<{ port: number; close(): void }> {
  return new Promise((resolve, reject) => {
    const server = createServer({ highWaterMark: 1 << 20 }, serveOne)
    server.once('error', reject)
    server.listen(port, host, () => {
      const address = server.address()
      resolve({ port: typeof address === 'object' && address !== null ? address.port : 0, close: () => void server.close() })
    })
  })
}

/** Moves `count` bytes from (get) or to (put) a byte server behind `via`, checking each. */
export async function transfer(verb: 'get' | 'put', via: Via, host: string, port: number, count: number, check: Check): Promise<Result> {
  pattern()
  const socket = await dialVia(via, host, port, 30_000)
  const startedMs = performance.now()
  let firstByteMs = 0
  const sink = new Sink(check)
  let reply = ''
  const closed = new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      if (firstByteMs === 0) firstByteMs = performance.now() - startedMs
      try {
        if (verb === 'get') sink.take(chunk)
        else reply += chunk.toString()
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)))
        socket.destroy()
      }
    })
    socket.once('error', reject)
    socket.once('end', resolve)
    socket.once('close', () => resolve())
    socket.resume()
  })
  socket.write(verb === 'get' ? `get ${count}\n` : `put ${count} ${check}\n`)
  if (verb === 'put') await Promise.race([pour(socket, count), closed])
  await closed
  const seconds = (performance.now() - startedMs) / 1000
  socket.destroy()
  const expected = check === 'hash' ? patternHash(count) : ''
  if (verb === 'get') return { bytes: sink.bytes, seconds, firstByteMs, sha256: sink.digest(), expected }
  if (reply === '') throw new Error('the connection closed before the receipt came')
  const receipt = JSON.parse(reply) as { bytes: number; sha256: string }
  return { bytes: receipt.bytes, seconds, firstByteMs, sha256: receipt.sha256, expected }
}

async function main([verb, ...words]: string[]): Promise<void> {
  if (verb === 'serve') {
    const { port } = await serve(words[0] ?? '127.0.0.1', Number(words[1] ?? 0))
    console.log(JSON.stringify({ port }))
    return
  }
  const [kind, proxyPort, host = '', port, count, check] = words
  const via: Via = kind === 'socks5' || kind === 'http' ? { kind, port: Number(proxyPort) } : { kind: 'none' }
  const result = await transfer(verb === 'put' ? 'put' : 'get', via, host, Number(port), Number(count), check === 'hash' ? 'hash' : 'compare')
  console.log(JSON.stringify(result))
}

if (process.argv[1] === import.meta.filename) {
  main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  })
}
