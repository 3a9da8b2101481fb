import fc from 'fast-check'
import { expect, test } from 'vitest'
import { listChanges } from '../../../../main/engine/core/plan/list-changes.ts'

test('what is in one list alone is found, whatever happened between them', () => {
  const list = fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { maxLength: 20 })
  fc.assert(fc.property(list, list, (before, after) => {
    const { gone, come } = listChanges(before, after)
    expect(gone.toSorted((a, b) => a - b)).toEqual(before.filter((item) => !after.includes(item)).toSorted((a, b) => a - b))
    expect(come).toEqual(after.filter((item) => !before.includes(item)))
  }), { numRuns: 2000 })
})

test('a list and itself differ in nothing', () => {
  const list = [1, 2, 3]
  expect(listChanges(list, list)).toEqual({ gone: [], come: [] })
})
