import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { foldKey, manifestFault, nameFault, nameFromPath, nextName, partialName, pathFault, utf8Length } from '../../../../main/engine/core/taildrop/names.ts'

const bytes = (text: string): number => new TextEncoder().encode(text).length

describe('a name of a received file', () => {
  test.each([
    'a.txt', 'photo 1.jpg', '.profile', 'Ünïcödé.pdf', 'Ünïcödé.pdf'.normalize('NFD'), '日本語.txt', '📷.jpg', 'a..b', 'what?.txt', '-rf', '~', '$HOME',
    'con-tract.txt', 'com10', 'console.log', 'null', 'a%2fb', 'x.part', 'partial', 'x'.repeat(255), 'é'.repeat(127),
  ])('may be %j', (name) => {
    expect(nameFault(name)).toBeUndefined()
    expect(nameFromPath(encodeURIComponent(name))).toBe(name)
  })

  test.each([
    '', '.', '..', '/', 'a/b', '../a', '..\\a', 'a\\b', '/etc/passwd', 'C:', 'C:\\x', 'a:b', 'file.txt:stream', 'file.txt::$DATA', 'a*', 'a"b', 'a<b', 'a>b', 'a|b',
    'a\0b', 'a\nb', 'a\rb', 'a\tb', '\u001b[31m', 'a\u0085b', 'exe\u202Ecod.txt', 'a\u2066b', 'a\u200bb', 'a\u200db', '\ufeffa', 'a\u2028b', '\ue000', '\ud800', 'a\udc00b',
    ' a', 'a ', '\u00a0a', 'a\u3000', 'a.', 'a..', '...', 'a. ',
    'con', 'CON', 'nul', 'NUL.txt', 'aux.c', 'prn', 'COM1', 'com9.tar.gz', 'LPT3', 'COM¹', 'lpt³.x', 'CONIN$', 'conout$', 'nul .txt', 'con.',
    'a.partial', 'a.PARTIAL', 'a.deleted', '.partial', 'x'.repeat(256), 'é'.repeat(128), '日'.repeat(86),
  ])('may not be %j', (name) => {
    expect(nameFault(name)).toBeDefined()
  })

  test.each([
    ['..%2Fa'], ['%2e%2e%2fa'], ['%2e%2e'], ['..%5ca'], ['a%00b'], ['%'], ['%zz'], ['%c3'], ['%c0%ae%c0%ae'], ['%ff'], ['%ed%a0%80'], ['a/b'], ['../a'], ['.'], [''],
    ['%20a'], ['a%2epartial'], ['a%3astream'], ['%e2%80%aea'], ['x'.repeat(100_000)], ['%41'.repeat(256)],
  ])('in a path may not be %j', (raw) => {
    expect(nameFromPath(raw)).toBeUndefined()
  })

  test('is decoded exactly once', () => {
    expect(nameFromPath('a%252e%252e%252fb')).toBe('a%2e%2e%2fb')
    expect(nameFromPath('%25')).toBe('%')
    expect(nameFromPath('a+b')).toBe('a+b')
  })

  test('may come as raw bytes of UTF-8', () => {
    expect(nameFromPath(Buffer.from('größe.txt').toString('latin1'))).toBe('größe.txt')
    expect(nameFromPath(Buffer.from([0x61, 0xff]).toString('latin1'))).toBeUndefined()
    expect(nameFromPath('日')).toBe('日')
  })

  test('that is let in is one plain element of a path on every system, whatever was sent', () => {
    fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ unit: fc.constantFrom('.', '/', '\\', '%', '2', 'e', 'f', 'c', '5', ':', ' ', '\0', 'é', '\u0301') })), (raw) => {
      const name = nameFromPath(raw)
      if (name === undefined) return
      // eslint-disable-next-line no-control-regex
      expect(name).not.toMatch(/[/\\:\u0000-\u001f\u202a-\u202e]|^\.{0,2}$|\.$|^\s|\s$|\.partial$/)
      expect(bytes(name)).toBeLessThanOrEqual(255)
    }))
  })
})

