/**
 * The engine's own sockets, plain and steered, over loopback. A mark needs rights: without them only the refusal is shown.
 */
import { spawnSync } from 'node:child_process'
import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { EngineError } from '../../../main/engine/base/errors.ts'
import { AddressRace } from '../../../main/engine/io/address-race.ts'
import { loadNative } from '../../../main/engine/io/native.ts'
import { Wires, type WireMaker, type WireWay } from '../../../main/engine/io/wires.ts'
import { tlsPair } from '../../support/tls-files.ts'
import { waitFor } from '../../support/wait.ts'

const MARK = 0x80000
const maker = loadNative().wires
const mayMark = process.platform === 'linux' && ((): boolean => {
  try {
    new Wires(maker).steer({ mark: MARK })
    return true
  } catch {
    return false
  }
})()

const closes: (() => unknown)[] = []
afterEach(() => {
  for (const close of closes.splice(0)) close()
})

/** A maker that writes down how each descriptor was steered last; it makes real ones. */
class Watched implements WireMaker {
  readonly last = new Map<number, number>()
  fault: EngineError | undefined
  openStream(v6: boolean, way: WireWay): number {
    return this.#note(maker!.openStream(v6, mayMark ? way : {}), way)
  }

  openDatagram(ip: string, port: number, way: WireWay): number {
    return this.#note(maker!.openDatagram(ip, port, mayMark ? way : {}), way)
  }

  steer(fd: number, way: WireWay): void {
    if (mayMark) maker!.steer(fd, way)
    this.#note(fd, way)
  }

  #note(fd: number, way: WireWay): number {
    if (this.fault) throw this.fault
    this.last.set(fd, way.mark ?? 0)
    return fd
  }
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closes.push(() => server.close())
  return (server.address() as AddressInfo).port
}

const echo = (socket: Socket): void => void socket.on('error', () => {}).pipe(socket)

async function saysBack(socket: Socket | ReturnType<typeof connectTls>, text: string): Promise<string> {
  const heard = once(socket, 'data') as Promise<[Buffer]>
  socket.write(text)
  return (await heard)[0].toString()
}

const fdOf = (socket: Socket): number => (socket as unknown as { _handle: { fd: number } })._handle.fd

/** How many sockets this process has open. */
const openSockets = (): number => readdirSync('/proc/self/fd').filter((fd) => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
  } catch {
    return false
  }
}).length

async function listenUdp(): Promise<{ socket: DatagramSocket; port: number }> {
  const socket = createSocket('udp4')
  socket.on('message', (bytes, from) => socket.send(bytes, from.port, from.address))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  closes.push(() => socket.close())
  return { socket, port: socket.address().port }
}

test('without the add-on all is plain, and nothing can be steered', async () => {
  const wires = new Wires()
  const port = await listen(createServer(echo))
  const socket = wires.connect('127.0.0.1', port)
  expect(await saysBack(socket, 'hello')).toBe('hello')
  socket.destroy()
  const udp = await listenUdp()
  const heard = new Promise<string>((resolve) => {
    const mine = wires.datagrams(4, '127.0.0.1', (bound) => bound.send('hello', udp.port, '127.0.0.1'))
    mine.on('message', (bytes) => resolve(bytes.toString()))
    closes.push(() => mine.close())
  })
  expect(await heard).toBe('hello')
  expect(() => wires.steer({ mark: MARK })).toThrow(expect.objectContaining({ code: 'not-supported' }) as Error)
  expect(wires.way).toBeUndefined()
})

