import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { AskBook, type AskState } from '../../../../main/engine/core/taildrop/asks.ts'
import type { OfferItem } from '../../../../main/engine/core/taildrop/wire.ts'

const DAY = 24 * 3_600_000
const item = (name: string, size = 5): OfferItem => ({ name, size, isFolder: false, files: 1 })
const wire = (n: number): string => n.toString(16).padStart(32, '0')
let book: AskBook
let ids = 0
const newId = (): string => `id${++ids}`
beforeEach(() => {
  book = new AskBook()
  ids = 0
})
const wanted = (nowMs: number, name: string, rule: AskState = 'asking', sender = 'n2') => book.wanted(nowMs, sender, item(name), rule, newId)
const offered = (nowMs: number, n: number, rule: AskState = 'asking', items = [item('a')]) => book.offered(nowMs, 'n2', wire(n), items, rule, newId)

describe('files of a stock client', () => {
  test('are one batch while a person is asked, and each sender has its own', () => {
    expect([wanted(0, 'a'), wanted(1, 'b'), wanted(2, 'a', 'asking', 'n3')]).toMatchObject([{ id: 'id1', state: 'asking' }, { id: 'id1', size: 10 }, { id: 'id2' }])
    expect(book.open(2)).toMatchObject([{ id: 'id1', items: [{ name: 'a' }, { name: 'b' }] }, { id: 'id2' }])
  })
  test('that follow an accepted one at once belong to it; later ones are asked for', () => {
    wanted(0, 'a')
    book.answer(1, 'id1', true)
    book.began('id1')
    expect(wanted(100_000, 'b')).toMatchObject({ id: 'id1', state: 'accepted' })
    book.ended(100_000, 'id1', 'a', true)
    expect(wanted(109_999, 'c')).toMatchObject({ id: 'id1', state: 'accepted' })
    expect(wanted(110_000, 'd')).toMatchObject({ id: 'id2', state: 'asking' })
  })
  test('that were accepted may come for a day, three times', () => {
    wanted(0, 'a')
    book.answer(0, 'id1', true)
    for (let i = 0; i < 3; i++) {
      const at = 60_000 * (i + 1)
      expect(wanted(at, 'a')).toMatchObject({ id: 'id1' })
      book.began('id1')
      book.ended(at, 'id1', 'a', true)
    }
    expect(wanted(DAY / 2, 'a')).toMatchObject({ id: 'id2', state: 'asking' })
    book.answer(DAY / 2, 'id2', true)
    expect(wanted(DAY / 2 + DAY, 'a')).toMatchObject({ id: 'id3', state: 'asking' })
  })
  test('that the rule lets in are not held against a rule that asks later', () => {
    expect(wanted(0, 'a', 'accepted')).toMatchObject({ id: 'id1', state: 'accepted', items: [] })
    expect(wanted(1, 'a')).toMatchObject({ id: 'id2', state: 'asking' })
  })
  test('that were accepted are refused when the rule refuses', () => {
    wanted(0, 'a')
    book.answer(0, 'id1', true)
    expect(wanted(1, 'a', 'refused')).toMatchObject({ state: 'refused' })
  })
  test('by the ten thousand take no memory where the rule lets them in', () => {
    for (let i = 0; i < 10_000; i++) expect(wanted(i * 20_000, `f${i}`, 'accepted')).toMatchObject({ state: 'accepted' })
    expect(book.open(0)).toEqual([])
  })
})

