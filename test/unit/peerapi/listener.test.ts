/**
 * The PeerAPI over real streams: who is let in, what is answered, and what a hostile device cannot do.
 */
import { once } from 'node:events'
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Route, Visit } from '../../../main/engine/peerapi/ports.ts'
import { waitFor } from '../../support/wait.ts'
import { ask, HOST, makePeerApi, PEER_IP, peer, self, type PeerApiRig } from './rig.ts'

let rig: PeerApiRig
const visits: Visit[] = []

beforeEach(async () => {
  visits.length = 0
  rig = await makePeerApi([
    { path: '/v0/all/', serve: (visit) => (visits.push(visit), { status: 200, body: 'all' }) },
    { path: '/v0/breaks', serve: () => Promise.reject(new Error('a secret detail')) },
  ])
})
afterEach(() => rig.stop())

const get = (path: string, ...headers: readonly string[]): string => [`GET ${path} HTTP/1.1`, `Host: ${HOST}`, ...headers, '', ''].join('\r\n')
const askNew = async (request: string | Uint8Array, ip?: string): Promise<string> => ask(await rig.connect(ip), request)
const closed = (socket: Socket): Promise<void> => new Promise((resolve) => void (socket.destroyed ? resolve() : socket.once('close', () => resolve())))
const statusOf = (answer: string): number => Number(answer.split(' ')[1])

describe('a device of the network', () => {
  test('is greeted by its user and name, with nothing of theirs taken as HTML', async () => {
    const answer = await askNew(get('/'))
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(answer).toContain('Hello, Alice &lt;b&gt; (100.64.0.2)')
    expect(answer).toContain('is called n1. Yours is called n2.')
    expect(answer).toContain('same owner')
    expect(rig.journal).toContainEqual(expect.objectContaining({ part: 'peerapi', kind: 'served', peer: peer.Key, path: '/', status: 200 }))
  })

  test('that has a tag has no owner', async () => {
    rig.callers.set(PEER_IP, { ...rig.callers.get(PEER_IP)!, node: { ...peer, Tags: ['tag:server'] } })
    expect(await askNew(get('/'))).not.toContain('owner')
  })

  test('asks several things over one connection', async () => {
    const socket = await rig.connect()
    expect(statusOf(await ask(socket, get('/nope')))).toBe(404)
    expect(statusOf(await ask(socket, get('/')))).toBe(200)
    expect(rig.listener.connections).toBe(1)
    socket.destroy()
  })

  test('reads our answer although it has not sent its whole body', async () => {
    const answer = await askNew(`POST /nope HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 9000000\r\n\r\n${'x'.repeat(500_000)}`)
    expect(statusOf(answer)).toBe(404)
    expect(answer).toMatch(/connection: close/i)
  })

  test('reaches what other parts serve, with path and query as it sent them', async () => {
    expect(await askNew(get('/v0/all/a%2Fb?x=1'))).toContain('\r\n\r\nall')
    expect(visits[0]).toMatchObject({ path: '/v0/all/a%2Fb', query: 'x=1', method: 'GET', from: PEER_IP, caller: { node: peer } })
  })

  test('is told nothing of what broke in us', async () => {
    const answer = await askNew(get('/v0/breaks'))
    expect(statusOf(answer)).toBe(500)
    expect(answer).not.toContain('secret')
  })
})

describe('nobody else', () => {
  test('is served: an address of no device is closed without a word', async () => {
    expect(await askNew(get('/'), '100.64.0.99')).toBe('')
    expect(rig.listener.counters()).toMatchObject({ peerapi_unknown: 1, peerapi_requests: 0 })
  })

  test('inherits a connection: an address that went to another device is closed at the next request', async () => {
    const socket = await rig.connect()
    expect(statusOf(await ask(socket, get('/')))).toBe(200)
    rig.callers.set(PEER_IP, { ...rig.callers.get(PEER_IP)!, node: { ...peer, StableID: 'n3' } })
    expect(await ask(socket, get('/'))).not.toContain('200')
  })
})

