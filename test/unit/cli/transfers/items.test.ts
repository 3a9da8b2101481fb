import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { itemsOf } from '../../../../main/cli/transfers/items.ts'
import { deviceWord } from '../../../../main/cli/transfers/target.ts'
import { makeTempDir, removeTempDir } from '../../../support/temp.ts'

let dir: string
beforeAll(() => {
  dir = makeTempDir('items')
  mkdirSync(join(dir, 'photos'))
  for (const name of ['a.txt', 'nul.txt', 'secret']) writeFileSync(join(dir, name), name)
  symlinkSync(join(dir, 'a.txt'), join(dir, 'link.txt'))
  execFileSync('mkfifo', [join(dir, 'pipe')])
  chmodSync(join(dir, 'secret'), 0)
})
afterAll(() => removeTempDir(dir))

const at = (name: string): string => join(dir, name)

describe('what is to be sent', () => {
  test('is a file, a folder, what a link of the person leads to, standard input or a pipe', () => {
    expect(itemsOf([at('a.txt'), `${at('photos')}/`, at('link.txt'), '-', at('pipe')], '')).toEqual([
      { kind: 'file', path: at('a.txt'), name: 'a.txt', size: 5 },
      { kind: 'folder', path: at('photos'), name: 'photos', size: -1 },
      { kind: 'file', path: at('link.txt'), name: 'link.txt', size: 5 },
      { kind: 'stream', path: undefined, name: 'stdin' },
      { kind: 'stream', path: at('pipe'), name: 'pipe' },
    ])
  })

  test('a name is for the only one, or for standard input among several', () => {
    expect(itemsOf([at('a.txt')], 'b.txt')[0]).toMatchObject({ name: 'b.txt' })
    expect(itemsOf([at('a.txt'), '-'], 'b.txt').map(({ name }) => name)).toEqual(['a.txt', 'b.txt'])
    expect(() => itemsOf([at('a.txt'), at('photos')], 'b')).toThrow('--name is for one file')
    expect(() => itemsOf(['-', '-'], '')).toThrow('once only')
  })

  test.each([
    ['nothing', '', 'is not there'],
    ['a.txt/b', '', 'is not there'],
    ['nul.txt', '', 'it is the name of a device'],
    ['a.txt', '../b', 'it has a character that not every disk takes'],
    ['a.txt', 'x.partial', 'it ends like the name of something unfinished'],
    ...(process.getuid?.() === 0 ? [] : [['secret', '', 'may not be read by this user']]),
  ])('%s as "%s" is refused: %s', (word, name, sentence) => {
    expect(() => itemsOf([at(word!)], name!)).toThrow(sentence)
  })
})

describe('the device that gets it', () => {
  test.each([['desk:', 'desk'], ['desk.lab.internal.:', 'desk.lab.internal.'], ['100.64.0.2:', '100.64.0.2'], ['[fd7a:115c:a1e0::2]:', 'fd7a:115c:a1e0::2']])('%s is %s', (word, device) => {
    expect(deviceWord(word)).toBe(device)
  })

  test.each([['desk', 'with a colon behind it'], [':', 'Which device?'], ['fd7a:115c:a1e0::2:', 'stands in brackets: [fd7a:115c:a1e0::2]:'], ['[desk]:', 'Only an IPv6 address'], ['[100.64.0.2]:', 'Only an IPv6 address']])('%s is not understood: %s', (word, sentence) => {
    expect(() => deviceWord(word)).toThrow(sentence)
  })
})
