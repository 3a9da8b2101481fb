/**
 * What an engine talks to outside the tunnel, as a program: TCP echo at 7, HTTP at 80 (says what it was asked), STUN at 3478 of both
 * families, a UDP echo at 5351 (a router's port) and one that hears searches to the group of UPnP at 1900. "ready" when all stand.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createWebServer } from 'node:http'
import { createServer } from 'node:net'
import { isDecodeError } from '../../main/engine/base/errors.ts'
import { decodeStunRequest, encodeStunResponse } from '../../main/engine/core/stun/stun.ts'

const echo = createServer((socket) => void socket.on('error', () => socket.destroy()).pipe(socket))
const web = createWebServer((request, response) => {
  response.setHeader('Connection', 'close')
  response.end(`${request.method} ${request.url}`)
})
echo.listen(7, '::')
web.listen(80, '::')
const all: Promise<unknown>[] = [once(echo, 'listening'), once(web, 'listening')]
for (const type of ['udp4', 'udp6'] as const) {
  const stun = createSocket({ type, ipv6Only: type === 'udp6' })
  stun.on('message', (bytes, from) => {
    const txId = decodeStunRequest(bytes)
    if (!isDecodeError(txId)) stun.send(encodeStunResponse(txId, { ip: from.address, port: from.port }), from.port, from.address)
  })
  stun.bind(3478)
  all.push(once(stun, 'listening'))
}
for (const port of [5351, 1900]) {
  const socket = createSocket('udp4')
  socket.on('message', (bytes, from) => socket.send(`heard ${bytes.toString()}`, from.port, from.address))
  socket.bind(port, () => port === 1900 && socket.addMembership('239.255.255.250', process.argv[2]))
  all.push(once(socket, 'listening'))
}
await Promise.all(all)
console.log('ready')
