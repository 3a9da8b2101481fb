import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { changeExtras, readExtras } from '../../../main/engine/backend/extras.ts'
import { DEFAULT_EXTRAS } from '../../../main/localapi/extras.ts'
import { DEFAULT_TAILDROP } from '../../../main/localapi/transfers.ts'

const forward = { ID: 'f1', Proto: 'tcp', Listen: '127.0.0.1:5432', To: 'db:5432', Created: '2026-11-23T09:00:00Z' }

describe('settings of our own', () => {
  test('are read field by field: what is damaged has its default and costs nothing else', () => {
    expect(readExtras({ SkippedRoutes: 'x', ExitNodeFailure: 'next', ExitNodeOrder: ['n1', 'n1'], Forwards: [forward, forward, { ...forward, ID: 'f2', Listen: '0.0.0.0:1' }, 7] }))
      .toEqual({ SkippedRoutes: [], ExitNodeFailure: 'next', ExitNodeOrder: ['n1'], Forwards: [forward], Taildrop: DEFAULT_TAILDROP })
  })

  test('survive anything that a file may hold, and what was read is read again as it is', () => {
    fc.assert(fc.property(fc.anything(), (raw) => {
      const read = readExtras(raw)
      expect(readExtras(JSON.parse(JSON.stringify(read)))).toEqual(read)
    }))
  })

  test('a change takes canonical networks, sorted and once each', () => {
    expect(changeExtras(DEFAULT_EXTRAS, { SkippedRoutes: ['fd00:0::/16', '10.0.3.0/24', '10.0.3.0/24'] }).SkippedRoutes).toEqual(['10.0.3.0/24', 'fd00::/16'])
  })

  test.each([
    [{ SkippedRoutes: ['10.0.3.1/24'] }], [{ SkippedRoutes: ['nonsense'] }], [{ ExitNodeFailure: 'open' }], [{ ExitNodeOrder: [7] }], [{ Forwards: [] }], [{ Taildrop: { Folder: 'here' } }], [{ Taildrop: { Folder: '/a/../etc' } }], [{ Taildrop: { Own: 'maybe' } }], [{ Taildrop: { Senders: { n1: 'maybe' } } }], [{ Taildrop: { More: 1 } }], [{ Other: 1 }], [null], [[]],
  ])('a change of %j is refused whole', (change) => {
    expect(() => changeExtras(DEFAULT_EXTRAS, change)).toThrow(expect.objectContaining({ code: 'bad-prefs' }))
  })
})