describe('a web page', () => {
  test.each([
    ['Origin', get('/', 'Origin: http://evil.example')],
    ['an opaque Origin', get('/', 'Origin: null')],
    ['Referer', get('/', 'Referer: http://evil.example/')],
    ['neither, from another site', get('/', 'Sec-Fetch-Site: cross-site')],
    ['neither, from the same site', get('/', 'Sec-Fetch-Site: same-origin')],
    ['a name that was rebound to our address', 'GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n'],
    ['a rebound name with our port', 'GET / HTTP/1.1\r\nHost: evil.example:58436\r\n\r\n'],
    ['a name that begins with our address', `GET / HTTP/1.1\r\nHost: ${HOST}.evil.example\r\n\r\n`],
    ['our address without a port', 'GET / HTTP/1.1\r\nHost: 100.64.0.1\r\n\r\n'],
    ['the address of another device', 'GET / HTTP/1.1\r\nHost: 100.64.0.2:58436\r\n\r\n'],
    ['a second Host', `GET / HTTP/1.1\r\nHost: evil.example\r\nHost: ${HOST}\r\n\r\n`],
    ['a second Host behind ours', `GET / HTTP/1.1\r\nHost: ${HOST}\r\nHost: evil.example\r\n\r\n`],
    ['a target with a name', `GET http://evil.example/ HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`],
  ])('that sends %s is refused', async (_name, request) => {
    expect([400, 403]).toContain(statusOf(await askNew(request)))
    expect(visits).toEqual([])
  })

  test('that a person opens by our address gets the greeting, and no other page may frame or read it', async () => {
    const answer = await askNew(get('/', 'Sec-Fetch-Site: none', 'User-Agent: Mozilla/5.0'))
    expect(statusOf(answer)).toBe(200)
    expect(answer).toMatch(/content-security-policy: default-src 'none'; frame-ancestors 'none'/i)
    expect(answer).toMatch(/cross-origin-resource-policy: same-origin/i)
    expect(answer).not.toMatch(/access-control/i)
  })
})

test('a device that knows us by another address may use that one alone', async () => {
  rig.callers.set(PEER_IP, { ...rig.callers.get(PEER_IP)!, node: { ...peer, SelfNodeV4MasqAddrForThisPeer: '100.100.1.1' } })
  expect(statusOf(await askNew('GET / HTTP/1.1\r\nHost: 100.100.1.1:58436\r\n\r\n'))).toBe(200)
  expect(statusOf(await askNew(get('/')))).toBe(403)
})

test('our IPv6 address is a host as well', async () => {
  const ip = self.Addresses![1]!.replace('/128', '')
  expect(statusOf(await askNew(`GET / HTTP/1.1\r\nHost: [${ip}]:58436\r\n\r\n`))).toBe(200)
})

