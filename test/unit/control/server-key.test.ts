/**
 * Fetching the server's key over real sockets: what a person is told when the address leads to something else.
 */
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { silentLog } from '../../../main/engine/base/log.ts'
import { failureOf } from '../../../main/engine/control/failure.ts'
import { fetchServerKey } from '../../../main/engine/control/server-key.ts'
import { MemoryStore } from '../../../main/engine/io/memory-store.ts'
import { Outside } from '../../../main/engine/io/outside.ts'
import { CertificateError } from '../../../main/engine/core/trust/certificate-fault.ts'
import { systemClock, systemRandom } from '../../sim/clock.ts'
import { plainWays } from '../../support/plain-world.ts'
import { tlsFile, tlsPair } from '../../support/tls-files.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listen(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const keyPage: RequestListener = (_request, response) => void response.end(JSON.stringify({ publicKey: `mkey:${'ab'.repeat(32)}` }))
const signal = new AbortController().signal

/** The key's first byte, or code and text; and what time was heard of the server. */
async function fetched(url: string): Promise<{ told: string; serverMs: number[] }> {
  const env = { clock: systemClock, random: systemRandom, log: silentLog, journal: { add: () => {} } }
  const outside = new Outside({ ...plainWays, env, store: new MemoryStore(), variables: {}, server: () => url })
  if (url.startsWith('https:')) outside.trust.add(tlsFile('home-ca.crt'))
  const serverMs: number[] = []
  const deps = { env, dial: outside.dial, http: outside.fetch, peekDate: outside.peekDate, noteServerTime: (atMs: number) => void serverMs.push(atMs) }
  const told = await fetchServerKey(deps, new URL(url), signal).then((key) => `key ${key[0]}`, (error: unknown) => {
    const { code, message } = failureOf(error, new URL(url).host)
    return `${code}: ${message}`
  })
  return { told, serverMs }
}

test('a good server gives its key, and its time is heard', async () => {
  const port = await listen(createHttpsServer(tlsPair('server'), keyPage))
  const { told, serverMs } = await fetched(`https://127.0.0.1:${port}`)
  expect(told).toBe('key 171')
  expect(Math.abs(serverMs[0]! - Date.now())).toBeLessThan(60_000)
})

test('plain HTTP where TLS was asked, and the other way round, are told apart', async () => {
  const plain = await listen(createHttpServer(keyPage))
  expect((await fetched(`https://127.0.0.1:${plain}`)).told).toMatch(/^control-no-tls: 127\.0\.0\.1:\d+ does not speak TLS\. .*http:\/\//)
  const secure = await listen(createHttpsServer(tlsPair('server'), keyPage))
  expect((await fetched(`http://127.0.0.1:${secure}`)).told).toMatch(/^control-needs-tls: .*Begin the server's address with https:\/\//)
})

test('a server that speaks no HTTP, a closed port and an unknown name are told apart', async () => {
  const mail = await listen(createServer((socket) => void socket.on('error', () => {}).end('220 mail ready\r\n')))
  expect((await fetched(`http://127.0.0.1:${mail}`)).told).toMatch(/^control-wrong-server: /)
  const server = createServer()
  const closed = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  servers.splice(0)
  expect((await fetched(`http://127.0.0.1:${closed}`)).told).toMatch(/^connection-refused: /)
  expect((await fetched('http://no-such-name.invalid')).told).toMatch(/^dns-(no-such-name|failed): .*no-such-name\.invalid/)
})

test('an expired certificate is the server’s fault when this clock agrees with the server’s, and the clock’s when it does not', async () => {
  const expired = await listen(createHttpsServer(tlsPair('expired'), keyPage))
  expect((await fetched(`https://127.0.0.1:${expired}`)).told).toMatch(/^cert-expired: .*expired on 2025-04-01/)
  // A server that lives in the time of its certificate: by its word this clock is ahead.
  const inItsTime = await listen(createHttpsServer(tlsPair('expired'), (_request, response) => void response.setHeader('date', 'Sat, 01 Mar 2025 12:00:00 GMT').end()))
  const { told, serverMs } = await fetched(`https://127.0.0.1:${inItsTime}`)
  expect(told).toMatch(/^clock-wrong: this computer's clock is (\d+ days|\d+ years) ahead \(it says .*\), so the certificate of 127\.0\.0\.1 is not accepted\. Set the clock$/)
  expect(serverMs).toEqual([Date.UTC(2025, 2, 1, 12)])
  // A server whose own clock is off proves nothing.
  const alsoWrong = await listen(createHttpsServer(tlsPair('expired'), (_request, response) => void response.setHeader('date', 'Thu, 01 Jan 1970 00:00:00 GMT').end()))
  expect((await fetched(`https://127.0.0.1:${alsoWrong}`)).told).toMatch(/^cert-expired/)
})

test('a clock from before this program was made is wrong, whoever says what', async () => {
  const validity = { fromMs: Date.UTC(2026, 10, 20), toMs: Date.UTC(2027, 0, 1) }
  const clock = { ...systemClock, nowMs: () => 0, after: () => () => {}, wallMs: () => 0 }
  const env = { clock, random: systemRandom, log: silentLog, journal: { add: () => {} } }
  const http = () => Promise.reject(new CertificateError('cert-not-yet-valid', 'not yet', validity))
  await expect(fetchServerKey({ env, http, dial: () => Promise.reject(new Error('no')) }, new URL('https://hs.example'), signal)).rejects.toMatchObject({ code: 'clock-wrong', message: expect.stringContaining('1970-01-01') as unknown })
})

test('a certificate fault stays what it is where no sign-in page stands on port 80', async () => {
  const port = await listen(createHttpsServer(tlsPair('other-name'), keyPage))
  expect((await fetched(`https://127.0.0.1:${port}`)).told).toMatch(/^(cert-wrong-name|captive-portal): /)
})

test('behind a certificate fault a sign-in page of the network is found', async () => {
  const env = { clock: systemClock, random: systemRandom, log: silentLog, journal: { add: () => {} } }
  const asked: string[] = []
  const http = ({ url }: { url: string }): Promise<{ status: number; headers: Record<string, string>; body: Uint8Array }> => {
    asked.push(url)
    if (url.startsWith('https:')) return Promise.reject(new CertificateError('cert-self-signed', 'self-signed', undefined))
    return Promise.resolve({ status: 302, headers: { location: 'https://wifi.hotel.example/' }, body: new Uint8Array() })
  }
  await expect(fetchServerKey({ env, http, dial: () => Promise.reject(new Error('no')) }, new URL('https://hs.example:8443'), signal)).rejects.toMatchObject({ code: 'captive-portal', message: expect.stringContaining('wifi.hotel.example') as unknown })
  expect(asked).toEqual([expect.stringMatching(/^https:\/\/hs\.example:8443\/key/), 'http://hs.example/'])
})
