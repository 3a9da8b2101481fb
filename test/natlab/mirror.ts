/**
 * A server that tells everybody under which address it sees him, as a program: TCP and UDP at PORT, HTTP at WEBPORT, both
 * families. At PORT + 1 it tells him again and again, for as long as he stays. Every visitor is a line of JSON on standard output.
 *
 *   mirror.ts PORT WEBPORT
 */
import { createSocket } from 'node:dgram'
import { createServer as createWebServer } from 'node:http'
import { createServer } from 'node:net'

export interface Visit {
  readonly how: 'tcp' | 'udp' | 'http'
  readonly from: string
}

function note(how: Visit['how'], address: string): string {
  const from = address.replace(/^::ffff:/, '')
  console.log(JSON.stringify({ how, from } satisfies Visit))
  return from
}

const [port = 0, webPort = 0] = process.argv.slice(2).map(Number)
createServer((socket) => {
  socket.on('error', () => socket.destroy())
  socket.end(note('tcp', socket.remoteAddress ?? ''))
}).listen(port, '::')
createServer((socket) => {
  const from = note('tcp', socket.remoteAddress ?? '')
  socket.on('error', () => socket.destroy())
  socket.on('data', () => socket.write(`${from}\n`))
}).listen(port + 1, '::')
createWebServer((request, response) => {
  response.setHeader('Connection', 'close')
  response.end(note('http', request.socket.remoteAddress ?? ''))
}).listen(webPort, '::')
for (const type of ['udp4', 'udp6'] as const) {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' })
  socket.on('message', (_, { address, port: back }) => socket.send(note('udp', address), back, address))
  socket.on('error', (error) => {
    throw error
  })
  socket.bind(port, type === 'udp4' ? '0.0.0.0' : '::')
}
