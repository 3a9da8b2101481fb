import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatTarget, isTarget, listenAddress, targetOf } from '../../../main/engine/backend/forward-address.ts'

const refusal = expect.objectContaining({ code: 'bad-prefs' })

describe('where a forward listens', () => {
  test.each([
    ['5432', '127.0.0.1', 5432], [':5432', '127.0.0.1', 5432], ['localhost:80', '127.0.0.1', 80], ['0', '127.0.0.1', 0],
    ['127.0.0.1:1', '127.0.0.1', 1], ['127.9.9.9:1', '127.9.9.9', 1], ['[::1]:53', '::1', 53],
  ])('%s', (text, ip, port) => {
    expect(listenAddress(text)).toEqual({ ip, port })
  })

  test.each(['', 'x', '-1', '65536', '99999', '0.0.0.0:80', '[::]:80', '192.168.1.5:80', 'db:80', '1.2.3.4', '::1:53', '5432\n'])('%j is refused', (text) => {
    expect(() => listenAddress(text)).toThrow(refusal)
  })
})

describe('where a forward leads', () => {
  test.each([
    ['db:5432', 'db', 5432], ['db', 'db', 99], ['db.example.ts.net:80', 'db.example.ts.net', 80], ['10.0.3.7:445', '10.0.3.7', 445], ['10.0.3.7', '10.0.3.7', 99],
    ['[fd7a::1]:53', 'fd7a::1', 53], ['fd7a::1', 'fd7a::1', 99], ['[fd7a::1]', 'fd7a::1', 99],
  ])('%s', (text, host, port) => {
    expect(targetOf(text, 99)).toEqual({ host, port })
  })

  test.each(['', ':80', 'db:0', 'db:65536', 'db:x', 'a b:80', 'db:80:90', '[db]:80', 'http://db:80', 'user@db:80', 'db/x:80', '-db:80', 'x'.repeat(301), 'db\n:80'])('%j is refused', (text) => {
    expect(() => targetOf(text, 99)).toThrow(refusal)
  })

  test('a place is read back as it was written', () => {
    fc.assert(fc.property(fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()), fc.integer({ min: 1, max: 65_535 }), (host, port) => {
      const text = formatTarget(targetOf(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`))
      expect(formatTarget(targetOf(text))).toBe(text)
      expect(isTarget(text)).toBe(true)
    }))
  })

  test('no text is taken for a saved place that is none', () => {
    fc.assert(fc.property(fc.string(), (text) => {
      if (isTarget(text)) expect(targetOf(text).port).toBeGreaterThan(0)
    }))
  })
})
