import { createServer } from 'node:http'
import { createServer as listenRaw, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LocalApiClient } from '../../../main/client/local-api-client.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'

let dir: string
let server: Server
const open = new Set<Socket>()
beforeEach(() => void (dir = makeTempDir('client')))
afterEach(async () => {
  for (const socket of open) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
  removeTempDir(dir)
})

const serve = (answer: Parameters<typeof createServer>[1] & object): Promise<LocalApiClient> => listen(createServer(answer))

async function listen(made: Server): Promise<LocalApiClient> {
  server = made.on('connection', (socket: Socket) => void open.add(socket))
  await new Promise<void>((resolve) => server.listen(join(dir, 'x.sock'), resolve))
  return new LocalApiClient(join(dir, 'x.sock'))
}

function* pieces(count: number): Generator<Buffer> {
  for (let i = 0; i < count; i++) yield Buffer.alloc(100_000, i)
}

describe('a stream as the body', () => {
  test('arrives whole, however slowly it is read', async () => {
    let size = 0
    const client = await serve((request, response) => {
      request.on('data', (chunk: Buffer) => {
        size += chunk.length
        request.pause()
        setImmediate(() => request.resume())
      })
      request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}'))
    })
    expect(await client.upload({ method: 'PUT', path: 'x' }, Readable.from(pieces(200)))).toEqual({ ok: true })
    expect(size).toBe(20_000_000)
  })

  test('that is refused before its end gets the refusal, and is left as it is', async () => {
    const text = 'HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 16\r\nConnection: close\r\n\r\nthe disk is full'
    // As the stock daemon does it: nothing more is read, and the connection is closed a little later.
    const refuse = (socket: Socket): void => void socket.once('data', () => socket.pause().write(text, () => setTimeout(() => socket.destroy(), 200)))
    const client = await listen(listenRaw((socket) => refuse(socket.on('error', () => undefined))))
    for (let i = 0; i < 5; i++) {
      const body = Readable.from(pieces(1_000))
      await expect(client.upload({ method: 'PUT', path: 'x' }, body)).rejects.toMatchObject({ status: 507, message: 'the disk is full' })
      expect(body.destroyed).toBe(false)
      body.destroy()
    }
  })

  test('that fails ends the request', async () => {
    const client = await serve((request) => void request.resume())
    const body = new Readable({ read() { this.destroy(new Error('unreadable')) } })
    await expect(client.upload({ method: 'PUT', path: 'x' }, body)).rejects.toThrow('ended too early')
  })
})
