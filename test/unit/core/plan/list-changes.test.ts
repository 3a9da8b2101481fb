import fc from 'fast-check'
import { expect, test } from 'vitest'
import { listChanges, noteChanges } from '../../../../main/engine/core/plan/list-changes.ts'

const items = Array.from({ length: 31 }, (_, n) => ({ n }))
type Item = (typeof items)[number]
const byNumber = (a: Item, b: Item): number => a.n - b.n

test('what is in one list alone is found, whatever happened between them', () => {
  const list = fc.uniqueArray(fc.constantFrom(...items), { maxLength: 20 })
  fc.assert(fc.property(list, list, (before, after) => {
    const { gone, come } = listChanges(before, after)
    expect(gone.toSorted(byNumber)).toEqual(before.filter((item) => !after.includes(item)).toSorted(byNumber))
    expect(come).toEqual(after.filter((item) => !before.includes(item)))
  }), { numRuns: 2000 })
})

test('a list and itself differ in nothing', () => {
  expect(listChanges(items, items)).toEqual({ gone: [], come: [] })
})

test('a note counts between its two lists only', () => {
  const [before, after] = [items.slice(0, 3), items.slice(0, 4)]
  const changes = { gone: [], come: [items[3]!] }
  noteChanges(before, after, changes)
  expect(listChanges(before, after)).toBe(changes)
  expect(listChanges(items.slice(0, 2), after)).toEqual({ gone: [], come: [items[2], items[3]] })
})
