/**
 * Programs that ask at 100.100.100.100, by datagram and by TCP, and those that send rubbish.
 */
import { duplexPair, type Duplex } from 'node:stream'
import { decode, encode } from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { silentLog } from '../../../main/engine/base/log.ts'
import { DnsServer, isServicePlace } from '../../../main/engine/dns/serve.ts'
import { Told } from '../../../main/engine/dns/told.ts'
import { walk } from '../../../main/engine/dns/walk.ts'
import { isDecodeError } from '../../../main/engine/base/errors.ts'
import { HandClock, seededRandom, settle } from '../../sim/clock.ts'

const clock = new HandClock()
const env = { clock, random: seededRandom(1), log: silentLog, journal: { add: () => {} } }
const query = (name: string, size?: number): Buffer => encode({
  type: 'query', id: 0x4242, questions: [{ type: 'TXT', name }],
  ...(size === undefined ? {} : { additionals: [{ type: 'OPT' as const, name: '.', udpPayloadSize: size, flags: 0, options: [] } as never] }),
})

/** Answers every query with this many bytes of text; those for "silent" not at all. */
function serverOf(textBytes = 10): DnsServer {
  const answer = async (bytes: Uint8Array): Promise<Uint8Array | undefined> => {
    if (isDecodeError(walk(bytes))) return undefined
    const { id, questions } = decode(Buffer.from(bytes))
    if (questions![0]!.name === 'silent') return new Promise(() => {})
    return encode({ type: 'response', id: id!, questions: questions!, answers: [{ type: 'TXT', name: questions![0]!.name, data: Buffer.alloc(textBytes, 'x').toString().match(/.{1,200}/g)! }] })
  }
  return new DnsServer({ env, resolver: { answer, told: new Told(env) } })
}

test('the service places are the two addresses at port 53', () => {
  expect([{ ip: '100.100.100.100', port: 53 }, { ip: 'fd7a:115c:a1e0::53', port: 53 }, { ip: '100.100.100.100', port: 80 }, { ip: '100.64.0.1', port: 53 }].map(isServicePlace)).toEqual([true, true, false, false])
})

describe('a datagram', () => {
  test.each<[string, number, number | undefined, boolean]>([
    ['a short answer comes whole', 100, undefined, false],
    ['one beyond 512 bytes is cut', 600, undefined, true],
    ['one that fits what the program takes comes whole', 600, 1232, false],
    ['nobody is taken to hold more than 4095 bytes', 5000, 65_535, true],
  ])('%s', async (_what, textBytes, size, isCut) => {
    const answer = decode(Buffer.from((await serverOf(textBytes).datagram(query('a.example', size)))!))
    expect(answer).toMatchObject({ id: 0x4242, questions: [{ name: 'a.example' }], flag_tc: isCut })
    expect(answer.answers).toHaveLength(isCut ? 0 : 1)
  })

  test('of rubbish has no answer, and never fails', async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (bytes) => void (await serverOf().datagram(bytes))))
    expect(await serverOf().datagram(new Uint8Array(5_000))).toBeUndefined()
  })
})

describe('a stream', () => {
  const framed = (bytes: Uint8Array): Buffer => Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes])
  const connect = (server: DnsServer): { stream: Duplex; got: Buffer[] } => {
    const [near, far] = duplexPair()
    const got: Buffer[] = []
    near.on('data', (chunk: Buffer) => got.push(chunk))
    near.on('error', () => {})
    server.accept(far)
    return { stream: near, got }
  }

  test('gets an answer to each of its queries, however they are cut', async () => {
    const { stream, got } = connect(serverOf(3_000))
    const both = Buffer.concat([framed(query('a.example')), framed(query('b.example'))])
    for (const byte of both) stream.write(Buffer.of(byte))
    await settle()
    const all = Buffer.concat(got)
    const first = all.readUInt16BE(0)
    expect(decode(all.subarray(2, 2 + first)).questions![0]!.name).toBe('a.example')
    expect(decode(all.subarray(4 + first)).questions![0]!.name).toBe('b.example')
  })

  test('ends after 45 s without a query', async () => {
    const { stream } = connect(serverOf())
    clock.advance(44_000)
    stream.write(framed(query('a.example')))
    await settle()
    clock.advance(44_000)
    await settle()
    expect(stream.destroyed || stream.readableEnded).toBe(false)
    clock.advance(2_000)
    await settle()
    expect(stream.destroyed || stream.readableEnded).toBe(true)
  })

  test.each([['no query', framed(Buffer.alloc(30, 255))], ['a length of nothing', Buffer.of(0, 0)], ['a query of 60,000 bytes', Buffer.of(0xea, 0x60)]])('with %s is ended', async (_what, bytes) => {
    const { stream } = connect(serverOf())
    stream.write(bytes)
    await settle()
    expect(stream.destroyed || stream.readableEnded).toBe(true)
  })

  test('whose queries stay open is read no further', async () => {
    const { stream } = connect(serverOf())
    const many = framed(query('silent'))
    for (let i = 0; i < 10_000; i++) stream.write(many)
    await settle()
    expect(stream.writableLength).toBeGreaterThan(0)
    stream.destroy()
  })

  test('that takes no answers is read no further, and goes on where it stopped', async () => {
    const { stream, got } = connect(serverOf(3_000))
    stream.pause()
    const many = framed(query('a.example'))
    for (let i = 0; i < 10_000; i++) stream.write(many)
    for (let i = 0; i < 10; i++) await settle()
    const waiting = stream.writableLength
    expect(waiting).toBeGreaterThan(0)
    stream.resume()
    while (stream.writableLength > 0) await settle()
    expect(Buffer.concat(got).length).toBeGreaterThan((waiting / many.length) * 3_000)
  })
})
