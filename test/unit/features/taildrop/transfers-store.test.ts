import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HandClock, seededRandom } from '../../../sim/clock.ts'
import { makeTempDir, removeTempDir } from '../../../support/temp.ts'
import { silentLog } from '../../../../main/engine/base/log.ts'
import { parseAsks } from '../../../../main/engine/features/taildrop/asks-store.ts'
import { makeRow, type Row } from '../../../../main/engine/features/taildrop/rows.ts'
import { parseRows, rowsText, TransfersStore } from '../../../../main/engine/features/taildrop/transfers-store.ts'
import { Store } from '../../../../main/engine/io/store.ts'

const text = fc.string({ maxLength: 40 })
const size = fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER })
const base = { batch: text, peer: text, peerName: text, name: text, files: fc.nat(), size, done: size, checked: fc.boolean(), createdMs: fc.nat(), why: fc.option(fc.record({ Code: text, Text: text }), { nil: undefined }) }
const source = fc.record({
  ref: fc.oneof(fc.record({ kind: fc.constant('path' as const), path: text, isFolder: fc.boolean() }), fc.record({ kind: fc.constant('spool' as const), id: text })),
  isFolder: fc.boolean(), size, print: text, of: fc.nat(),
})
const outgoing = fc.record({ ...base, direction: fc.constant('out' as const), kind: fc.constantFrom('file' as const, 'folder' as const, 'archive' as const), state: fc.constantFrom('queued' as const, 'sending' as const, 'paused' as const, 'stopped' as const, 'delivered' as const, 'canceled' as const), source })
const incoming = fc.record({ ...base, direction: fc.constant('in' as const), kind: fc.constant('file' as const), state: fc.constantFrom('received' as const, 'stopped' as const, 'canceled' as const), savedIn: text, savedAs: text, finishedMs: fc.nat() })
const rows = fc.array(fc.oneof(outgoing, incoming), { maxLength: 12 }).map((list) => list.map((row, n): Row => makeRow({ ...row, id: `id${n}` })))

describe('the file of transfers', () => {
  test('is read as it was written, open ones before finished ones', () => {
    fc.assert(fc.property(rows, (list) => {
      const byId = (some: readonly Row[]): readonly Row[] => some.toSorted((a, b) => (a.id < b.id ? -1 : 1))
      expect(byId(parseRows(rowsText(list))!)).toEqual(byId(list))
    }))
  })

  test('whatever is in it, reading never throws, and rows without sense are left out', () => {
    fc.assert(fc.property(fc.string(), (junk) => void parseRows(junk)))
    fc.assert(fc.property(fc.array(fc.oneof(fc.jsonValue(), fc.record({ id: text, direction: fc.constantFrom('out', 'in'), state: text, source: fc.jsonValue() }))), (junk) => {
      for (const row of parseRows(JSON.stringify({ version: 1, rows: junk }))!) expect(typeof row.id).toBe('string')
      expect(parseAsks(JSON.stringify({ version: 1, accepted: {}, batches: junk }))!.batches.every(({ id }) => typeof id === 'string')).toBe(true)
    }))
    expect(parseRows(JSON.stringify({ version: 2, rows: [] }))).toBeUndefined()
    expect(parseAsks('{')).toBeUndefined()
  })

  test('of what came in, or was sent by another program, when the process ended, is said that it broke off', () => {
    const of = (direction: 'in' | 'out', state: Row['state']): Row => makeRow({ id: direction, batch: '', direction, peer: '', peerName: '', name: '', kind: 'file', files: 1, size: 1, state, createdMs: 5 })
    const [came, went] = parseRows(rowsText([of('in', 'receiving'), of('out', 'sending')]))!
    expect(came).toMatchObject({ state: 'stopped', why: { Code: 'stopped' }, finishedMs: 5 })
    expect(went).toMatchObject({ state: 'stopped', why: { Code: 'source-stopped' } })
  })

  test('a damaged one is kept aside and told by the store; the list starts empty', () => {
    const dir = makeTempDir('rows')
    try {
      const clock = new HandClock()
      const store = new Store({ dir, clock })
      writeFileSync(join(dir, 'transfers-p.json'), '{"version":1,"rows":[')
      const env = { clock, random: seededRandom(1), log: silentLog, journal: { add: () => {} } }
      expect(new TransfersStore(env, store, () => [], () => {}).open('p')).toEqual([])
      expect(store.problems()).toMatchObject([{ name: 'transfers-p' }])
      expect(readdirSync(dir).some((name) => name.includes('damaged'))).toBe(true)
    } finally {
      removeTempDir(dir)
    }
  })
})
