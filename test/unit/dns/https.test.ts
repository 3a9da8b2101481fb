/**
 * Questions over HTTP, against Node's own servers at the other end of streams in memory.
 */
import { createServer as createHttp1 } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttp2 } from 'node:http2'
import { duplexPair, type Duplex } from 'node:stream'
import { decode, encode } from 'dns-packet'
import { describe, expect, test } from 'vitest'
import { isDecodeError } from '../../../main/engine/base/errors.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { encodeQuery } from '../../../main/engine/dns/codec.ts'
import { HttpsAsker } from '../../../main/engine/dns/https.ts'
import type { Exchange, Message } from '../../../main/engine/dns/exchange.ts'
import { walk } from '../../../main/engine/dns/walk.ts'
import { HandClock, seededRandom } from '../../sim/clock.ts'

const MESSAGE = 'application/dns-message'
const env = { clock: new HandClock(), random: seededRandom(1), log: silentLog, journal: { add: () => {} } }

type Serve = (query: Buffer, request: { readonly url: string | undefined; readonly type: string | undefined }) => { status?: number; type?: string; body: Uint8Array } | 'silent' | 'hang-up'

const good: Serve = (query) => {
  const { id, questions } = decode(query)
  return { body: encode({ type: 'response', id: id!, questions: questions!, answers: [{ type: 'A', name: questions![0]!.name, ttl: 60, data: '192.0.2.80' }] }) }
}

function messageOf(name: string): Message {
  const bytes = encodeQuery(7, { name, type: 1 })
  const bones = walk(bytes)
  if (isDecodeError(bones)) throw new Error('no message')
  return { bytes, bones }
}

/** A server of each protocol; `dialled` counts connections. */
function serverOf(serve: Serve, protocol: 'http/1.1' | 'h2' = 'http/1.1'): { asker: HttpsAsker; dial: () => Promise<Duplex>; dialled: () => number; ask: (name: string) => Exchange; askPeer: (name: string) => Exchange } {
  let dialled = 0
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const answer = serve(Buffer.concat(chunks), { url: request.url, type: request.headers['content-type'] })
    if (answer === 'silent') return
    if (answer === 'hang-up') {
      const { stream } = request as unknown as { stream?: { session: { destroy(): void } } }
      return stream ? stream.session.destroy() : void request.socket.destroy()
    }
    response.writeHead(answer.status ?? 200, { 'content-type': answer.type ?? MESSAGE })
    response.end(answer.body)
  }
  const http1 = createHttp1((request, response) => void handle(request, response).catch(() => {}))
  const http2 = createHttp2((request, response) => void handle(request as never, response as never).catch(() => {}))
  const dial = async (): Promise<Duplex> => {
    dialled++
    const [near, far] = duplexPair()
    if (protocol === 'h2') http2.emit('connection', far)
    else http1.emit('connection', far)
    // Of a socket Node's keep-alive wants more than of a stream.
    const itself = (): Duplex => near
    return Object.assign(near, { setTimeout: itself, setKeepAlive: itself, setNoDelay: itself, ref: itself, unref: itself })
  }
  const asker = new HttpsAsker({ env, secure: async (stream, _host, alpn) => ({ stream, protocol: alpn.includes(protocol) ? protocol : undefined }) })
  return {
    asker, dial, dialled: () => dialled,
    ask: (name) => asker.askHttps('key', dial, 'https://dns.example/dns-query', messageOf(name), 5_000),
    askPeer: (name) => asker.askPeer({ datagram: () => () => {}, dial }, { ip: '100.64.0.3', port: 40_000 }, 'http://100.64.0.3:40000/dns-query', messageOf(name), 5_000),
  }
}

const addressIn = ({ bones }: Message): string | undefined => bones.records[0]?.value

describe.each([['http/1.1'], ['h2']] as const)('a server that speaks %s', (protocol) => {
  test('answers, with a number that says nothing', async () => {
    const numbers: number[] = []
    const { ask } = serverOf((query, request) => {
      numbers.push(decode(query).id!)
      expect(request).toEqual({ url: '/dns-query', type: MESSAGE })
      return good(query, request)
    }, protocol)
    expect(addressIn(await ask('www.example').answer)).toBe('192.0.2.80')
    expect(numbers).toEqual([0])
  })

  test.each<[string, ReturnType<Serve>, RegExp]>([
    ['refuses', { status: 403, body: new Uint8Array(0) }, /does not let this device ask/],
    ['has a fault', { status: 500, body: new Uint8Array(0) }, /HTTP status 500/],
    ['answers with a page', { type: 'text/html', body: Buffer.from('<html>') }, /no DNS message/],
    ['answers with rubbish', { body: Buffer.alloc(30, 9) }, /no answer to the question/],
    ['answers with a megabyte', { body: Buffer.alloc(1 << 20) }, /longer than a DNS message/],
    ['hangs up', 'hang-up', /./],
  ])('and %s is told in words', async (_what, answer, words) => {
    await expect(serverOf(() => answer, protocol).ask('www.example').answer).rejects.toThrow(words)
  })

  test('and is silent is left when time is up, or when another one answered', async () => {
    const { ask } = serverOf(() => 'silent', protocol)
    const late = ask('www.example')
    env.clock.advance(5_001)
    await expect(late.answer).rejects.toMatchObject({ code: 'timeout' })
    const left = ask('www.example')
    left.cancel()
    await expect(left.answer).rejects.toMatchObject({ code: 'aborted' })
  })
})

test('an HTTP/2 connection serves many questions', async () => {
  const { ask, dialled } = serverOf(good, 'h2')
  await ask('a.example').answer
  await Promise.all(['b.example', 'c.example'].map((name) => ask(name).answer))
  expect(dialled()).toBe(1)
})

test("a device's PeerAPI is asked again over the connection that is there, and over another one when that was closed", async () => {
  let isClosing = false
  const { askPeer, dialled } = serverOf((query, request) => {
    if (!isClosing) return good(query, request)
    isClosing = false
    return 'hang-up'
  })
  expect(addressIn(await askPeer('a.example').answer)).toBe('192.0.2.80')
  expect(addressIn(await askPeer('b.example').answer)).toBe('192.0.2.80')
  expect(dialled()).toBe(1)
  isClosing = true
  expect(addressIn(await askPeer('c.example').answer)).toBe('192.0.2.80')
  expect(dialled()).toBe(2)
})
