import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concat, readU16 } from '../../../../main/engine/base/bytes.ts'
import { isDecodeError } from '../../../../main/engine/base/errors.ts'
import { EarlyPayloadFilter } from '../../../../main/engine/core/noise/early-payload.ts'
import { TransportCodec } from '../../../../main/engine/core/noise/transport.ts'
import { RecordOpener, RecordSealer } from '../../../sim/noise-responder.ts'
import { open, recordNonce } from './openssl-responder.ts'

const A = new Uint8Array(32).fill(1)
const B = new Uint8Array(32).fill(2)
const pair = (): [TransportCodec, TransportCodec] => [new TransportCodec(A, B), new TransportCodec(B, A)]

function openAll(codec: TransportCodec, stream: Uint8Array, cuts: readonly number[]): Uint8Array {
  const out: Uint8Array[] = []
  for (let at = 0, i = 0; at < stream.length; i++) {
    const next = at + (cuts[i % cuts.length] ?? 1)
    const plains = codec.open(stream.subarray(at, next))
    if (isDecodeError(plains)) throw new Error(plains.reason)
    out.push(...plains)
    at = next
  }
  return concat(...out)
}

test('what is sealed is opened on the other side, in any chunking', () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 10_000, size: 'max' }), { maxLength: 5 }), fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }), (messages, cuts) => {
    const [client, server] = pair()
    const stream = concat(...messages.map((message) => client.seal(message)))
    expect(openAll(server, stream, cuts)).toEqual(concat(...messages))
  }), { numRuns: 40 })
})

test('no record is longer than 4096 bytes and each holds at most 4077 of plain text', () => {
  const [client] = pair()
  const stream = client.seal(new Uint8Array(4077 * 2 + 1))
  expect(readU16(stream, 1)).toBe(4093)
  expect(readU16(stream, 4096 + 1)).toBe(4093)
  expect(stream).toHaveLength(4096 * 2 + 3 + 1 + 16)
})

test('the nonce counts big-endian: record 300 opens with the bytes of 300', () => {
  const [client] = pair()
  let last = new Uint8Array(0)
  for (let i = 0; i <= 300; i++) last = new Uint8Array(client.seal(new Uint8Array([i & 255])))
  expect([...open(A, recordNonce(300n), last.subarray(3), new Uint8Array(0))]).toEqual([300 & 255])
})

test('the simulated server reads ours and we read its records, empty ones too', () => {
  const codec = new TransportCodec(A, B)
  const opened = new RecordOpener(A).open(codec.seal(new Uint8Array(5000).fill(7)))
  expect(opened).toEqual(new Uint8Array(5000).fill(7))
  const sealer = new RecordSealer(B)
  const stream = concat(sealer.seal(new Uint8Array(0)), sealer.seal(new Uint8Array([9])))
  expect(openAll(codec, stream, [1])).toEqual(new Uint8Array([9]))
})

test('a flipped bit, a repeated record, a wrong type or length ends the connection for good', () => {
  const [client] = pair()
  const one = client.seal(new Uint8Array([1]))
  const good = client.seal(new Uint8Array([2]))
  const flipped = one.slice()
  flipped[10]! ^= 1
  for (const bad of [flipped, concat(one, one), new Uint8Array([5, 0, 17]), new Uint8Array([4, 0, 15]), new Uint8Array([4, 255, 255])]) {
    const codec = new TransportCodec(B, A)
    expect(isDecodeError(codec.open(bad))).toBe(true)
    expect(isDecodeError(codec.open(good))).toBe(true)
  }
})

test('whatever bytes come, opening never throws', () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 100 })), (chunks) => {
    const codec = new TransportCodec(A, B)
    for (const chunk of chunks) codec.open(chunk)
  }))
})

test('an early payload is cut off in any chunking, and a stream without one passes whole', () => {
  const json = new TextEncoder().encode('{"nodeKeyChallenge":"chalpub:00"}')
  const early = concat(new Uint8Array([255, 255, 255, 0x54, 0x53, 0, 0, 0, json.length]), json)
  const frame = new Uint8Array([0, 0, 18, 4, 0, 0, 0, 0, 0, 1])
  for (const [stream, payload] of [[concat(early, frame), json], [frame, undefined], [new Uint8Array([255, 255, 0, 1]), undefined]] as const) {
    for (const size of [1, 3, 9, 1000]) {
      const filter = new EarlyPayloadFilter()
      const passed: Uint8Array[] = []
      for (let at = 0; at < stream.length; at += size) passed.push(filter.handleBytes(stream.subarray(at, at + size)) as Uint8Array)
      expect(concat(...passed)).toEqual(payload ? frame : stream)
      expect(filter.takePayload()).toEqual(payload)
    }
  }
  expect(isDecodeError(new EarlyPayloadFilter().handleBytes(new Uint8Array([255, 255, 255, 0x54, 0x53, 255, 0, 0, 0])))).toBe(true)
})