describe('the name while it comes', () => {
  test('is the one that stock clients use', () => {
    expect(partialName('a.txt', 'n123CNTRL')).toBe('a.txt.n123CNTRL.partial')
  })
  test('leads nowhere else whatever the server calls the sender', () => {
    expect(partialName('a', '../../x')).toBe('a.%2e%2e%2f%2e%2e%2fx.partial')
  })
  test('is none when a disk would not take it', () => {
    expect(partialName('x'.repeat(255), '1')).toBeUndefined()
    expect(bytes(partialName('x'.repeat(245), '1')!)).toBe(255)
  })
})

describe('the next name', () => {
  test.each([
    ['a.jpg', 'a (1).jpg'], ['a (1).jpg', 'a (2).jpg'], ['a (9).jpg', 'a (10).jpg'], ['a.tar.gz', 'a (1).tar.gz'], ['a', 'a (1)'], ['.profile', '.profile (1)'],
    ['a (0).x', 'a (0) (1).x'], ['a (x)', 'a (x) (1)'], ['Version 1.5', 'Version 1.5 (1)'], ['a.verylongending', 'a.verylongending (1)'], ['mp3.mp3', 'mp3 (1).mp3'], ['(1)', '(1) (1)'],
  ])('of %j is %j, as a stock client has it', (name, next) => {
    expect(nextName(name)).toBe(next)
  })
  test('is a good name again, always another one, and never too long', () => {
    const good = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 255 }).filter((name) => nameFault(name) === undefined)
    fc.assert(fc.property(fc.oneof(good, fc.constantFrom('x'.repeat(255), '日'.repeat(85), `${'x'.repeat(251)}.jpg`, 'a' + '.b'.repeat(127), `${'x'.repeat(240)} (999999999).jpg`)), (name) => {
      const next = nextName(name)
      expect(next).not.toBe(name)
      expect(nameFault(next)).toBeUndefined()
    }))
  })
})

test('twins are names that differ in case or in how accents are written', () => {
  expect(foldKey('Straße É.TXT')).toBe(foldKey('straße é.txt'.normalize('NFD')))
  expect(foldKey('Å')).toBe(foldKey('\u212b'))
  expect(foldKey('a')).not.toBe(foldKey('b'))
})

test('bytes of UTF-8 are counted as an encoder makes them', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => {
    expect(utf8Length(text)).toBe(bytes(text))
  }))
})

describe('what a folder holds', () => {
  const file = (path: string) => ({ path, size: 1, mtimeMs: 0 })
  const folder = (path: string) => ({ path, size: -1, mtimeMs: 0 })

  test('may be files and folders, one within the other', () => {
    expect(manifestFault([file('a/b/c.txt'), file('a/b!'), file('a.txt'), folder('empty'), folder('a'), folder('a/b'), file('x.partial')])).toBeUndefined()
    expect(manifestFault([])).toBeUndefined()
  })
  test.each(['../a', 'a/../b', '/a', 'a//b', 'a/', './a', 'a/./b', 'a\\b', 'a/nul', 'a/b:c', 'C:/a', `${'a/'.repeat(64)}b`, `${'x'.repeat(250)}/`.repeat(9) + 'x', ''])('may not lie at %j', (path) => {
    expect(pathFault(path)).toBeDefined()
    expect(manifestFault([file('ok'), file(path)])).toBeDefined()
  })
  test.each([
    ['the same file twice', [file('a'), file('b'), file('a')]],
    ['the same folder twice', [folder('a'), folder('a')]],
    ['a file that is a folder', [file('a'), folder('a')]],
    ['a file with files below it', [file('a'), file('a!'), file('a/b')]],
    ['a file with files far below it', [file('a/b/c/d'), file('a/b')]],
    ['too many', Array.from({ length: 100_001 }, (_, i) => file(String(i)))],
  ])('may not be %s', (_name, entries) => {
    expect(manifestFault(entries)).toBeDefined()
  })
})
