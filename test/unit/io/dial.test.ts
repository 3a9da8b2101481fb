import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { EngineError } from '../../../main/engine/base/errors.ts'
import { failureOf } from '../../../main/engine/control/failure.ts'
import { Resolver } from '../../../main/engine/io/resolve.ts'
import { dial, plainFetch, plainWorld } from '../../support/plain-world.ts'

const file = (name: string): string => readFileSync(new URL(`../../vectors/tls/${name}`, import.meta.url), 'utf8')
const cert = file('localhost.crt')
const key = file('localhost.key')
const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listen<T extends Server>(server: T): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => new Error('it worked'), (why: unknown) => why)
  expect(error).toBeInstanceOf(EngineError)
  return (error as EngineError).code
}

const sayHello = (socket: { end(text: string): void; on(event: 'error', call: () => void): void }): void => {
  socket.on('error', () => {})
  socket.end('hello')
}

async function heard(socket: AsyncIterable<Uint8Array>): Promise<string> {
  let text = ''
  for await (const chunk of socket) text += Buffer.from(chunk).toString()
  return text
}

test('TCP connects by address and by name', async () => {
  const port = await listen(createServer(sayHello))
  expect(await heard(await dial({ host: '127.0.0.1', port, timeoutMs: 5000 }))).toBe('hello')
  expect(await heard(await dial({ host: 'localhost', port, timeoutMs: 5000 }))).toBe('hello')
})

test('addresses are tried one after the other until one answers', async () => {
  const port = await listen(createServer(sayHello))
  expect(await heard(await dial({ host: 'name.invalid', port, addresses: ['127.0.0.2', '127.0.0.1'].slice(process.platform === 'linux' ? 0 : 1), timeoutMs: 5000 }))).toBe('hello')
})

test('with a family, what DNS tells of it is tried after the addresses', { skip: process.platform !== 'linux' }, async () => {
  const port = await listen(createServer(sayHello))
  expect(await heard(await dial({ host: 'localhost', port, addresses: ['127.0.0.2'], family: 4, timeoutMs: 30_000 }))).toBe('hello')
})

test('a connection has a deadline of its own within that of everything', async () => {
  const never = { ...plainWorld, resolver: new Resolver({ lookup: () => new Promise(() => {}) }) }
  expect(await codeOf(dial({ host: 'name.invalid', port: 1, timeoutMs: 60_000, connectTimeoutMs: 20 }, never))).toBe('timeout')
})

test('a closed port, an unknown name, a deadline and an abort have their codes', async () => {
  const server = createServer()
  const port = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  const refused = await dial({ host: '127.0.0.1', port, timeoutMs: 5000 }).catch((error: unknown) => error)
  expect(failureOf(refused, 'h').message).toContain('connection refused')
  expect(await codeOf(dial({ host: 'no-such-name.invalid', port: 1, timeoutMs: 5000 }))).toMatch(/dns-no-such-name|dns-failed/)
  const silent = await listen(createServer((socket) => void socket.on('error', () => {})))
  const tls = { servername: 'localhost', rejectUnauthorized: true }
  expect(await codeOf(dial({ host: '127.0.0.1', port: silent, tls, timeoutMs: 100 }))).toBe('timeout')
  expect(await codeOf(dial({ host: '127.0.0.1', port: silent, tls, timeoutMs: 5000, signal: AbortSignal.timeout(50) }))).toBe('aborted')
  expect(await codeOf(dial({ host: '127.0.0.1', port: silent, timeoutMs: 5000, signal: AbortSignal.abort() }))).toBe('aborted')
})

test('TLS trusts given roots, for names and addresses, and refuses what it cannot verify with the reason', async () => {
  const port = await listen(createTlsServer({ cert, key }, sayHello))
  for (const servername of ['localhost', '127.0.0.1']) {
    expect(await heard(await dial({ host: '127.0.0.1', port, tls: { servername, rejectUnauthorized: true, ca: [cert] }, timeoutMs: 5000 }))).toBe('hello')
  }
  const untrusted = await dial({ host: '127.0.0.1', port, tls: { servername: 'localhost', rejectUnauthorized: true }, timeoutMs: 5000 }).catch((error: unknown) => error)
  expect(failureOf(untrusted, 'h')).toMatchObject({ code: 'cert-self-signed' })
  const misnamed = await dial({ host: '127.0.0.1', port, tls: { servername: 'other.example', rejectUnauthorized: true, ca: [cert] }, timeoutMs: 5000 }).catch((error: unknown) => error)
  expect(failureOf(misnamed, 'h')).toMatchObject({ code: 'cert-wrong-name', message: expect.stringContaining('localhost') as unknown })
  expect(await heard(await dial({ host: '127.0.0.1', port, tls: { servername: 'other.example', rejectUnauthorized: false }, timeoutMs: 5000 }))).toBe('hello')
})

test('a certificate check of the caller can refuse', async () => {
  const port = await listen(createTlsServer({ cert, key }, sayHello))
  const check = { servername: 'localhost', rejectUnauthorized: false, checkCert: () => 'not the pinned certificate' }
  await expect(dial({ host: '127.0.0.1', port, tls: check, timeoutMs: 5000 })).rejects.toThrow('not the pinned certificate')
})

test('a server that speaks no TLS is told as such', async () => {
  const port = await listen(createServer((socket) => void socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n')))
  const error = await dial({ host: '127.0.0.1', port, tls: { servername: 'localhost', rejectUnauthorized: true }, timeoutMs: 5000 }).catch((why: unknown) => why)
  expect(failureOf(error, 'h').message).toMatch(/does not speak TLS/)
})

test('an HTTP exchange gives status, headers and body, and has a limit of size and time', async () => {
  const port = await listen(createHttpServer((request, response) => {
    if (request.url === '/slow') return
    if (request.url === '/big') return void response.end('x'.repeat(5000))
    response.writeHead(418, { 'x-name': 'value' })
    response.end(`${request.method} ${request.url} ${request.headers.host}`)
  }))
  const fetch = plainFetch()
  const base = { method: 'GET', timeoutMs: 5000, maxBytes: 1000 } as const
  const answer = await fetch({ ...base, url: `http://127.0.0.1:${port}/a?b=c` })
  expect(answer).toMatchObject({ status: 418, headers: { 'x-name': 'value' } })
  expect(Buffer.from(answer.body).toString()).toBe(`GET /a?b=c 127.0.0.1:${port}`)
  expect((await fetch({ ...base, method: 'HEAD', url: `http://127.0.0.1:${port}/` })).body).toHaveLength(0)
  expect(await codeOf(fetch({ ...base, url: `http://127.0.0.1:${port}/big` }))).toBe('control-bad-response')
  expect(await codeOf(fetch({ ...base, url: `http://127.0.0.1:${port}/slow`, timeoutMs: 100 }))).toBe('timeout')
  expect(await codeOf(fetch({ ...base, url: 'ftp://127.0.0.1/' }))).toBe('bad-argument')
})

test('an HTTP exchange over TLS is verified', async () => {
  const port = await listen(createTlsServer({ cert, key }, (socket) => void socket.on('error', () => {}).end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')))
  const request = { method: 'GET', url: `https://localhost:${port}/key`, timeoutMs: 5000, maxBytes: 1000 } as const
  expect((await plainFetch([cert])(request)).status).toBe(200)
  const refused = await plainFetch()(request).catch((error: unknown) => error)
  expect(failureOf(refused, 'localhost').code).toBe('cert-self-signed')
})
