/**
 * HTTP/2 of any rubbish: what a server says inside a connection ends in an answer or in an error, with bounded memory.
 */
import http2 from 'node:http2'
import { Transform, type Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { concat } from '../../main/engine/base/bytes.ts'
import { EngineError } from '../../main/engine/base/errors.ts'
import { Http2Connection } from '../../main/engine/io/http2.ts'
import { settle } from '../sim/clock.ts'
import { memoryPair } from '../sim/net/memory-pair.ts'
import type { Chance } from './chance.ts'
import { fuzz, usedMb } from './fuzz.ts'
import { frame, hostileFrames } from './http2-frames.ts'

const server = http2.createServer()
server.on('stream', (stream) => {
  stream.on('error', () => {})
  stream.respond({ ':status': 200, 'retry-after': '1' })
  stream.write('first piece')
  stream.end('x'.repeat(2000))
})
server.on('sessionError', () => {})
server.on('session', (session) => session.on('error', () => {}))

type Mangle = (bytes: Uint8Array) => Uint8Array

/** A client's connection to the server; what the server says goes through `mangle`. */
function connect(mangle: Mangle): { connection: Http2Connection; ends: Duplex[] } {
  const [client, below] = memoryPair()
  const [inner, served] = memoryPair()
  const mangler = new Transform({ transform: (chunk: Buffer, _encoding, done) => done(null, mangle(chunk)) })
  for (const stream of [client, below, inner, served, mangler]) stream.on('error', () => {})
  below.pipe(inner)
  inner.pipe(mangler).pipe(below)
  server.emit('connection', served)
  return { connection: new Http2Connection(client, 'control.sim'), ends: [client, below, inner, served, mangler] }
}

/** The body's length, or the error that took its place. */
async function exchange(connection: Http2Connection): Promise<number | EngineError> {
  try {
    const response = await connection.request({ method: 'POST', path: '/machine/map', body: Buffer.from('{}') })
    let length = 0
    for await (const chunk of response.body) length += chunk.length
    return length
  } catch (error) {
    if (error instanceof EngineError) return error
    // Of a body that broke off: Node's own, which always has a code.
    expect((error as { code?: unknown }).code).toEqual(expect.any(String))
    return new EngineError('io', (error as Error).message)
  }
}

function mangler(chance: Chance): Mangle {
  let spare = chance.int(0, 6)
  const kind = chance.int(0, 3)
  return (bytes) => {
    if (spare-- > 0) return bytes
    if (kind === 0) return chance.damage(bytes)
    if (kind === 1) return concat(hostileFrames(chance), bytes)
    if (kind === 2) return concat(bytes, hostileFrames(chance))
    return chance.bytes(chance.int(0, 500))
  }
}

fuzz('any HTTP/2 ends in an answer or an error once the connection is closed', async (chance) => {
  const { connection, ends } = connect(mangler(chance))
  const outcome = exchange(connection)
  const ping = connection.ping(60_000).catch((error: unknown) => error)
  await settle(8)
  connection.close()
  expect(connection.usable).toBe(false)
  await Promise.all([outcome, ping])
  for (const end of ends) end.destroy()
  await settle(2)
})

test('a good server is understood', async () => {
  const { connection, ends } = connect((bytes) => bytes)
  expect(await exchange(connection)).toBe(2011)
  connection.close()
  for (const end of ends) end.destroy()
})

const NOTHING = new Uint8Array(0)

test.each([
  ['pings', frame(6, 0, 0, new Uint8Array(8))],
  ['settings', frame(4, 0, 0, NOTHING)],
  ['header blocks', frame(9, 0, 1, new Uint8Array(16_000))],
  ['early answers', frame(1, 4, 1, new Uint8Array([0x08, 3, 0x31, 0x30, 0x33]))],
  ['header blocks that never end', concat(frame(1, 0, 1, new Uint8Array(1)), ...Array.from({ length: 50 }, () => frame(9, 0, 1, new Uint8Array(16_000).fill(0x82))))],
  ['empty pieces', frame(0, 0, 1, NOTHING)],
  ['resets', frame(3, 0, 1, new Uint8Array(4))],
  ['data that nobody reads', frame(0, 0, 1, new Uint8Array(16_384))],
])('a flood of %s costs no memory that stays', async (_name, one) => {
  const flood = concat(...Array.from({ length: Math.ceil(250_000 / one.length) }, () => one))
  const before = await usedMb()
  const { connection, ends } = connect((bytes) => concat(bytes, flood))
  const outcome = connection.request({ method: 'POST', path: '/machine/map', body: NOTHING }).catch((error: unknown) => error)
  for (let i = 0; i < 20; i++) {
    connection.ping(1000).catch(() => {})
    await settle(4)
  }
  expect((await usedMb()) - before).toBeLessThan(32)
  connection.close()
  for (const end of ends) end.destroy()
  await outcome
})
