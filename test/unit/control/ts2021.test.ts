import type { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { concat } from '../../../main/engine/base/bytes.ts'
import { EngineError, isDecodeError } from '../../../main/engine/base/errors.ts'
import { PrivateKey } from '../../../main/engine/base/keys.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import type { Dial } from '../../../main/engine/control/ports.ts'
import type { NoiseStream } from '../../../main/engine/control/noise-stream.ts'
import { dialTs2021, type Ts2021Options } from '../../../main/engine/control/ts2021.ts'
import { HandClock, seededRandom, settle } from '../../sim/clock.ts'
import { memoryPair } from '../../sim/net/memory-pair.ts'
import { errorFrame, respond, type Responded } from '../../sim/noise-responder.ts'

const server = PrivateKey.fromRandom(new Uint8Array(32).fill(1))
const machine = PrivateKey.fromRandom(new Uint8Array(32).fill(2))
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: tailscale-control-protocol\r\nConnection: upgrade\r\n\r\n'

type Script = (socket: Duplex, noise: Responded, head: string) => void

/** Serves one end by a script that runs when the upgrade request is whole. */
function serve(socket: Duplex, script: Script): void {
  let text = ''
  socket.on('error', () => {})
  const onData = (chunk: Buffer): void => {
    text += chunk.toString('latin1')
    if (!text.includes('\r\n\r\n')) return
    socket.off('data', onData)
    const initiation = Buffer.from(/x-tailscale-handshake: (\S+)/i.exec(text)?.[1] ?? '', 'base64')
    const noise = respond(server, initiation, new Uint8Array(32).fill(3))
    if (isDecodeError(noise)) throw new Error(noise.reason)
    script(socket, noise, text)
  }
  socket.on('data', onData)
}

const dialTo = (script: Script): Dial => () => {
  const [client, other] = memoryPair()
  serve(other, script)
  return Promise.resolve(client)
}

function options(dial: Dial, more: Partial<Ts2021Options> = {}): Ts2021Options {
  const env = { clock: new HandClock(), random: seededRandom(5), log: silentLog, journal: { add: () => {} } }
  return {
    env, dial, url: new URL('http://127.0.0.1:8080'), machineKey: machine.bytes(), serverKey: server.publicBytes(), onlySecure: false,
    dialPlan: undefined, signal: new AbortController().signal, ...more,
  }
}

async function failure(script: Script): Promise<EngineError> {
  const error = await dialTs2021(options(dialTo(script))).then(() => new Error('it worked'), (why: unknown) => why)
  expect(error).toBeInstanceOf(EngineError)
  return error as EngineError
}

async function firstBytes(stream: NoiseStream, length: number): Promise<string> {
  let text = ''
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    text += chunk.toString()
    if (text.length >= length) return text
  }
  return text
}

test('the request is the upgrade that the protocol wants', async () => {
  let head = ''
  const stream = await dialTs2021(options(dialTo((socket, noise, text) => {
    head = text
    socket.write(concat(Buffer.from(SWITCH), noise.response))
  })))
  stream.destroy()
  expect(head).toMatch(/^POST \/ts2021 HTTP\/1\.1\r\n/)
  expect(head).toMatch(/\r\nHost: 127\.0\.0\.1:8080\r\n/)
  expect(head).toMatch(/\r\nUpgrade: tailscale-control-protocol\r\n/)
  expect(head).toMatch(/\r\nConnection: upgrade\r\n/i)
  expect(/X-Tailscale-Handshake: (\S+)/.exec(head)?.[1]).toHaveLength(136)
})

for (const [name, size] of [['in one segment with the 101', 100_000], ['byte by byte', 1]] as const) {
  test(`response, early payload and first bytes come ${name}`, async () => {
    const early = concat(new Uint8Array([255, 255, 255, 0x54, 0x53, 0, 0, 0, 2]), Buffer.from('{}'))
    const stream = await dialTs2021(options(dialTo((socket, noise) => {
      const all = concat(Buffer.from(SWITCH), noise.response, noise.seal.seal(concat(early, Buffer.from('hello'))))
      for (let at = 0; at < all.length; at += size) socket.write(all.subarray(at, at + size))
    })))
    expect(await firstBytes(stream, 5)).toBe('hello')
  })
}

