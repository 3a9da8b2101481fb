/**
 * One TCP connection that is used all the time, as a shell session is: numbered records out, the same bytes back.
 *
 *   steady-stream.ts serve PORT              echoes on 127.0.0.1:PORT until it is ended
 *   steady-stream.ts run PROXYPORT HOST PORT through a SOCKS5 proxy on 127.0.0.1; SIGTERM ends it in good order
 *
 * `run` prints "ready", then "p MS BYTES" for what came back (wall clock ms; at most one line in 5 ms), and at the end
 * "end {sent, got, equal, error?}" once everything sent is back, or 60 s later without it.
 */
import { createServer, type Socket } from 'node:net'
import { dialVia } from '../support/proxy-client.ts'

const RECORD_BYTES = 256
const EVERY_MS = 20
/** More than this is not sent ahead of its echo: a person stops typing too. */
const AHEAD_BYTES = 64 * 1024
const LAST_WAIT_MS = 60_000
const LINE_MS = 5

export interface StreamEnd {
  readonly sent: number
  readonly got: number
  readonly equal: boolean
  readonly error?: string
}

function serve(port: number): void {
  createServer((socket) => {
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  }).listen(port, '127.0.0.1', () => console.log('ready'))
}

/** The byte at a place of the stream; the period is no multiple of any packet's size. */
function byteAt(at: number): number {
  return (at % 65_521) & 255
}

async function runStream(proxyPort: number, host: string, port: number): Promise<void> {
  const socket = await dialVia({ kind: 'socks5', port: proxyPort }, host, port, 30_000)
  console.log('ready')
  let sent = 0
  let got = 0
  let equal = true
  let toldMs = 0
  const finish = (error?: string): void => {
    console.log(`end ${JSON.stringify({ sent, got, equal: equal && got === sent, ...(error === undefined ? {} : { error }) })}`)
    process.exit(0)
  }
  socket.on('data', (bytes: Buffer) => {
    for (let i = 0; i < bytes.length; i++) equal &&= bytes[i] === byteAt(got + i)
    got += bytes.length
    const nowMs = Date.now()
    if (nowMs - toldMs < LINE_MS) return
    toldMs = nowMs
    console.log(`p ${nowMs} ${got}`)
  })
  socket.resume()
  socket.on('error', (error) => finish(error.message))
  socket.on('close', () => finish('the connection closed'))
  const timer = setInterval(() => {
    if (sent - got >= AHEAD_BYTES) return
    sendRecord(socket, sent)
    sent += RECORD_BYTES
  }, EVERY_MS)
  process.on('SIGTERM', () => {
    clearInterval(timer)
    setInterval(() => void (got >= sent && finish()), 20)
    setTimeout(() => finish('not everything came back'), LAST_WAIT_MS)
  })
}

function sendRecord(socket: Socket, from: number): void {
  const record = Buffer.alloc(RECORD_BYTES)
  for (let i = 0; i < RECORD_BYTES; i++) record[i] = byteAt(from + i)
  socket.write(record)
}

if (import.meta.filename === process.argv[1]) {
  const [, , verb, ...words] = process.argv
  if (verb === 'serve') serve(Number(words[0]))
  else await runStream(Number(words[0]), words[1] ?? '', Number(words[2]))
}
