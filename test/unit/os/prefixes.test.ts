import fc from 'fast-check'
import { expect, test } from 'vitest'
import { networkOf, parsePrefix, prefixContains } from '../../../main/engine/base/ip.ts'
import { halvesOf, isPlainPrefix } from '../../../main/engine/os/prefixes.ts'

test.each([
  ['0.0.0.0/0', ['0.0.0.0/1', '128.0.0.0/1']],
  ['::/0', ['::/1', '8000::/1']],
  ['192.168.1.0/24', ['192.168.1.0/25', '192.168.1.128/25']],
  ['2001:db8::/64', ['2001:db8::/65', '2001:db8:0:0:8000::/65']],
  ['10.0.0.4/31', ['10.0.0.4/32', '10.0.0.5/32']],
  ['10.0.0.4/32', ['10.0.0.4/32']],
])('the halves of %s', (prefix, halves) => {
  expect(halvesOf(prefix)).toEqual(halves)
})

test('halves are plain prefixes inside the whole', () => {
  fc.assert(fc.property(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 31 })), ([a, b, bits]) => {
    const whole = networkOf(`${a}.${b}.77.200`, bits)!
    for (const half of halvesOf(whole)) {
      expect(isPlainPrefix(half)).toBe(true)
      expect(prefixContains(parsePrefix(whole)!, parsePrefix(half)!.ip)).toBe(true)
    }
  }))
})

test.each(['10.0.0.1/8', '10.0.0.0/8; id', '010.0.0.0/8', '-x', '', 'fd7a:115C::/48', 'default'])('%s is no plain prefix', (text) => {
  expect(isPlainPrefix(text)).toBe(false)
})
