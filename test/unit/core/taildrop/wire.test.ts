import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isDecodeError } from '../../../../main/engine/base/errors.ts'
import { nameFault } from '../../../../main/engine/core/taildrop/names.ts'
import {
  decodeBlockHash, decodeManifest, decodeOffer, decodeOfferAnswer, decodePutAnswer, decodeRefusal, encodeBlockHash, encodeManifest, encodeOffer, encodeOfferAnswer, encodePutAnswer,
  encodeRefusal, parseItemPath, parseSize,
} from '../../../../main/engine/core/taildrop/wire.ts'

const BATCH = '0123456789abcdef0123456789abcdef'
const HASH = 'ab'.repeat(32)
const goodName = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter((name) => nameFault(name) === undefined)
const size = fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER })

describe('what is written is read as it was', () => {
  test('an offer', () => {
    const item = fc.record({ name: goodName, size, isFolder: fc.boolean(), files: fc.integer({ min: 0, max: 100_000 }) }).map((one) => (one.isFolder ? one : { ...one, files: 1 }))
    fc.assert(fc.property(fc.array(item, { minLength: 1, maxLength: 20 }), (items) => {
      expect(decodeOffer(encodeOffer({ batch: BATCH, items }))).toEqual({ batch: BATCH, items })
    }))
  })
  test('answers and refusals', () => {
    for (const answer of [{ state: 'accepted' }, { state: 'asking' }, { state: 'refused', why: { code: 'no-space', text: 'full' } }] as const) expect(decodeOfferAnswer(encodeOfferAnswer(answer))).toEqual(answer)
    expect(decodePutAnswer(encodePutAnswer({ name: 'a (1).txt', size: 3, sha256: HASH }))).toEqual({ name: 'a (1).txt', size: 3, sha256: HASH })
    expect(decodeRefusal(encodeRefusal({ code: 'busy', text: 'x' }))).toEqual({ code: 'busy', text: 'x' })
  })
  test('a manifest and hashes', () => {
    const entries = [{ path: 'a/b.txt', size: 3, mtimeMs: 1_700_000_000_000 }, { path: 'empty', size: -1, mtimeMs: -5 }]
    expect(decodeManifest(encodeManifest(entries))).toEqual(entries)
    const hash = { checksum: HASH, algo: 'sha256', size: 65_536 } as const
    expect(encodeBlockHash(hash)).toBe(`${JSON.stringify(hash)}\n`)
    expect(decodeBlockHash(encodeBlockHash(hash))).toEqual(hash)
  })
})

test('what is not known is passed over', () => {
  expect(decodeOfferAnswer('{"V":1,"State":"accepted","Later":{}}')).toEqual({ state: 'accepted' })
})

describe('hostile text is refused, never thrown', () => {
  const offer = (item: object, more: object = {}): string => JSON.stringify({ V: 1, Batch: BATCH, Items: [{ Name: 'a', Size: 1, Folder: false, Files: 1, ...item }], ...more })
  test.each([
    ['another version', offer({}, { V: 2 })], ['no version', offer({}, { V: undefined })], ['no batch', offer({}, { Batch: 'x' })], ['a batch in capitals', offer({}, { Batch: BATCH.toUpperCase() })],
    ['no items', offer({}, { Items: [] })], ['items that are none', offer({}, { Items: { length: 3 } })], ['null for an item', offer({}, { Items: [null] })],
    ['too many items', offer({}, { Items: Array.from({ length: 10_001 }, () => ({ Name: 'a', Size: 1, Folder: false, Files: 1 })) })],
    ['a name that leads elsewhere', offer({ Name: '../a' })], ['a number for a name', offer({ Name: 5 })], ['a size below nothing', offer({ Size: -2 })], ['half a byte', offer({ Size: 0.5 })],
    ['a size beyond numbers', offer({}).replace('"Size":1', '"Size":1e300')], ['too many files', offer({ Files: 100_001 })], ['a text for Folder', offer({ Folder: 'yes' })],
    ['a list', '[]'], ['null', 'null'], ['nothing', ''], ['no JSON', '{'], ['depth', '['.repeat(1_000_000)], ['length', `"${'x'.repeat(5 << 20)}"`],
  ])('%s', (_name, text) => {
    expect(isDecodeError(decodeOffer(text))).toBe(true)
    expect(isDecodeError(decodeManifest(text))).toBe(true)
    expect(isDecodeError(decodeOfferAnswer(text))).toBe(true)
    expect(isDecodeError(decodePutAnswer(text))).toBe(true)
    expect(isDecodeError(decodeBlockHash(text))).toBe(true)
    expect(decodeRefusal(text)).toBeUndefined()
  })
  test('whatever it is', () => {
    fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      for (const decode of [decodeOffer, decodeManifest, decodeOfferAnswer, decodePutAnswer, decodeBlockHash, decodeRefusal]) decode(text)
    }))
  })
  test('a manifest with bad paths, times or sizes', () => {
    for (const entry of [{ Path: '../a' }, { Path: 1 }, { Size: -2 }, { Size: Number.MAX_SAFE_INTEGER }, { Mtime: 'x' }, { Mtime: 1e300 }, { Mtime: null }]) {
      const Entries = [{ Path: 'a', Size: 1, Mtime: 0, ...entry }, { Path: 'b', Size: 1, Mtime: 0 }]
      expect(isDecodeError(decodeManifest(JSON.stringify({ V: 1, Entries })))).toBe(true)
    }
  })
  test('words of another device stay one line without controls, and codes are codes', () => {
    expect(decodeOfferAnswer(JSON.stringify({ V: 1, State: 'refused', Why: { Code: '<b>', Text: `a\u001b[31m\u202eb\n${'x'.repeat(9_999)}` } }))).toEqual({ state: 'refused', why: { code: 'refused', text: 'a[31mb' } })
    expect(decodeOfferAnswer('{"V":1,"State":"refused"}')).toEqual({ state: 'refused', why: { code: 'refused', text: '' } })
  })
})

test('sizes and places of items are plain digits', () => {
  expect(['0', '12', '9007199254740991'].map(parseSize)).toEqual([0, 12, 9_007_199_254_740_991])
  expect(['', '-1', '+1', '1.0', '0x1', '1e3', ' 1', '9007199254740992', '9'.repeat(400)].map(parseSize)).toEqual(Array.from({ length: 9 }))
  expect(parseItemPath(`${BATCH}/7`)).toEqual({ batch: BATCH, index: 7 })
  for (const bad of [`${BATCH}/07`, `${BATCH}/`, `${BATCH}`, `${BATCH}/10000`, `${BATCH}/-1`, `x/1`, `${BATCH}/1/2`, `../${BATCH}/1`]) expect(parseItemPath(bad)).toBeUndefined()
})
