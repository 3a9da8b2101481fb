/**
 * The ways to the router, on real loopback sockets: who is heard, and what a hostile HTTP server can do.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { loadNative } from '../../../main/engine/io/native.ts'
import { RouterWays } from '../../../main/engine/io/router-access.ts'
import { Wires } from '../../../main/engine/io/wires.ts'
import { plainFetch } from '../../support/plain-world.ts'
import { waitFor } from '../../support/wait.ts'

const ways = new RouterWays(new Wires(loadNative().wires), plainFetch())
const LINK = { gateway: '127.0.0.1', selfIp: '127.0.0.1' }
const PATIENCE = { withinMs: 30_000, everyMs: 5 }

const closes: (() => void)[] = []
afterEach(() => {
  for (const close of closes.splice(0)) close()
})

/** A UDP socket of the router's that keeps what it hears. */
async function listen(): Promise<{ socket: Socket; port: number; heard: { text: string; from: number }[] }> {
  const socket = createSocket('udp4')
  const heard: { text: string; from: number }[] = []
  socket.on('message', (bytes, from) => heard.push({ text: bytes.toString(), from: from.port }))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  closes.push(() => socket.close())
  return { socket, port: socket.address().port, heard }
}

async function serve(handle: (path: string, response: ServerResponse) => void): Promise<number> {
  const server: Server = createServer((request, response) => handle(request.url!, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closes.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const get = (port: number, more: { path?: string; timeoutMs?: number; maxBytes?: number } = {}): Promise<{ status: number; body: string }> =>
  ways.http(LINK, { method: 'GET', place: { port, path: more.path ?? '/' }, timeoutMs: more.timeoutMs ?? 30_000, maxBytes: more.maxBytes ?? 1000 })

it('a socket to one port says what was given before it stood, and hears that port alone', async () => {
  const [router, stranger] = [await listen(), await listen()]
  const heard: string[] = []
  const open = ways.openPort(LINK, router.port, (bytes) => heard.push(Buffer.from(bytes).toString()))
  closes.push(() => open.close())
  open.send(Buffer.from('hello'))
  const [{ from }] = await waitFor('the question', () => (router.heard.length > 0 ? (router.heard as [{ text: string; from: number }]) : undefined), PATIENCE)
  stranger.socket.send('from a stranger', from, '127.0.0.1')
  router.socket.send('from the router', from, '127.0.0.1')
  await waitFor('the answer', () => heard.length > 0, PATIENCE)
  open.send(Buffer.from('again'))
  await waitFor('the second question', () => router.heard.length > 1, PATIENCE)
  router.socket.send('once more', from, '127.0.0.1')
  await waitFor('the second answer', () => heard.length > 1, PATIENCE)
  expect(heard).toEqual(['from the router', 'once more'])
})

it('a socket goes on after nobody listened', async () => {
  const { port, socket } = await listen()
  closes.pop()
  socket.close()
  const heard: string[] = []
  const open = ways.openPort(LINK, port, (bytes) => heard.push(Buffer.from(bytes).toString()))
  closes.push(() => open.close())
  open.send(Buffer.from('to nobody'))
  const router = createSocket('udp4')
  router.on('message', (bytes, from) => router.send(`you said ${bytes.toString()}`, from.port, from.address))
  closes.push(() => router.close())
  await once(router.bind(port, '127.0.0.1'), 'listening')
  await waitFor('an answer', () => {
    open.send(Buffer.from('to somebody'))
    return heard.includes('you said to somebody')
  }, { withinMs: 30_000, everyMs: 50 })
})

it('a socket from an address that is not ours sends and hears nothing, and throws nothing', async () => {
  const open = ways.openPort({ gateway: '127.0.0.1', selfIp: '203.0.113.9' }, 9, () => {})
  open.send(Buffer.from('hello'))
  await new Promise((resolve) => setImmediate(resolve))
  open.send(Buffer.from('hello'))
  open.close()
  open.close()
  open.send(Buffer.from('after the end'))
})

it('a search hears whoever answers', async () => {
  const [router, other] = [await listen(), await listen()]
  const heard: string[] = []
  const open = ways.openSearch(LINK, (bytes) => heard.push(Buffer.from(bytes).toString()))
  closes.push(() => open.close())
  open.send({ ip: '127.0.0.1', port: router.port }, Buffer.from('anybody?'))
  const [{ from }] = await waitFor('the question', () => (router.heard.length > 0 ? (router.heard as [{ text: string; from: number }]) : undefined), PATIENCE)
  other.socket.send('me', from, '127.0.0.1')
  await waitFor('the answer', () => heard.length > 0, PATIENCE)
  expect(heard).toEqual(['me'])
})

it('an exchange gives status and body', async () => {
  const port = await serve((path, response) => void response.writeHead(500).end(`at ${path}`))
  expect(await get(port, { path: '/ctl?x=1' })).toEqual({ status: 500, body: 'at /ctl?x=1' })
})

it('an exchange ends when the body is too long', async () => {
  const port = await serve((_, response) => void response.end('a'.repeat(100_000)))
  await expect(get(port)).rejects.toThrow('longer than 1000 bytes')
})

it('an exchange ends in time however slowly the answer drips', async () => {
  const port = await serve((_, response) => {
    response.writeHead(200)
    const drip = setInterval(() => response.write('a'), 5)
    response.on('close', () => clearInterval(drip))
  })
  await expect(get(port, { timeoutMs: 300 })).rejects.toMatchObject({ code: 'timeout' })
})

it('an exchange follows nobody to another place', async () => {
  const asked: string[] = []
  const port = await serve((path, response) => {
    asked.push(path)
    response.writeHead(302, { location: '/elsewhere' }).end()
  })
  expect(await get(port, { path: '/here' })).toMatchObject({ status: 302 })
  expect(asked).toEqual(['/here'])
})