test('what is written comes out of records on the other side', async () => {
  const stream = await dialTs2021(options(dialTo((socket, noise) => {
    socket.write(concat(Buffer.from(SWITCH), noise.response))
    socket.on('data', (chunk: Buffer) => {
      const plain = noise.open.open(chunk)
      if (!isDecodeError(plain) && plain.length > 0) socket.write(noise.seal.seal(plain))
    })
  })))
  stream.write('x'.repeat(20_000))
  expect(await firstBytes(stream, 20_000)).toBe('x'.repeat(20_000))
})

test('a connection that is closed right after the 101 means version or server', async () => {
  const error = await failure((socket) => socket.end(SWITCH))
  expect(error.code).toBe('control-version')
  expect(error.message).toContain('does not accept this client version')
})

test('an error frame and a wrong proof mean another server, and the text is marked as unverified', async () => {
  const refused = await failure((socket) => void socket.write(concat(Buffer.from(SWITCH), errorFrame('go away'))))
  expect(refused).toMatchObject({ code: 'control-key-mismatch', message: expect.stringMatching(/unverified: "go away"/) as unknown })
  const forged = await failure((socket) => void socket.write(concat(Buffer.from(SWITCH), new Uint8Array([2, 0, 48]), new Uint8Array(48).fill(9))))
  expect(forged.code).toBe('control-key-mismatch')
})

test('a proxy that does not let the upgrade through is told as such', async () => {
  const error = await failure((socket) => void socket.write('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\noops'))
  expect(error).toMatchObject({ code: 'control-bad-response' })
  expect(error.message).toMatch(/HTTP 502 \(oops\); a proxy/)
  const other = await failure((socket) => void socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n'))
  expect(other.message).toContain('another protocol')
})

test('garbage after the handshake ends the stream', async () => {
  const stream = await dialTs2021(options(dialTo((socket, noise) => void socket.write(concat(Buffer.from(SWITCH), noise.response, new Uint8Array(100).fill(7))))))
  await expect(firstBytes(stream, 1)).rejects.toThrow('do not belong')
})

/** Dials by port: what each port does, when it was tried. */
function ports(clock: HandClock, scripts: Record<number, Script | 'refuse' | 'silent'>): { dial: Dial; tried: string[] } {
  const tried: string[] = []
  return {
    tried,
    dial: (to) => {
      tried.push(`${to.port} at ${clock.nowMs()}`)
      const script = scripts[to.port]
      if (script === 'refuse' || script === undefined) return Promise.reject(new EngineError('io', `refused ${to.port}`))
      const [client, other] = memoryPair()
      if (script === 'silent') other.on('error', () => {}).resume()
      else serve(other, script)
      return Promise.resolve(client)
    },
  }
}

const accept: Script = (socket, noise) => void socket.write(concat(Buffer.from(SWITCH), noise.response))

test('TLS starts half a second after a silent port 80, at once after a refusal, never after a success', async () => {
  const url = new URL('https://c.example')
  for (const [port80, wanted] of [['silent', ['80 at 0', '443 at 500']], ['refuse', ['80 at 0', '443 at 0']], [accept, ['80 at 0']]] as const) {
    const base = options(() => Promise.reject(new Error('unused')), { url })
    const clock = base.env.clock as HandClock
    const { dial, tried } = ports(clock, { 80: port80, 443: accept })
    const dialling = dialTs2021({ ...base, dial })
    await settle(8)
    await clock.run(600)
    const stream = await dialling
    await settle(8)
    expect(tried).toEqual(wanted)
    stream.destroy()
  }
})

test('when all fail, the reason of the port that the URL names is told', async () => {
  const base = options(() => Promise.reject(new Error('unused')), { url: new URL('https://c.example:8443') })
  const { dial } = ports(base.env.clock as HandClock, { 80: 'refuse', 8443: 'refuse' })
  await expect(dialTs2021({ ...base, dial })).rejects.toThrow('refused 8443')
})

test('a server that never answers is given up after ten seconds, and an abort ends it at once', async () => {
  const base = options(() => Promise.reject(new Error('unused')))
  const clock = base.env.clock as HandClock
  const { dial } = ports(clock, { 8080: 'silent' })
  const dialling = dialTs2021({ ...base, dial }).catch((error: unknown) => error)
  await settle(8)
  await clock.run(10_001)
  expect(await dialling).toMatchObject({ code: 'timeout' })
  const stop = new AbortController()
  const second = dialTs2021({ ...base, dial, signal: stop.signal }).catch((error: unknown) => error)
  await settle(8)
  stop.abort()
  expect(await second).toMatchObject({ code: 'aborted' })
})
