import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EngineError } from '../../../main/engine/base/errors.ts'
import { makeLog } from '../../../main/engine/base/log.ts'
import { proxiesOf } from '../../../main/engine/io/host-proxies.ts'
import { MemoryStore } from '../../../main/engine/io/memory-store.ts'
import { Outside, type OutsideOptions } from '../../../main/engine/io/outside.ts'
import { ConnectProxy, type ConnectProxyOptions } from '../../support/connect-proxy.ts'
import { plainWays } from '../../support/plain-world.ts'
import { tlsFile, tlsPair } from '../../support/tls-files.ts'
import { systemClock, systemRandom } from '../../sim/clock.ts'

const stops: (() => unknown)[] = []
let told: string
beforeEach(() => (told = ''))
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stops.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function proxy(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const made = await new ConnectProxy({ resolve: (host) => (host.endsWith('.lab.internal') ? '127.0.0.1' : host), ...options }).start()
  stops.push(() => made.stop())
  return made
}

/** An engine's way out under an environment; what it logs and journals is in `told`. */
function outside(variables: Record<string, string>, hostProxies?: OutsideOptions['hostProxies']): Outside {
  const env = { clock: systemClock, random: systemRandom, log: makeLog('trace', (line) => void (told += `${line}\n`)), journal: { add: (entry: object) => void (told += `${JSON.stringify(entry)}\n`) } }
  const made = new Outside({ ...plainWays, env, store: new MemoryStore(), variables, server: () => 'https://hs.lab.internal', hostProxies })
  made.trust.add(tlsFile('home-ca.crt'))
  return made
}

const hello = (socket: Socket): void => void socket.on('error', () => {}).write('hello')
const tls = { servername: 'hs.lab.internal', rejectUnauthorized: true }

/** The first bytes of a connection, or the code of its failure and its text. */
async function heard(work: Promise<Socket>): Promise<string> {
  try {
    const socket = await work
    const text = await new Promise<string>((resolve, reject) => {
      socket.once('data', (chunk: Buffer) => resolve(chunk.toString()))
      socket.once('error', reject)
    })
    socket.destroy()
    return text
  } catch (error) {
    return `${(error as EngineError).code}: ${(error as EngineError).message}`
  }
}

describe('a connection by a proxy', () => {
  test('reaches by CONNECT what no DNS here knows, with TLS to the far end, user and password decoded', async () => {
    const port = await listen(createTlsServer(tlsPair('server'), hello))
    const by = await proxy({ credentials: 'an@a:p:w/ ä' })
    const out = outside({ HTTPS_PROXY: `http://an%40a:${encodeURIComponent('p:w/ ä')}@127.0.0.1:${by.port}` })
    expect(await heard(out.dial({ host: 'hs.lab.internal', port, tls, timeoutMs: 10_000 }))).toBe('hello')
    expect(by.asked).toEqual([`hs.lab.internal:${port}`])
    expect(told).toContain(`by the proxy http://127.0.0.1:${by.port}`)
    expect(told).not.toMatch(/p:w|p%3Aw|an@a|Basic/)
  })

  test('carries relays too, whatever addresses their map names', async () => {
    const port = await listen(createTlsServer(tlsPair('server'), hello))
    const by = await proxy()
    const out = outside({ ALL_PROXY: `http://127.0.0.1:${by.port}` })
    expect(await heard(out.dialRelay('relay.lab.internal', port, { tls: true, timeoutMs: 10_000, addresses: ['192.0.2.1'] }))).toBe('hello')
    expect(by.asked).toEqual([`relay.lab.internal:${port}`])
  })

  test('may have TLS to the proxy itself, or be SOCKS5 with and without a user', async () => {
    const port = await listen(createTlsServer(tlsPair('server'), hello))
    const overTls = await proxy({ tls: tlsPair('server') })
    expect(await heard(outside({ HTTPS_PROXY: `https://localhost:${overTls.port}` }).dial({ host: 'hs.lab.internal', port, tls, timeoutMs: 10_000 }))).toBe('hello')
    const open = await proxy()
    expect(await heard(outside({ ALL_PROXY: `socks5://127.0.0.1:${open.port}` }).dial({ host: 'hs.lab.internal', port, tls, timeoutMs: 10_000 }))).toBe('hello')
    const withUser = await proxy({ credentials: 'u:secret' })
    const out = (credentials: string): Outside => outside({ ALL_PROXY: `socks5://${credentials}127.0.0.1:${withUser.port}` })
    expect(await heard(out('u:secret@').dial({ host: 'hs.lab.internal', port, tls, timeoutMs: 10_000 }))).toBe('hello')
    expect(await heard(out('u:wrong@').dial({ host: 'hs.lab.internal', port, tls, timeoutMs: 10_000 }))).toMatch(/^proxy-sign-in: .*does not accept this user and password/)
    expect(await heard(out('').dial({ host: 'hs.lab.internal', port, tls, timeoutMs: 10_000 }))).toMatch(/^proxy-sign-in: .*wants a user and a password/)
  })

  test('of plain HTTP hands over the first bytes that come with the proxy’s answer', async () => {
    const port = await listen(createServer(hello))
    const by = await proxy()
    expect(await heard(outside({ HTTP_PROXY: `127.0.0.1:${by.port}` }).dial({ host: 'hs.lab.internal', port, timeoutMs: 10_000 }))).toBe('hello')
  })
})

