/**
 * The STUN server and the NAT that stands behind it, on real loopback sockets.
 */
import dgram from 'node:dgram'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { isDecodeError } from '../../../main/engine/base/errors.ts'
import type { AddrPort } from '../../../main/engine/base/ip.ts'
import { decodeStunResponse, encodeStunRequest } from '../../../main/engine/core/stun/stun.ts'
import { UdpGate } from '../net/udp-gate.ts'
import { StunServer } from './stun-server.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

async function makeSocket(): Promise<dgram.Socket> {
  const socket = dgram.createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  closers.push(() => socket.close())
  return socket
}

async function makeStun(gate?: UdpGate): Promise<StunServer> {
  const stun = new StunServer(gate ? { seenAs: (from) => gate.publicOf(from) } : {})
  await stun.start()
  closers.push(() => stun.stop())
  return stun
}

function makeGate(): UdpGate {
  const gate = new UdpGate()
  closers.push(() => gate.stop())
  return gate
}

async function ask(socket: dgram.Socket, stun: StunServer): Promise<AddrPort> {
  socket.send(encodeStunRequest(new Uint8Array(12).fill(7)), stun.port, '127.0.0.1')
  const [bytes] = (await once(socket, 'message')) as [Buffer]
  const response = decodeStunResponse(bytes)
  if (isDecodeError(response)) throw new Error(response.reason)
  return response.mapped
}

test('a proper request gets the address it came from', async () => {
  const socket = await makeSocket()
  expect(await ask(socket, await makeStun())).toEqual({ ip: '127.0.0.1', port: socket.address().port })
})

test('a request without its fingerprint gets silence', async () => {
  const socket = await makeSocket()
  const stun = await makeStun()
  socket.send(encodeStunRequest(new Uint8Array(12)).subarray(0, 32), stun.port, '127.0.0.1')
  await ask(socket, stun)
  expect(stun.counts).toEqual({ answered: 1, ignored: 1 })
})

test('through the gate every socket has one public port, and replies come from the port that was asked', async () => {
  const gate = makeGate()
  const stun = await makeStun(gate)
  const [a, b] = [await makeSocket(), await makeSocket()]
  const publicA = await ask(a, stun)
  const publicB = await ask(b, stun)
  expect(publicA.port).not.toBe(a.address().port)
  expect(await ask(a, stun)).toEqual(publicA)
  gate.open()
  a.send('ping', publicB.port, '127.0.0.1')
  const [ping, pingFrom] = (await once(b, 'message')) as [Buffer, dgram.RemoteInfo]
  expect([String(ping), pingFrom.port]).toEqual(['ping', publicA.port])
  b.send('pong', pingFrom.port, '127.0.0.1')
  const [pong, pongFrom] = (await once(a, 'message')) as [Buffer, dgram.RemoteInfo]
  expect([String(pong), pongFrom.port]).toEqual(['pong', publicB.port])
})

test('a closed gate drops what goes between engines and lets STUN work', async () => {
  const gate = makeGate()
  const stun = await makeStun(gate)
  const [a, b] = [await makeSocket(), await makeSocket()]
  const publicB = await ask(b, stun)
  a.send('lost', publicB.port, '127.0.0.1')
  await ask(a, stun)
  await expect.poll(() => gate.counts.dropped).toBe(1)
  gate.open()
  a.send('found', publicB.port, '127.0.0.1')
  const [bytes] = (await once(b, 'message')) as [Buffer]
  expect(String(bytes)).toBe('found')
})
