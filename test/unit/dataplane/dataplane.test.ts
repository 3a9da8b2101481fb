/**
 * The data plane through its one door: two of them in one process, real packet threads on loopback, a relay in memory.
 */
import { afterEach, describe, expect, test } from 'vitest'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createHash } from 'node:crypto'
import { EngineError } from '../../../main/engine/base/errors.ts'
import { waitFor } from '../../support/wait.ts'
import { allowTcp, configOf, connectDirect, connectRelay, MemoryRelay, startNode } from './pair.ts'
import type { TestNode } from './pair.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0).toReversed()) stop()
})

function node(name: string, relay?: MemoryRelay): TestNode {
  const made = startNode(name, relay)
  stops.push(() => made.plane.stop())
  return made
}

/** A local service on loopback. */
async function serve(handle: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    handle(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stops.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Sends `sizeBytes` of a pattern over a dialled stream; resolves when all is handed over. */
async function pour(socket: Socket, sizeBytes: number): Promise<string> {
  const hash = createHash('sha256')
  const chunk = Buffer.alloc(50_000)
  for (let sent = 0, round = 0; sent < sizeBytes; round++) {
    chunk.fill(round % 251)
    const piece = Buffer.from(chunk.subarray(0, Math.min(chunk.length, sizeBytes - sent)))
    hash.update(piece)
    sent += piece.length
    if (!socket.write(piece)) await new Promise((resolve) => socket.once('drain', resolve))
  }
  socket.end()
  return hash.digest('hex')
}

/** A service that resolves with the hash of the one stream that it gets. */
async function hashingService(): Promise<{ port: number; hash: Promise<string>; peer: Promise<{ ip: string; port: number }> }> {
  let done: (hash: string) => void
  let met: (peer: { ip: string; port: number }) => void
  const hash = new Promise<string>((resolve) => (done = resolve))
  const peer = new Promise<{ ip: string; port: number }>((resolve) => (met = resolve))
  const port = await serve((socket) => {
    met({ ip: socket.remoteAddress!, port: socket.remotePort! })
    const digest = createHash('sha256')
    socket.on('data', (data) => digest.update(data))
    socket.on('end', () => {
      done(digest.digest('hex'))
      socket.end()
    })
  })
  return { port, hash, peer }
}

function link(a: TestNode, b: TestNode, ...ports: number[]): void {
  a.plane.setConfig(configOf(a, [b], []))
  b.plane.setConfig(configOf(b, [a], allowTcp(...ports)))
}

describe('two data planes', () => {
  test('ping each other by TSMP and ICMP, IPv4 and IPv6, and tell of the session once', async () => {
    const [a, b] = [node('a'), node('b')]
    link(a, b, 80)
    b.plane.setPeerApiPort(41112)
    connectDirect(a, b)
    expect(await a.plane.ping('tsmp', b.ip, 0, 3000)).toEqual({ latencyMs: expect.any(Number), peerApiPort: 41112 })
    expect((await a.plane.ping('tsmp', b.ip6, 0, 3000)).latencyMs).toBeLessThan(3000)
    expect((await a.plane.ping('icmp', b.ip, 64, 3000)).latencyMs).toBeLessThan(3000)
    await a.fact('handshake', (peer) => peer === b.nodeKey)
    await b.fact('handshake', (peer) => peer === a.nodeKey)
    await a.fact('activity', (peer, kind) => peer === b.nodeKey && kind === 'sending')
    await b.fact('activity', (peer, kind) => peer === a.nodeKey && kind === 'receiving')
    await b.fact('direct-proof', (peer) => peer === a.nodeKey)
    const stats = a.plane.stats().get(b.nodeKey)!
    expect(stats.lastHandshakeMs).toBeGreaterThan(1.7e12)
    expect(stats.txPackets).toBeGreaterThan(0)
    expect(a.facts.filter((fact) => fact.name === 'handshake')).toHaveLength(1)
  })

  test('a ping that nobody answers fails with a timeout', async () => {
    const [a, b] = [node('a'), node('b')]
    link(a, b)
    await expect(a.plane.ping('tsmp', b.ip, 0, 50)).rejects.toMatchObject({ code: 'timeout' })
    await expect(a.plane.ping('tsmp', '100.64.99.99', 0, 5000)).rejects.toBeInstanceOf(EngineError)
  })

  test('a stream through the direct path arrives whole, and its loopback source leads back to its tunnel address', async () => {
    const [a, b] = [node('a'), node('b')]
    const service = await hashingService()
    link(a, b, service.port)
    connectDirect(a, b)
    const socket = await a.plane.dial(b.ip, service.port, 3000)
    expect(b.plane.flowOwner('tcp', await service.peer)).toMatchObject({ ip: a.ip })
    expect(b.plane.flowOwner('tcp', { ip: '127.0.0.1', port: 1 })).toBeUndefined()
    const sent = await pour(socket, 5_000_000)
    expect(await service.hash).toBe(sent)
  })

  test('a stream through a relay arrives whole', async () => {
    const relay = new MemoryRelay()
    const [a, b] = [node('a', relay), node('b', relay)]
    const service = await hashingService()
    link(a, b, service.port)
    connectRelay(a, b)
    const socket = await a.plane.dial(b.ip, service.port, 3000)
    const sent = await pour(socket, 2_000_000)
    expect(await service.hash).toBe(sent)
    // Packets are as large as a relay takes them.
    expect(relay.frames).toBeGreaterThan(200)
  })

  test('a stream goes on whole while its path changes from relay to both to direct', async () => {
    const relay = new MemoryRelay()
    const [a, b] = [node('a', relay), node('b', relay)]
    const service = await hashingService()
    link(a, b, service.port)
    connectRelay(a, b)
    const socket = await a.plane.dial(b.ip, service.port, 3000)
    const poured = pour(socket, 6_000_000)
    await b.fact('activity', (_peer, kind) => kind === 'receiving')
    const addr = { ip: '127.0.0.1', port: b.port }
    a.plane.setPath(b.nodeKey, { kind: 'both', addr, region: 1 })
    await b.fact('direct-proof', (peer) => peer === a.nodeKey)
    connectDirect(a, b)
    relay.broken = true
    expect(await service.hash).toBe(await poured)
  })

  test('without a rule nothing comes in, the opener learns why, and a rule opens the port at once', async () => {
    const [a, b] = [node('a'), node('b')]
    const service = await hashingService()
    link(a, b)
    connectDirect(a, b)
    await expect(a.plane.dial(b.ip, service.port, 5000)).rejects.toMatchObject({ code: 'access-denied' })
    const told = await b.fact('rejected')
    const to = { ip: b.ip, port: service.port }
    expect(told.args[0]).toMatchObject({ direction: 'inbound', proto: 6, reason: 'acl', peer: a.nodeKey, to })
    await a.fact('rejected', (reject) => (reject as { direction: string }).direction === 'outbound')
    b.plane.setConfig(configOf(b, [a], allowTcp(service.port)))
    const socket = await a.plane.dial(b.ip, service.port, 3000)
    socket.destroy()
  })

  test('a rule that goes takes the open streams with it', async () => {
    const [a, b] = [node('a'), node('b')]
    const port = await serve((socket) => socket.write('hello'))
    link(a, b, port)
    connectDirect(a, b)
    const socket = await a.plane.dial(b.ip, port, 3000)
    await new Promise((resolve) => socket.once('data', resolve))
    const ended = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => {})
    const sinceMs = performance.now()
    b.plane.setConfig(configOf(b, [a], []))
    await ended
    expect(performance.now() - sinceMs).toBeLessThan(2000)
    expect(b.plane.counters()['stack_flows_cut']).toBe(1)
  })

  test('a port of the engine needs no rule and comes up as a stream with both addresses', async () => {
    const [a, b] = [node('a'), node('b')]
    link(a, b)
    b.plane.setPeerApiPort(7777)
    connectDirect(a, b)
    const socket = await a.plane.dial(b.ip, 7777, 3000)
    const told = await b.fact('inbound-stream')
    const stream = told.args[0] as { socket: Socket; from: { ip: string }; to: { ip: string; port: number } }
    expect(stream).toMatchObject({ from: { ip: a.ip }, to: { ip: b.ip, port: 7777 } })
    stream.socket.end('from the engine')
    const text = await new Promise<string>((resolve) => {
      let got = ''
      socket.on('data', (data) => (got += String(data)))
      socket.on('end', () => resolve(got))
    })
    expect(text).toBe('from the engine')
    socket.destroy()
  })

  test('an unknown peer is announced, and its handshake goes on when the peer arrives', async () => {
    const [a, b] = [node('a'), node('b')]
    a.plane.setConfig(configOf(a, [b], []))
    b.plane.setConfig(configOf(b, [], []))
    a.plane.setPath(b.nodeKey, { kind: 'direct', addr: { ip: '127.0.0.1', port: b.port } })
    a.plane.ping('tsmp', b.ip, 0, 4000).catch(() => {})
    await b.fact('unknown-peer', (key) => key === a.nodeKey)
    b.plane.setConfig(configOf(b, [a], []))
    b.plane.setPath(a.nodeKey, { kind: 'direct', addr: { ip: '127.0.0.1', port: a.port } })
    // The first one may have come before the path did that its answer takes.
    await waitFor('a pong', () => a.plane.ping('tsmp', b.ip, 0, 2000).catch(() => undefined), { withinMs: 30_000 })
  })

  test('datagrams that are not WireGuard go up whole with their source', async () => {
    const [a, b] = [node('a'), node('b')]
    const disco = Buffer.alloc(1400, 7)
    disco.set([0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac])
    for (const bytes of [disco, new Uint8Array(0), new Uint8Array(9000)]) a.plane.sendUdp({ ip: '127.0.0.1', port: b.port }, bytes)
    a.plane.sendUdp({ ip: '::1', port: b.port }, disco.subarray(0, 62))
    const first = await b.fact('unclaimed', (from) => (from as { ip: string }).ip === '127.0.0.1')
    expect(first.args).toEqual([{ ip: '127.0.0.1', port: a.port }, new Uint8Array(disco)])
    const second = await b.fact('unclaimed', (from) => (from as { ip: string }).ip === '::1')
    expect((second.args[1] as Uint8Array).length).toBe(62)
    expect(b.facts.filter((fact) => fact.name === 'unclaimed')).toHaveLength(2)
  })

  test('a proxy request asks for a decision, and the tunnel answer reaches the peer', async () => {
    const [a, b] = [node('a'), node('b')]
    const port = await serve((socket) => socket.end('page'))
    link(a, b, port)
    connectDirect(a, b)
    const bound = a.plane.listenProxy('socks5', { ip: '127.0.0.1', port: 0 })
    const { connect } = await import('node:net')
    const client = connect(bound.port, bound.ip)
    const name = Buffer.from('web.example')
    const [hello, request, tail] = [[5, 1, 0], [5, 1, 0, 3, name.length], [port >> 8, port & 255]].map((bytes) => Buffer.from(bytes))
    client.write(Buffer.concat([hello!, request!, name, tail!]))
    const asked = await a.fact('proxy-request')
    expect(asked.args[0]).toMatchObject({ via: 'socks5', host: 'web.example', port })
    a.plane.answerProxy((asked.args[0] as { id: number }).id, { kind: 'tunnel', addresses: [b.ip], port })
    const got = await new Promise<Buffer>((resolve) => {
      const parts: Buffer[] = []
      client.on('data', (data: Buffer) => parts.push(data))
      client.on('close', () => resolve(Buffer.concat(parts)))
    })
    expect(got.subarray(-4).toString()).toBe('page')
    expect(() => a.plane.listenProxy('http', bound)).toThrow(expect.objectContaining({ code: 'address-in-use' }))
  })
})

describe('one data plane', () => {
  test('reaches its own services by its own tunnel address', async () => {
    const [a, b] = [node('a'), node('b')]
    const service = await hashingService()
    link(a, b)
    const socket = await a.plane.dial(a.ip, service.port, 3000)
    const sent = await pour(socket, 300_000)
    expect(await service.hash).toBe(sent)
  })

  test('a configuration of equal value is unchanged', () => {
    const [a, b] = [node('a'), node('b')]
    expect(a.plane.setConfig(configOf(a, [b], allowTcp(80)))).toBe('changed')
    expect(a.plane.setConfig(configOf(a, [b], allowTcp(80)))).toBe('unchanged')
    expect(a.plane.setConfig(configOf(a, [], allowTcp(80)))).toBe('changed')
    expect(a.plane.stats().size).toBe(0)
  })

  test('a taken port gives another, and new sockets keep the port', () => {
    const [a, b] = [node('a'), node('b')]
    expect(a.port).not.toBe(b.port)
    expect(a.plane.rebind([b.port, a.port])).toBe(a.port)
    expect(a.plane.rebind([b.port])).not.toBe(b.port)
  })

  test('stopping ends what waits and later calls say so', async () => {
    const [a, b] = [node('a'), node('b')]
    link(a, b)
    const dialled = a.plane.dial(b.ip, 80, 5000)
    const pinged = a.plane.ping('tsmp', b.ip, 0, 5000)
    a.plane.stop()
    await expect(dialled).rejects.toMatchObject({ code: 'aborted' })
    await expect(pinged).rejects.toMatchObject({ code: 'aborted' })
    expect(() => a.plane.setPeerApiPort(0)).toThrow(expect.objectContaining({ code: 'native-failed' }))
    a.plane.stop()
  })
})
