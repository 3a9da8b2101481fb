/**
 * A steady beat over one TCP connection, as a program of its own, to see for how long a stream stands still.
 *
 *   beat.ts serve HOST                         prints {"port":N}, then sends back what it gets, until ended
 *   beat.ts beat PROXYPORT HOST PORT EVERYMS   through a SOCKS5 proxy on 127.0.0.1; prints Beat lines until ended
 *
 * An answer that comes later than 20 ms after the one before is a line; so is one answer in 100 ms.
 */
import { createServer, type AddressInfo } from 'node:net'
import { dialVia } from './proxy-client.ts'

/** One answer: when it came (wall clock, ms), and how long after the one before. `closed` ends the connection's lines. */
export type Beat = { atMs: number; gapMs: number } | { closed: string }

const TOLD_GAP_MS = 20
const TOLD_EVERY_MS = 100

function serve(host: string): void {
  const server = createServer((socket) => {
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  })
  server.listen(0, host, () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })))
}

async function beat(proxyPort: number, host: string, port: number, everyMs: number): Promise<void> {
  const socket = await dialVia({ kind: 'socks5', port: proxyPort }, host, port, 30_000)
  let lastMs = Date.now()
  let toldMs = 0
  socket.on('data', () => {
    const atMs = Date.now()
    const gapMs = atMs - lastMs
    lastMs = atMs
    if (gapMs < TOLD_GAP_MS && atMs - toldMs < TOLD_EVERY_MS) return
    toldMs = atMs
    console.log(JSON.stringify({ atMs, gapMs } satisfies Beat))
  })
  const end = (why: string): void => {
    console.log(JSON.stringify({ closed: why } satisfies Beat))
    process.exit(1)
  }
  socket.on('error', (error) => end(error.message))
  socket.on('close', () => end('closed'))
  socket.resume()
  setInterval(() => socket.write('.'), everyMs)
}

const [verb, ...words] = process.argv.slice(2)
if (verb === 'serve') serve(words[0] ?? '127.0.0.1')
else if (verb === 'beat') await beat(Number(words[0]), words[1] ?? '', Number(words[2]), Number(words[3]))
else process.exit(2)
