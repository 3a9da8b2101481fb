/**
 * UDP through a SOCKS5 proxy or without one: a question and its answer, or questions without end. Source: RFC 1928 §4, §7.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { connect, isIP } from 'node:net'
import { socksAddress } from '../support/proxy-client.ts'

const QUESTION = Buffer.from('who am I?')

/** Sends one datagram to host:port, through the proxy at 127.0.0.1 where there is one, and answers the first that comes back. */
export async function askByUdp(proxyPort: number | undefined, host: string, port: number, patienceMs: number, question: Uint8Array = QUESTION): Promise<Buffer> {
  const talk = await openTalk(proxyPort, host, port)
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no datagram from ${host}:${port} in ${patienceMs} ms`)), patienceMs)
      talk.onEnd(reject)
      talk.onAnswer(resolve)
      talk.send(question)
    })
  } finally {
    clearTimeout(timer)
    talk.close()
  }
}

/** Asks again and again until the proxy ends it or patience does; what the different answers were. */
export async function talkByUdp(proxyPort: number | undefined, host: string, port: number, patienceMs: number, everyMs: number): Promise<string[]> {
  const talk = await openTalk(proxyPort, host, port)
  const seen = new Set<string>()
  talk.onAnswer((bytes) => seen.add(bytes.toString()))
  const timer = setInterval(() => talk.send(QUESTION), everyMs)
  await new Promise<void>((resolve) => {
    talk.onEnd(() => resolve())
    setTimeout(resolve, patienceMs)
  })
  clearInterval(timer)
  talk.close()
  return [...seen]
}

interface Talk {
  send(bytes: Uint8Array): void
  onAnswer(take: (bytes: Buffer) => void): void
  onEnd(take: (error: Error) => void): void
  close(): void
}

async function openTalk(proxyPort: number | undefined, host: string, port: number): Promise<Talk> {
  const socket = createSocket(proxyPort === undefined && isIP(host) === 6 ? 'udp6' : 'udp4')
  if (proxyPort === undefined) return talkOf(socket, (bytes) => socket.send(bytes, port, host), () => 0)
  const control = connect({ host: '127.0.0.1', port: proxyPort })
  const relayPort = await new Promise<number>((resolve, reject) => {
    control.on('error', reject)
    control.on('close', () => reject(new Error('the proxy closed the association')))
    associate(control, resolve, reject)
  })
  const head = Buffer.concat([Buffer.of(0, 0, 0), socksAddress(host), Buffer.of(port >> 8, port & 255)])
  const talk = talkOf(socket, (bytes) => socket.send(Buffer.concat([head, bytes]), relayPort, '127.0.0.1'), headLength)
  return {
    ...talk,
    onEnd: (take) => {
      talk.onEnd(take)
      control.on('close', () => take(new Error('the proxy closed the association')))
    },
    close: () => {
      control.destroy()
      talk.close()
    },
  }
}

function talkOf(socket: UdpSocket, send: (bytes: Uint8Array) => void, skip: (bytes: Buffer) => number): Talk {
  return {
    send,
    onAnswer: (take) => void socket.on('message', (bytes) => take(bytes.subarray(skip(bytes)))),
    onEnd: (take) => void socket.on('error', take),
    close: () => socket.close(),
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

function headLength(bytes: Buffer): number {
  return 4 + (bytes[3] === 1 ? 4 : bytes[3] === 4 ? 16 : 1 + (bytes[4] ?? 0)) + 2
}