describe.skipIf(!maker)('sockets that are made steered', () => {
  const made = (): { wires: Wires; watched: Watched } => {
    const watched = new Watched()
    return { wires: new Wires(watched), watched }
  }

  test('carry bytes both ways, also under TLS, and are closed with their owner', async () => {
    const { wires, watched } = made()
    wires.steer({ mark: MARK })
    const port = await listen(createTlsServer(tlsPair('server'), (socket) => echo(socket)))
    const socket = wires.connect('127.0.0.1', port)
    await once(socket, 'connect')
    expect(watched.last.get(fdOf(socket))).toBe(MARK)
    const secure = connectTls({ socket, rejectUnauthorized: false })
    await once(secure, 'secureConnect')
    expect(await saysBack(secure, 'hello')).toBe('hello')
    secure.destroy()
    await once(socket, 'close')
  })

  test('may be used later than at once', async () => {
    const { wires } = made()
    wires.steer({ mark: MARK })
    const port = await listen(createServer((socket) => void socket.on('error', () => {}).end('hello')))
    const socket = wires.connect('127.0.0.1', port)
    await once(socket, 'connect')
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
    const [bytes] = (await once(socket, 'data')) as [Buffer]
    expect(bytes.toString()).toBe('hello')
    socket.destroy()
  })

  test("tell Node's own codes when nothing can be reached", async () => {
    const { wires } = made()
    wires.steer({ mark: MARK })
    const gone = createServer()
    const port = await listen(gone)
    gone.close()
    const [error] = (await once(wires.connect('127.0.0.1', port), 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNREFUSED')
  })

  test.skipIf(process.platform !== 'linux')('leave no descriptor behind when they are given up while connecting, refused, or cannot be bound', async () => {
    const { wires } = made()
    wires.steer({ mark: MARK })
    const port = await listen(createServer(echo))
    const before = openSockets()
    const ends: Promise<unknown>[] = []
    for (let i = 0; i < 20; i++) {
      const stop = new AbortController()
      const race = new AddressRace(wires, port, stop.signal)
      race.add(['127.0.0.1', '127.0.0.2'])
      stop.abort(new Error('enough'))
      ends.push(race.winner.catch(() => {}))
      const refused = wires.connect('127.0.0.1', 1)
      refused.on('error', () => {})
      ends.push(new Promise((resolve) => refused.once('close', resolve)))
      const elsewhere = wires.datagrams(4, '203.0.113.9', () => expect.unreachable())
      ends.push(once(elsewhere, 'error').then(() => elsewhere.close()))
      const early = wires.datagrams(4, '127.0.0.1', () => expect.unreachable())
      early.close()
    }
    await Promise.all(ends)
    await waitFor('all to be closed', () => openSockets() <= before || undefined, { withinMs: 30_000, everyMs: 10 })
  })

  test('are an error where they cannot be had, and never plain ones', async () => {
    const { wires, watched } = made()
    wires.steer({ mark: MARK })
    let connections = 0
    const port = await listen(createServer(() => void connections++))
    watched.fault = new EngineError('access-denied', 'no rights')
    const [error] = (await once(wires.connect('127.0.0.1', port), 'error')) as [EngineError]
    expect(error.code).toBe('access-denied')
    const socket = wires.datagrams(4, '127.0.0.1', () => expect.unreachable())
    expect(((await once(socket, 'error')) as [EngineError])[0].code).toBe('access-denied')
    socket.close()
    expect(connections).toBe(0)
  })

  test('datagrams go out and come back, by a connected socket too', async () => {
    const { wires, watched } = made()
    wires.steer({ mark: MARK })
    const udp = await listenUdp()
    const heard = await new Promise<string>((resolve) => {
      const socket = wires.datagrams(4, undefined, (bound) => bound.connect(udp.port, '127.0.0.1', () => bound.send('hello')))
      socket.on('message', (bytes) => resolve(bytes.toString()))
      closes.push(() => socket.close())
    })
    expect(heard).toBe('hello')
    expect([...watched.last.values()]).toContain(MARK)
  })
})

describe.skipIf(!maker)('a switch', () => {
  test('holds for sockets that live, those that are connecting, and those under TLS, and cuts none', async () => {
    const watched = new Watched()
    const wires = new Wires(watched)
    const port = await listen(createServer(echo))
    const tlsPort = await listen(createTlsServer(tlsPair('server'), (socket) => echo(socket)))
    const [plain, under] = [wires.connect('127.0.0.1', port), wires.connect('127.0.0.1', tlsPort)]
    await Promise.all([once(plain, 'connect'), once(under, 'connect')])
    const secure = connectTls({ socket: under, rejectUnauthorized: false })
    await once(secure, 'secureConnect')
    const udp = await listenUdp()
    const datagrams = await new Promise<DatagramSocket>((resolve) => wires.datagrams(4, '127.0.0.1', resolve))
    const late = wires.connect('127.0.0.1', port)
    watched.last.clear()
    wires.steer({ mark: MARK })
    await once(late, 'connect')
    await new Promise((resolve) => setImmediate(resolve))
    expect([plain, under, late].map((socket) => watched.last.get(fdOf(socket)))).toEqual([MARK, MARK, MARK])
    expect([await saysBack(plain, 'a'), await saysBack(secure, 'b'), await saysBack(late, 'c')]).toEqual(['a', 'b', 'c'])
    const answer = once(datagrams, 'message') as Promise<[Buffer]>
    datagrams.send('d', udp.port, '127.0.0.1')
    expect((await answer)[0].toString()).toBe('d')
    wires.steer(undefined)
    expect([plain, under, late].map((socket) => watched.last.get(fdOf(socket)))).toEqual([0, 0, 0])
    expect(await saysBack(plain, 'e')).toBe('e')
    for (const socket of [plain, late, secure]) socket.destroy()
    datagrams.close()
  })

  test('looks after no socket that was closed', async () => {
    const watched = new Watched()
    const wires = new Wires(watched)
    const port = await listen(createServer(echo))
    const socket = wires.connect('127.0.0.1', port)
    await once(socket, 'connect')
    const datagrams = await new Promise<DatagramSocket>((resolve) => wires.datagrams(4, '127.0.0.1', resolve))
    datagrams.close()
    socket.destroy()
    watched.last.clear()
    wires.steer({ mark: MARK })
    // The one of the trial.
    expect(watched.last.size).toBe(1)
  })

  test.skipIf(mayMark || process.platform !== 'linux')('is refused without rights, and all stays plain', () => {
    const wires = new Wires(maker)
    expect(() => wires.steer({ mark: MARK })).toThrow(expect.objectContaining({ code: 'access-denied' }) as Error)
    expect(wires.way).toBeUndefined()
  })

  test.skipIf(!mayMark)('is the mark that the system sees', async () => {
    const wires = new Wires(maker)
    const port = await listen(createServer(echo))
    const socket = wires.connect('127.0.0.1', port)
    await once(socket, 'connect')
    // "ss" prints marks where it may; without the program there is nothing to look at.
    const marked = (): string => spawnSync('ss', ['-tnie', `dport = :${port}`], { encoding: 'utf8' }).stdout ?? ''
    const has = marked() !== ''
    wires.steer({ mark: MARK })
    if (has) expect(marked()).toContain('fwmark:0x80000')
    wires.steer(undefined)
    if (has) expect(marked()).not.toContain('fwmark')
    socket.destroy()
  })

  test('of a kind that this system has not is refused', () => {
    const way: WireWay = process.platform === 'linux' ? { interface: 1 } : { mark: MARK }
    expect(() => new Wires(maker).steer(way)).toThrow(expect.objectContaining({ code: 'not-supported' }) as Error)
  })
})
