import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readPutRequest } from '../../../../main/engine/core/taildrop/put-request.ts'

const BATCH = '0123456789abcdef0123456789abcdef'

describe('what a PUT says of itself', () => {
  test.each<[string, Record<string, string>, object]>([
    ['nothing', {}, { offset: 0, size: -1, batch: undefined }],
    ['its length', { 'content-length': '5' }, { offset: 0, size: 5, batch: undefined }],
    ['where it goes on', { 'content-length': '5', range: 'bytes=10-' }, { offset: 10, size: 15, batch: undefined }],
    ['where, with spaces and commas', { range: ' bytes=, 7- ' }, { offset: 7, size: -1, batch: undefined }],
    ['its whole size', { 'bowline-size': '15', range: 'bytes=10-', 'bowline-transfer': BATCH }, { offset: 10, size: 15, batch: BATCH }],
    ['both, and they agree', { 'bowline-size': '15', 'content-length': '5', range: 'bytes=10-' }, { offset: 10, size: 15, batch: undefined }],
    ['an empty range', { range: '' }, { offset: 0, size: -1, batch: undefined }],
  ])('%s', (_name, headers, request) => {
    expect(readPutRequest(headers)).toEqual(request)
  })

  test.each(['x', 'bytes', 'bytes=', 'bytes=-', 'bytes=-5', 'bytes=1-2', 'bytes=1-,2-', 'bytes=1-,', 'items=1-', 'bytes=+1-', 'bytes=0x1-', 'bytes=1e3-', 'bytes=9007199254740992-', `bytes=${'9'.repeat(400)}-`])('a range of %j is refused', (range) => {
    expect(readPutRequest({ range })).toBe('bad-range')
  })

  test.each<[string, Record<string, string | string[]>]>([
    ['sizes that differ', { 'bowline-size': '5', 'content-length': '6' }],
    ['a whole that is less than where it goes on', { 'bowline-size': '5', range: 'bytes=6-' }],
    ['a sum beyond numbers', { 'content-length': '9007199254740991', range: 'bytes=1-' }],
    ['a size that is none', { 'bowline-size': '-1' }],
    ['a batch that is none', { 'bowline-transfer': '../x' }],
    ['two batches', { 'bowline-transfer': [BATCH, BATCH] }],
  ])('%s are refused', (_name, headers) => {
    expect(readPutRequest(headers)).toBe('bad-request')
  })

  test('whatever it says, sizes are whole and not less than where it goes on', () => {
    const value = fc.oneof(fc.string(), fc.nat().map(String), fc.nat().map((n) => `bytes=${n}-`))
    fc.assert(fc.property(fc.record({ range: value, 'content-length': value, 'bowline-size': value, 'bowline-transfer': value }, { requiredKeys: [] }), (headers) => {
      const request = readPutRequest(headers)
      if (typeof request === 'string') return
      expect(Number.isSafeInteger(request.offset) && request.offset >= 0).toBe(true)
      expect(request.size === -1 || request.size >= request.offset).toBe(true)
    }))
  })
})
