import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonText, printable, rendered, styled, table, widthOf, wrap } from '../../../main/cli/text.ts'

/** What may move the cursor, change colours, turn the writing direction or hide text. */
// eslint-disable-next-line no-control-regex
const STEERS = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/u
const hostile = fc.array(fc.oneof(fc.constantFrom('\u001b[2J', '\u001b]0;x\u0007', '\u009b31m', '\u202e', '\u2066', '\r', '\n', '\t', '\0', '\ufdd1', '\ufdd0', '\u200b', '\u{e0041}', 'é', '漢', '\u0301', '🙂'), fc.string({ unit: 'binary' })), { maxLength: 12 }).map((parts) => parts.join(''))

describe('text from other people', () => {
  test('printable leaves nothing that steers a terminal', () => {
    fc.assert(fc.property(hostile, (text) => {
      expect(printable(text)).not.toMatch(STEERS)
    }))
  })

  test('a page without colours keeps line breaks and tabs and nothing else that steers', () => {
    fc.assert(fc.property(hostile, (text) => {
      expect(rendered(styled('warning', text), false).replaceAll(/[\n\t]/g, '')).not.toMatch(STEERS)
    }))
  })

  test('a page with colours has no escapes but the four styles', () => {
    fc.assert(fc.property(hostile, (text) => {
      // eslint-disable-next-line no-control-regex
      const plain = rendered(`${styled('strong', 'x')}${text}`, true).replaceAll(/\u001b\[(0|1|2|33)m/g, '').replaceAll(/[\n\t]/g, '')
      expect(plain).not.toMatch(STEERS)
    }))
  })

  test('a table of hostile cells has as many lines as rows', () => {
    fc.assert(fc.property(fc.array(fc.tuple(hostile, hostile), { minLength: 1, maxLength: 5 }), (rows) => {
      expect(table(rows).split('\n')).toHaveLength(rows.length)
      expect(rendered(table(rows), false).replaceAll('\n', '')).not.toMatch(STEERS)
    }))
  })

  test('JSON means the same and steers nothing', () => {
    fc.assert(fc.property(hostile, hostile, (key, text) => {
      const value = { [key]: [text, 1, null] }
      for (const indent of [undefined, 2]) {
        const json = jsonText(value, indent)
        expect(JSON.parse(json)).toEqual(value)
        expect(json.replaceAll('\n', '')).not.toMatch(STEERS)
      }
    }))
  })
})

describe('columns', () => {
  test.each([['abc', 3], ['漢字', 4], ['e\u0301', 1], ['🙂', 2], [styled('strong', 'ab'), 2]])('%j takes %i', (text, width) => expect(widthOf(text)).toBe(width))

  test('line up whatever the scripts', () => {
    expect(table([['漢', 'a'], [styled('faint', 'xyz'), 'b']]).split('\n').map((line) => widthOf(line))).toEqual([6, 6])
  })

  test('wrapped lines fit, and hold the same words', () => {
    fc.assert(fc.property(fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }), fc.integer({ min: 20, max: 60 }), fc.integer({ min: 0, max: 6 }), (words, columns, indent) => {
      const text = wrap(words.join(' '), columns, indent)
      expect(text.split(/\s+/)).toEqual(words)
      for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(columns)
    }))
  })
})