describe('proxies that the system names', () => {
  const host = (answer: string): OutsideOptions['hostProxies'] => ({ proxiesFor: () => Promise.resolve(proxiesOf(answer)) })

  test('are tried in their order, and told as the system\'s', async () => {
    const by = await proxy()
    const port = await listen(createTlsServer(tlsPair('server'), hello))
    const dead = await proxy()
    await dead.stop()
    const out = outside({}, host(`PROXY 127.0.0.1:${dead.port}; PROXY 127.0.0.1:${by.port}; DIRECT`))
    expect(await heard(out.dial({ host: 'hs.lab.internal', port, tls, timeoutMs: 10_000 }))).toBe('hello')
    expect(by.asked).toEqual([`hs.lab.internal:${port}`])
    expect(told).toContain("the system's proxy settings name it")
  })

  test('yield to what the environment says', async () => {
    const [mine, system] = [await proxy(), await proxy()]
    const port = await listen(createTlsServer(tlsPair('server'), hello))
    const out = outside({ HTTPS_PROXY: `http://127.0.0.1:${mine.port}` }, host(`PROXY 127.0.0.1:${system.port}`))
    expect(await heard(out.dial({ host: 'hs.lab.internal', port, tls, timeoutMs: 10_000 }))).toBe('hello')
    expect([mine.asked.length, system.asked.length]).toEqual([1, 0])
  })
})

describe('a proxy that does not help', () => {
  test.each([
    [{ credentials: 'u:p' }, /^proxy-sign-in: the proxy http:\/\/127\.0\.0\.1:\d+ wants a user and a password/],
    [{ refuse: '403 Filtered' }, /^proxy-refused: .*does not let connections to hs\.lab\.internal:443 through \(HTTP 403 Filtered\)/],
    [{ resolve: () => undefined }, /^proxy-refused: .*cannot reach hs\.lab\.internal:443 \(HTTP 502 Bad Gateway\)/],
  ] as const)('is told as the proxy’s fault: %o', async (options, told407) => {
    const by = await proxy(options)
    expect(await heard(outside({ HTTPS_PROXY: `http://127.0.0.1:${by.port}` }).dial({ host: 'hs.lab.internal', port: 443, tls, timeoutMs: 10_000 }))).toMatch(told407)
  })

  test('because it is no proxy, or falls silent, or hangs up, is told so', async () => {
    const odd = await listen(createServer((socket) => void socket.on('error', () => {}).end('220 mail ready\r\n\r\n')))
    expect(await heard(outside({ HTTPS_PROXY: `http://127.0.0.1:${odd}` }).dial({ host: 'hs.lab.internal', port: 443, tls, timeoutMs: 10_000 }))).toMatch(/^proxy-refused: .*is no HTTP proxy/)
    const endless = await listen(createServer((socket) => void socket.on('error', () => {}).write('x'.repeat(100_000))))
    expect(await heard(outside({ HTTPS_PROXY: `http://127.0.0.1:${endless}` }).dial({ host: 'hs.lab.internal', port: 443, tls, timeoutMs: 10_000 }))).toMatch(/^proxy-refused: .*without end/)
    const rude = await listen(createServer((socket) => void socket.destroy()))
    expect(await heard(outside({ HTTPS_PROXY: `http://127.0.0.1:${rude}` }).dial({ host: 'hs.lab.internal', port: 443, tls, timeoutMs: 10_000 }))).toMatch(/^proxy-refused: .*closed the connection/)
    const silent = await listen(createServer((socket) => void socket.on('error', () => {})))
    expect(await heard(outside({ HTTPS_PROXY: `http://127.0.0.1:${silent}` }).dial({ host: 'hs.lab.internal', port: 443, tls, timeoutMs: 300 }))).toMatch(/^proxy-unreachable: .*does not answer/)
  })

  test('because it is dead is gone around; when that fails too, the proxy is what is told', async () => {
    const port = await listen(createTlsServer(tlsPair('server'), hello))
    const dead = await proxy()
    await dead.stop()
    const out = outside({ HTTPS_PROXY: `http://user:secret@127.0.0.1:${dead.port}` })
    expect(await heard(out.dial({ host: 'hs.lab.internal', port, addresses: ['127.0.0.1'], tls, timeoutMs: 10_000 }))).toBe('hello')
    expect(told).toMatch(/by the proxy → direct/)
    expect(await heard(out.dial({ host: 'hs.lab.internal', port: dead.port, addresses: ['127.0.0.1'], tls, timeoutMs: 10_000 }))).toMatch(/^proxy-unreachable: the proxy http:\/\/127\.0\.0\.1:\d+ cannot be reached/)
    expect(told).not.toContain('secret')
  })
})
