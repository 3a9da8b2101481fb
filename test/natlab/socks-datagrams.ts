/**
 * UDP through a SOCKS5 proxy or without one: one question, one answer. Source: RFC 1928 §4, §7.
 */
import { createSocket } from 'node:dgram'
import { connect, isIP } from 'node:net'

const QUESTION = Buffer.from('who am I?')

/** Sends one datagram to host:port, through the proxy at 127.0.0.1 where there is one, and answers the text of the first that comes back. */
export function askByUdp(proxyPort: number | undefined, host: string, port: number, patienceMs: number): Promise<string> {
  return proxyPort === undefined ? askPlainly(host, port, patienceMs) : askByProxy(proxyPort, host, port, patienceMs)
}

function askPlainly(host: string, port: number, patienceMs: number): Promise<string> {
  const socket = createSocket({ type: isIP(host) === 6 ? 'udp6' : 'udp4', signal: AbortSignal.timeout(patienceMs) })
  return new Promise((resolve, reject) => {
    socket.on('close', () => reject(new Error(`no datagram from ${host}:${port} in ${patienceMs} ms`)))
    socket.on('error', reject)
    socket.on('message', (bytes) => resolve(bytes.toString()))
    socket.send(QUESTION, port, host)
  })
}

async function askByProxy(proxyPort: number, host: string, port: number, patienceMs: number): Promise<string> {
  const control = connect({ host: '127.0.0.1', port: proxyPort })
  const socket = createSocket('udp4')
  const timer = setTimeout(() => control.destroy(new Error(`no datagram from ${host}:${port} in ${patienceMs} ms`)), patienceMs)
  try {
    return await new Promise<string>((resolve, reject) => {
      control.on('error', reject)
      control.on('close', () => reject(new Error('the proxy closed the association')))
      socket.on('error', reject)
      socket.on('message', (bytes) => resolve(bytes.subarray(headLength(bytes)).toString()))
      associate(control, (relayPort) => socket.send(Buffer.concat([Buffer.of(0, 0, 0), addressOf(host), Buffer.of(port >> 8, port & 255), QUESTION]), relayPort, '127.0.0.1'), reject)
    })
  } finally {
    clearTimeout(timer)
    control.destroy()
    socket.close()
  }
}

function associate(control: ReturnType<typeof connect>, onRelay: (port: number) => void, onRefused: (error: Error) => void): void {
  let held = Buffer.alloc(0)
  let isGreeted = false
  control.on('connect', () => control.write(Buffer.of(5, 1, 0)))
  control.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk])
    if (!isGreeted && held.length >= 2) {
      isGreeted = true
      held = held.subarray(2)
      control.write(Buffer.of(5, 3, 0, 1, 0, 0, 0, 0, 0, 0))
    }
    if (!isGreeted || held.length < 10) return
    if (held[1] !== 0) return onRefused(new Error(`the proxy refused with ${held[1]}`))
    onRelay(held.readUInt16BE(held[3] === 4 ? 20 : 8))
  })
}

function addressOf(host: string): Buffer {
  const kind = isIP(host)
  if (kind === 4) return Buffer.of(1, ...host.split('.').map(Number))
  if (kind === 0) return Buffer.concat([Buffer.of(3, host.length), Buffer.from(host)])
  const [left = '', right = ''] = host.split('::')
  const wordsOf = (part: string): number[] => (part === '' ? [] : part.split(':').map((word) => parseInt(word, 16)))
  const [head, tail] = [wordsOf(left), wordsOf(right)]
  const all = [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail]
  return Buffer.of(4, ...all.flatMap((word) => [word >> 8, word & 255]))
}

function headLength(bytes: Buffer): number {
  return 4 + (bytes[3] === 1 ? 4 : bytes[3] === 4 ? 16 : 1 + (bytes[4] ?? 0)) + 2
}
