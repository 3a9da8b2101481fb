/**
 * Forwards and engine datagrams through the data plane's one door, with real packet threads on loopback.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { EngineDatagram, ForwardRequest, InboundStream } from '../../../main/engine/dataplane/ports.ts'
import { allowTcp, configOf, connectDirect, startNode } from './pair.ts'
import type { TestNode } from './pair.ts'

const LOCAL = { ip: '127.0.0.1', port: 0 }
const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0).toReversed()) stop()
})

function node(name: string): TestNode {
  const made = startNode(name)
  stops.push(() => made.plane.stop())
  return made
}

function dialForward(port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  stops.push(() => socket.destroy())
  return socket.on('error', () => {})
}

/** Resolves when the connection is over, by a reset too. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

test('a connection at a forward asks with its number, and what it says early arrives at the peer', async () => {
  const [a, b] = [node('a'), node('b')]
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  stops.push(() => server.close())
  const { port } = server.address() as AddressInfo
  a.plane.setConfig(configOf(a, [b], []))
  b.plane.setConfig(configOf(b, [a], allowTcp(port)))
  connectDirect(a, b)
  const door = a.plane.listenForward(7, 'tcp', LOCAL)
  const client = dialForward(door.port)
  client.write('early')
  const [request] = (await a.fact('forward-request')).args as [ForwardRequest]
  expect(request).toMatchObject({ forward: 7, from: { ip: '127.0.0.1' } })
  a.plane.answerProxy(request.id, { kind: 'tunnel', addresses: [b.ip], port })
  expect(String((await once(client, 'data'))[0])).toBe('early')
  expect(a.plane.forwardCounts()).toEqual([{ id: 7, open: 1, total: 1 }])
  a.plane.closeForward(7)
  await closeOf(client)
  expect(a.plane.forwardCounts()).toEqual([])
})

test('a connection that nobody takes is reset and told with its code', async () => {
  const [a, b] = [node('a'), node('b')]
  a.plane.setConfig(configOf(a, [b], []))
  b.plane.setConfig(configOf(b, [a], allowTcp(1)))
  connectDirect(a, b)
  const client = dialForward(a.plane.listenForward(3, 'tcp', LOCAL).port)
  const closed = closeOf(client)
  const [request] = (await a.fact('forward-request')).args as [ForwardRequest]
  a.plane.answerProxy(request.id, { kind: 'tunnel', addresses: [b.ip], port: 1 })
  expect((await a.fact('forward-failed')).args).toEqual([3, 'refused'])
  await closed
})

test('what a peer\'s filter forbids ends a connection at a forward as blocked, at once', async () => {
  const [a, b] = [node('a'), node('b')]
  a.plane.setConfig(configOf(a, [b], []))
  b.plane.setConfig(configOf(b, [a], []))
  connectDirect(a, b)
  const client = dialForward(a.plane.listenForward(3, 'tcp', LOCAL).port)
  const closed = closeOf(client)
  const [request] = (await a.fact('forward-request')).args as [ForwardRequest]
  a.plane.answerProxy(request.id, { kind: 'tunnel', addresses: [b.ip], port: 80 })
  expect((await a.fact('forward-failed')).args).toEqual([3, 'blocked'])
  await closed
})

test('a forward is refused beyond this machine, and told apart when its port is taken', async () => {
  const a = node('a')
  expect(() => a.plane.listenForward(1, 'tcp', { ip: '0.0.0.0', port: 0 })).toThrow('this machine alone')
  const taken = a.plane.listenForward(1, 'udp', LOCAL)
  expect(() => a.plane.listenForward(2, 'udp', taken)).toThrow(expect.objectContaining({ code: 'address-in-use' }))
})

test('a program speaks with the engine by a forward: datagrams and a stream', async () => {
  const a = node('a')
  a.plane.setConfig(configOf(a, [], []))
  const to = { ip: '100.100.100.100', port: 53 }
  const udp = a.plane.listenForward(1, 'udp', LOCAL)
  const socket = createSocket('udp4')
  stops.push(() => socket.close())
  socket.send('question', udp.port, '127.0.0.1')
  const [asked] = (await a.fact('forward-request')).args as [ForwardRequest]
  a.plane.answerProxy(asked.id, { kind: 'engine', to })
  const [datagram] = (await a.fact('engine-datagram')).args as [EngineDatagram]
  expect({ to: datagram.to, bytes: String(Buffer.from(datagram.bytes)) }).toEqual({ to, bytes: 'question' })
  expect(datagram.from.port).toBe(socket.address().port)
  const answered = once(socket, 'message')
  a.plane.answerDatagram(datagram.id, Buffer.from('answer'))
  expect(String((await answered)[0])).toBe('answer')

  const client = dialForward(a.plane.listenForward(2, 'tcp', LOCAL).port)
  const [request] = (await a.fact('forward-request', (one) => (one as ForwardRequest).forward === 2)).args as [ForwardRequest]
  a.plane.answerProxy(request.id, { kind: 'engine', to })
  const [stream] = (await a.fact('inbound-stream')).args as [InboundStream]
  expect(stream.to).toEqual(to)
  stream.socket.end('hello')
  expect(String((await once(client, 'data'))[0])).toBe('hello')
})

test('a proxy that is closed takes no more clients', async () => {
  const a = node('a')
  const proxy = a.plane.listenProxy('both', LOCAL)
  a.plane.closeProxy(proxy)
  const client = connect(proxy.port, '127.0.0.1')
  const refused = (await once(client, 'error')) as [NodeJS.ErrnoException]
  expect(refused[0].code).toBe('ECONNREFUSED')
})