describe('a hostile device', () => {
  test('that says nothing is cut off', async () => {
    const socket = await rig.connect()
    socket.resume()
    await waitFor('the connection', () => rig.listener.connections === 1, { withinMs: 30_000 })
    rig.clock.advance(10_001)
    await closed(socket)
    expect(rig.listener.counters()).toMatchObject({ peerapi_slow: 1 })
    expect(rig.listener.connections).toBe(0)
  })

  test('that sends its head byte by byte is cut off all the same', async () => {
    const socket = await rig.connect()
    socket.resume()
    await waitFor('the connection', () => rig.listener.connections === 1, { withinMs: 30_000 })
    for (const char of 'GET / HTT') {
      socket.write(char)
      rig.clock.advance(1_000)
    }
    rig.clock.advance(1_001)
    await closed(socket)
    expect(rig.listener.counters()).toMatchObject({ peerapi_slow: 1 })
  })

  test('that keeps a connection without asking again is cut off', async () => {
    const socket = await rig.connect()
    await ask(socket, get('/'))
    await waitFor('the answer to end', () => (rig.clock.advance(0), rig.listener.connections === 1), { withinMs: 30_000 })
    await new Promise((resolve) => setImmediate(resolve))
    rig.clock.advance(100_001)
    await closed(socket)
  })

  test('gets a bounded number of connections and leaves room for others; the rest wait in line and are told to come again', async () => {
    const other = '100.64.0.3'
    rig.callers.set(other, rig.callers.get(PEER_IP)!)
    const sockets: Socket[] = []
    for (let i = 0; i < 200; i++) {
      const socket = await rig.connect()
      socket.on('error', () => {}).resume()
      sockets.push(socket)
    }
    await waitFor('all to have come', () => rig.listener.counters()['peerapi_connections'] === 200, { withinMs: 30_000 })
    expect(rig.listener.connections).toBe(64)
    expect(statusOf(await askNew(get('/'), other))).toBe(200)
    let told = ''
    sockets[199]!.on('data', (bytes) => (told += String(bytes)))
    rig.clock.advance(10_000)
    await waitFor('the refusal', () => told.endsWith('too many connections\n'), { withinMs: 30_000 })
    expect(statusOf(told)).toBe(503)
    rig.clock.advance(1_000)
    await waitFor('all to be closed', () => sockets.every((socket) => socket.destroyed), { withinMs: 30_000 })
    expect(rig.listener.counters()).toMatchObject({ peerapi_connections: 201, peerapi_too_many: 136 })
    expect(rig.journal.length).toBeLessThan(30)
    await waitFor('every place to be free', () => rig.listener.connections <= 1, { withinMs: 30_000 })
  })

  test('with hundreds of requests at once is answered all of them, in turn', async () => {
    const answers = await Promise.all(Array.from({ length: 400 }, async () => {
      const socket = await rig.connect()
      const answer = await ask(socket, get('/v0/all/x', 'Connection: close'))
      socket.destroy()
      return statusOf(answer)
    }))
    expect(new Set(answers)).toEqual(new Set([200]))
  })

  test.each([
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['a head that is too long', `GET / HTTP/1.1\r\nHost: ${HOST}\r\nX: ${'x'.repeat(2 << 20)}\r\n\r\n`, 431],
    ['two lengths', `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400],
    ['a length and chunks', `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
  ])('that sends %s reads a refusal', async (_name, request, status) => {
    expect(statusOf(await askNew(request))).toBe(status)
    expect(rig.listener.counters()).toMatchObject({ peerapi_protocol_errors: 1 })
  })

  test('that sends nonsense behind a request reads the answer to that, and no more', async () => {
    const socket = await rig.connect()
    const answer = ask(socket, `PUT /v0/all/x HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 3\r\n\r\nabcdefghi`)
    expect(statusOf(await answer)).toBe(200)
    expect(await answer).toMatch(/connection: close/i)
    await closed(socket)
    expect(rig.listener.counters()).toMatchObject({ peerapi_protocol_errors: 1 })
  })

  test('that asks for a tunnel gets none', async () => {
    expect(await askNew('CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: peer\r\n\r\n')).toBe('')
  })

  test('that sends only the beginning of a preface is cut off', async () => {
    const socket = await rig.connect()
    socket.resume()
    socket.write('PR')
    await waitFor('the connection', () => rig.listener.connections === 1, { withinMs: 30_000 })
    rig.clock.advance(10_001)
    await closed(socket)
  })
})

describe('who serves a path', () => {
  const serving = async (serve: Route['serve']): Promise<Socket> => {
    await rig.stop()
    rig = await makePeerApi([{ path: '/x', serve }])
    return await rig.connect()
  }
  const all = async (socket: Socket): Promise<string> => {
    let got = ''
    for await (const bytes of socket) {
      got += (bytes as Buffer).toString('latin1')
      if (got.endsWith('\r\n0\r\n\r\n')) break
    }
    return got
  }

  test('may answer piece by piece, at the pace of who reads', async () => {
    let asked = 0
    const socket = await serving(() => ({
      status: 200,
      body: (async function* () {
        for (; asked < 200; asked++) yield 'z'.repeat(65_536)
      })(),
    }))
    socket.write(get('/x'))
    await once(socket, 'readable')
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(asked).toBeLessThan(100)
    const text = await all(socket)
    expect(text.split('z').length - 1).toBe(200 * 65_536)
  })

  test('and fails in the middle leaves no answer that looks whole', async () => {
    const socket = await serving(() => ({
      status: 200,
      body: (async function* () {
        yield 'a'
        await Promise.resolve()
        throw new Error('a secret')
      })(),
    }))
    socket.write(get('/x'))
    const text = await all(socket)
    expect(text).not.toMatch(/0\r\n\r\n$|secret/)
  })

  test('reads the headers behind a body', async () => {
    const socket = await serving(async ({ body, trailers }) => {
      const before = JSON.stringify(trailers())
      for await (const _ of body);
      return { status: 200, body: `${before} ${JSON.stringify(trailers())}` }
    })
    expect(await ask(socket, `PUT /x HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\nTrailer: A-B\r\n\r\n1\r\nx\r\n0\r\nA-B: c\r\n\r\n`)).toContain('{} {"a-b":"c"}')
  })

  test('may let a caller wait without its being cut, and hears when it leaves', async () => {
    let answer: ((text: string) => void) | undefined
    const seen: string[] = []
    const socket = await serving(async ({ hold, over }) => {
      const ours = rig.sockets.at(-1)!
      seen.push(`before ${ours.timeout}`)
      const [one, two] = [hold(), hold()]
      seen.push(`held ${ours.timeout ?? 0}`)
      over.addEventListener('abort', () => seen.push('over'))
      const body = await new Promise<string>((resolve) => (answer = resolve))
      one()
      seen.push(`still held ${ours.timeout ?? 0}`)
      two()
      two()
      seen.push(`free ${ours.timeout}`)
      return { status: 200, body }
    })
    const first = ask(socket, get('/x'))
    await waitFor('the request', () => answer, { withinMs: 30_000 })
    answer!('later')
    expect(await first).toContain('later')
    await waitFor('the end', () => seen.includes('over'), { withinMs: 30_000 })
    expect(seen).toEqual(['before 120000', 'held 0', 'still held 0', 'free 120000', 'over'])
    answer = undefined
    seen.length = 0
    socket.write(get('/x'))
    await waitFor('the request', () => answer, { withinMs: 30_000 })
    socket.destroy()
    await waitFor('the caller to be gone', () => seen.includes('over'), { withinMs: 30_000 })
  })
})

describe('HTTP/2 with prior knowledge', () => {
  async function session(): Promise<ClientHttp2Session> {
    const socket = await rig.connect()
    return connectHttp2(`http://${HOST}`, { createConnection: () => socket }).on('error', () => {})
  }

  async function askHttp2(over: ClientHttp2Session, headers: Record<string, string>): Promise<{ status: number; text: string }> {
    const stream = over.request(headers)
    stream.end()
    const [answer] = (await once(stream, 'response')) as [Record<string, number>]
    let text = ''
    for await (const bytes of stream) text += String(bytes)
    return { status: answer[':status']!, text }
  }

  test('is spoken on the same port, with the same rules', async () => {
    const over = await session()
    expect(await askHttp2(over, { ':path': '/' })).toMatchObject({ status: 200, text: expect.stringContaining('Hello') })
    expect(await askHttp2(over, { ':path': '/', ':method': 'HEAD' })).toEqual({ status: 200, text: '' })
    expect(await askHttp2(over, { ':path': '/nope' })).toMatchObject({ status: 404 })
    expect(await askHttp2(over, { ':path': '/', origin: 'http://evil.example' })).toMatchObject({ status: 403 })
    expect(await askHttp2(over, { ':path': '/', ':authority': 'evil.example' })).toMatchObject({ status: 403 })
    expect(rig.listener.counters()).toMatchObject({ peerapi_connections: 1, peerapi_requests: 5 })
    over.destroy()
    await waitFor('the place to be free', () => rig.listener.connections === 0, { withinMs: 30_000 })
  })

  test('without a request is cut off, pings or not', async () => {
    const over = await session()
    await once(over, 'remoteSettings')
    over.ping(() => {})
    rig.clock.advance(10_001)
    await once(over, 'close')
    expect(rig.listener.counters()).toMatchObject({ peerapi_slow: 1 })
  })

  test('with resets by the thousand ends, and others are served', async () => {
    const over = await session()
    await once(over, 'remoteSettings')
    for (let i = 0; i < 5_000 && !over.destroyed && !over.closed; i++) {
      const stream = over.request({ ':path': '/' }).on('error', () => {})
      stream.close(8)
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    over.destroy()
    expect(statusOf(await askNew(get('/')))).toBe(200)
    await waitFor('the place to be free', () => rig.listener.connections <= 1, { withinMs: 30_000 })
  })
})
