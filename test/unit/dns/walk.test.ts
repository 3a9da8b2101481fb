/**
 * The bones of messages, against the library's own encoder and against bytes that nobody meant.
 */
import { encode } from 'dns-packet'
import type { Answer } from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isDecodeError } from '../../../main/engine/base/errors.ts'
import { answerFor, answersQuery, cutAnswer, datagramLimit, encodeQuery, recordsOf, refuseQuery, withNumber } from '../../../main/engine/dns/codec.ts'
import { walk } from '../../../main/engine/dns/walk.ts'
import type { Bones } from '../../../main/engine/dns/walk.ts'

const bonesOf = (bytes: Uint8Array): Bones => {
  const bones = walk(bytes)
  if (isDecodeError(bones)) throw new Error(`${bones.reason} ${bones.detail ?? ''}`)
  return bones
}

const RECORDS: Answer[] = [
  { type: 'CNAME', name: 'a.example', ttl: 60, data: 'b.example' },
  { type: 'A', name: 'b.example', ttl: 50, data: '192.0.2.1' },
  { type: 'AAAA', name: 'b.example', ttl: 40, data: '2001:db8::1' },
  { type: 'MX', name: 'a.example', ttl: 60, data: { preference: 10, exchange: 'mail.example' } },
  { type: 'TXT', name: 'a.example', ttl: 60, data: ['one', 'two'] },
  { type: 'SRV', name: 'a.example', ttl: 60, data: { priority: 1, weight: 2, port: 443, target: 't.example' } },
  { type: 'CAA', name: 'a.example', ttl: 60, data: { flags: 0, tag: 'issue', value: 'ca.example' } },
]

const MESSAGE = new Uint8Array(encode({ type: 'response', id: 7, questions: [{ type: 'A', name: 'a.example' }], answers: RECORDS }))

describe('the bones of a message', () => {
  test('are what the library wrote', () => {
    const bones = bonesOf(MESSAGE)
    expect(bones).toMatchObject({ id: 7, isAnswer: true, isCut: false, rcode: 0, asked: { name: 'a.example', type: 1, class: 1 }, length: MESSAGE.length })
    expect(bones.records.map(({ name, ttl, value }) => [name, ttl, value])).toEqual([
      ['a.example', 60, 'b.example'], ['b.example', 50, '192.0.2.1'], ['b.example', 40, '2001:db8::1'], ['a.example', 60, 'mail.example'], ['a.example', 60, undefined],
      ['a.example', 60, 't.example'], ['a.example', 60, undefined],
    ])
    expect(recordsOf(MESSAGE, bones).map(({ type, data }) => `${type} ${data}`)).toEqual([
      'CNAME b.example', 'A 192.0.2.1', 'AAAA 2001:db8::1', 'MX mail.example', 'TXT one two', 'SRV t.example', expect.stringMatching(/^CAA .*ca\.example/),
    ])
  })

  test.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['no question', (bytes) => bytes.with(5, 0)],
    ['two questions', (bytes) => bytes.with(5, 2)],
    ['more records than there are', (bytes) => bytes.with(7, 8)],
    ['sixty thousand records', (bytes) => bytes.with(6, 0xff)],
    ['a pointer to itself', (bytes) => bytes.with(12, 0xc0).with(13, 12)],
    ['a pointer forward', (bytes) => bytes.with(12, 0xc0).with(13, 200)],
    ['a pointer into the header', (bytes) => bytes.with(12, 0xc0).with(13, 0)],
    ['a label of an unknown kind', (bytes) => bytes.with(12, 0x80)],
    ['half of it', (bytes) => bytes.subarray(0, 40)],
    ['an address that is too long', () => withData(1, 5)],
    ['an address that is too short', () => withData(28, 4)],
    ['an alias with bytes behind it', () => withData(5, 3)],
  ])('%s is no message', (_what, change) => {
    expect(walk(change(MESSAGE))).toMatchObject({ kind: 'decode-error' })
  })

  test('a maze of pointers is left after a bounded number of steps', () => {
    const bytes = new Uint8Array(16_000)
    bytes.set([0, 0, 0x80, 0, 0, 1, 0, 0xff])
    let at = 12
    bytes.set([0, 0, 1, 0, 1], at)
    at += 5
    // A chain of pointers, each to the one before, then names that all begin at its end.
    const first = at
    for (; at < 8_000; at += 2) bytes.set([0xc0 | ((at === first ? 12 : at - 2) >> 8), (at === first ? 12 : at - 2) & 0xff], at)
    expect(walk(bytes)).toMatchObject({ kind: 'decode-error' })
  })

  test('any bytes are read or refused, and what is read can be told, numbered, aged and cut', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.tuple(fc.nat(MESSAGE.length - 1), fc.nat(255)).map(([at, value]) => MESSAGE.with(at, value)),
      fc.tuple(fc.nat(MESSAGE.length - 1), fc.nat(255), fc.nat(MESSAGE.length)).map(([at, value, end]) => MESSAGE.with(at, value).subarray(0, end)),
    )
    fc.assert(fc.property(bytes, fc.nat(65_535), (message, id) => {
      const bones = walk(message)
      if (isDecodeError(bones)) return
      expect(bones.length).toBeLessThanOrEqual(message.length)
      recordsOf(message, bones)
      expect(datagramLimit(bones)).toBeGreaterThanOrEqual(512)
      for (const made of [withNumber(message, bones, id), cutAnswer(message, bones), refuseQuery(message, bones, 5), answerFor(message, message, bones, id)]) {
        expect(bonesOf(made).asked.name).toBe(bones.asked.name)
      }
    }), { numRuns: 2_000 })
  })
})

/** An answer with one record of this type whose data has `length` bytes, zeros all. */
function withData(type: number, length: number): Uint8Array {
  return Uint8Array.of(0, 7, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, type, 0, 1, 0, 0, type, 0, 1, 0, 0, 0, 9, 0, length, ...new Uint8Array(length))
}

describe('an answer', () => {
  const query = encodeQuery(0x1234, { name: 'www.Example.com', type: 1 })
  const bones = bonesOf(query)
  const answer = query.slice()
  answer[2]! |= 0x80

  test('belongs to its query by number, question and mark alone', () => {
    expect(answersQuery(bonesOf(answer), bones)).toBe(true)
    expect(answersQuery(bones, bones)).toBe(false)
    for (const at of [0, 1, 15, query.length - 3]) expect(answersQuery(bonesOf(answer.with(at, answer[at]! ^ 0x15)), bones)).toBe(false)
  })

  test('may spell the question otherwise, and is given on as it was spelled', () => {
    const lower = answer.with(17, 0x65)
    expect(answersQuery(bonesOf(lower), bones)).toBe(true)
    expect([...answerFor(query, lower, bonesOf(lower), 0).subarray(12)]).toEqual([...query.subarray(12)])
  })

  test('has times that went by while it was kept, and never less than none', () => {
    const aged = answerFor(MESSAGE, MESSAGE, bonesOf(MESSAGE), 45)
    expect(bonesOf(aged).records.map(({ ttl }) => ttl)).toEqual([15, 5, 0, 15, 15, 15, 15])
  })
})