describe('an offer', () => {
  test('is the first one still when it comes again, whatever it says then', () => {
    offered(0, 1)
    expect(offered(1, 1, 'asking', [item('evil')])).toMatchObject({ id: 'id1', items: [{ name: 'a' }] })
  })
  test('is answered once', () => {
    offered(0, 1)
    expect(book.answer(1, 'id1', true, '/elsewhere')).toMatchObject({ state: 'accepted', folder: '/elsewhere' })
    expect(book.answer(2, 'id1', false)).toBeUndefined()
    expect(offered(3, 1)).toMatchObject({ state: 'accepted' })
    expect(book.folderFor('n2', 'a')).toBe('/elsewhere')
    expect(book.folderFor('n3', 'a')).toBeUndefined()
  })
  test('that the rule let in is asked for when the rule asks', () => {
    expect(offered(0, 1, 'accepted')).toMatchObject({ state: 'accepted' })
    expect(book.named(1, 'n2', wire(1), 'asking')).toMatchObject({ state: 'asking' })
  })
  test('lets in what it named, in its size', () => {
    offered(0, 1)
    book.answer(0, 'id1', true)
    expect([item('a'), item('a', -1), item('a', 6), item('b'), { ...item('a'), isFolder: true }].map((one) => book.covers('id1', one))).toEqual([true, false, false, false, false])
  })
  test('has a sender that is held for there while it asks again, and 45 s more', () => {
    offered(0, 1)
    expect(book.isHeld(44_999, 'id1')).toBe(true)
    expect(book.nextTimeout(0)).toBe(45_000)
    book.hold(44_999, 'id1', 1)
    expect(book.isHeld(500_000, 'id1')).toBe(true)
    book.hold(500_000, 'id1', -1)
    expect(book.isHeld(545_000, 'id1')).toBe(false)
    expect(book.open(500_000 + DAY - 1)).toHaveLength(1)
    expect(book.open(500_000 + DAY)).toEqual([])
  })
  test('finds room for eight of one sender and a hundred in all', () => {
    expect(Array.from({ length: 9 }, (_, i) => offered(0, i)).at(-1)).toBe('too-many')
    let open = 8
    for (let sender = 10; open < 100; sender++) for (let i = 0; i < 8 && open < 100; i++, open++) expect(book.offered(0, `n${sender}`, wire(i), [item('a')], 'asking', newId)).not.toBe('too-many')
    expect(book.offered(0, 'n9', wire(0), [item('a')], 'asking', newId)).toBe('too-many')
    expect(book.offered(0, 'n9', wire(0), [item('a')], 'accepted', newId)).toMatchObject({ state: 'accepted' })
  })
  test('makes room by forgetting what was decided longest ago', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => item(`f${i}`))
    for (let i = 0; i < 20; i++) expect(offered(i, i, 'accepted', many)).toMatchObject({ state: 'accepted' })
    expect(book.named(20, 'n2', wire(0), 'accepted')).toBeUndefined()
    expect(book.named(20, 'n2', wire(19), 'accepted')).toBeDefined()
  })
})

test('rules that change decide what is asked, and tell which', () => {
  offered(0, 1)
  wanted(0, 'x', 'asking', 'n3')
  expect(book.review(1, (sender) => (sender === 'n2' ? 'accepted' : 'asking'))).toEqual(['id1'])
  expect(book.open(1)).toMatchObject([{ sender: 'n3' }])
})

test('what is kept is what people answered, and works after a restart', () => {
  offered(0, 1)
  book.answer(5, 'id1', true, '/elsewhere')
  offered(0, 2, 'accepted')
  const kept = JSON.parse(JSON.stringify(book.kept())) as ReturnType<AskBook['kept']>
  expect(kept).toMatchObject({ accepted: { n2: 1 }, batches: [{ id: 'id1', wire: wire(1), folder: '/elsewhere' }] })
  book = new AskBook(kept)
  expect([book.acceptedBefore('n2'), book.acceptedBefore('n3')]).toEqual([1, 0])
  expect(offered(DAY - 1, 1)).toMatchObject({ state: 'accepted', folder: '/elsewhere' })
  expect(offered(DAY + 5, 1)).toMatchObject({ state: 'asking' })
})

test('nothing comes in without a rule or a person, whatever happens', () => {
  const step = fc.record({ do: fc.constantFrom('offer', 'want', 'accept', 'refuse', 'pass', 'end'), n: fc.integer({ min: 1, max: 4 }), name: fc.constantFrom('a', 'b', 'c') })
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const fresh = new AskBook()
    let [nowMs, id] = [0, 0]
    const accepted = new Set<string>()
    const make = (): string => `id${++id}`
    for (const { do: what, n, name } of steps) {
      if (what === 'pass') nowMs += n * 20_000
      else if (what === 'accept' || what === 'refuse') {
        const batch = fresh.open(nowMs)[0]
        if (batch && fresh.answer(nowMs, batch.id, what === 'accept') && what === 'accept') accepted.add(batch.id)
      } else if (what === 'end') fresh.ended(nowMs, `id${n}`, name, true)
      else {
        const batch = what === 'offer' ? fresh.offered(nowMs, 'n2', wire(n), [item(name)], 'asking', make) : fresh.wanted(nowMs, 'n2', item(name), 'asking', make)
        if (batch !== 'too-many' && batch.state === 'accepted') expect(accepted).toContain(batch.id)
      }
    }
  }))
})
