import { describe, expect, test } from 'vitest'
import { PrivateKey } from '../../../../main/engine/base/keys.ts'
import { decodeEvent, encodeEvent, JournalRing } from '../../../../main/engine/core/journal/journal.ts'

describe('the journal ring', () => {
  test('keeps the newest and numbers on', () => {
    const ring = new JournalRing(3)
    for (let i = 1; i <= 5; i++) ring.add(i, { part: 'test', kind: `k${i}` })
    expect(ring.tail(10).map((event) => [event.seq, event.kind])).toEqual([[3, 'k3'], [4, 'k4'], [5, 'k5']])
    expect(ring.tail(10, 4).map((event) => event.seq)).toEqual([5])
    expect(ring.tail(1).map((event) => event.seq)).toEqual([5])
  })

  test('an entry cannot forge its number or time', () => {
    expect(new JournalRing(3).add(7, { part: 'test', kind: 'k', seq: 99, atMs: 0 })).toMatchObject({ seq: 1, atMs: 7 })
  })

  test('a private key in an entry shows as redacted', () => {
    const key = PrivateKey.fromRandom(new Uint8Array(32).fill(9))
    const line = encodeEvent(new JournalRing(3).add(0, { part: 'test', kind: 'k', key, deep: { key } }))
    expect(line).toContain('redacted')
    expect(line).not.toContain(key.secretText().slice(8))
  })

  test('huge, deep and binary values are cut', () => {
    const event = new JournalRing(3).add(0, { part: 'test', kind: 'k', text: 'x'.repeat(10_000), list: Array.from({ length: 1000 }, (_, i) => i), deep: { a: { b: { c: { d: 1 } } } }, bytes: new Uint8Array(5000), big: 5n, bad: Number.NaN, f: () => 1 })
    expect(encodeEvent(event).length).toBeLessThan(1000)
    expect(event).toMatchObject({ bytes: '5000 B', big: '5', bad: 'NaN' })
    expect(event).not.toHaveProperty('f')
  })

  test('a line reads back; a torn one does not', () => {
    const event = new JournalRing(3).add(5, { part: 'test', kind: 'k', why: 'line\nbreak' })
    const line = encodeEvent(event)
    expect(line).not.toContain('\n')
    expect(decodeEvent(line)).toEqual(event)
    expect(decodeEvent(line.slice(0, -3))).toBeUndefined()
    expect(decodeEvent('{"seq":1}')).toBeUndefined()
  })
})
