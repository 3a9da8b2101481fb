import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatIp, parsePrefix, prefixContains } from '../../../../main/engine/base/ip.ts'
import { parseAddressSet } from '../../../../main/engine/core/filter/address-sets.ts'

describe('an address expression', () => {
  test.each([
    ['*', ['0.0.0.0/0', '::/0']],
    ['100.64.0.1', ['100.64.0.1/32']],
    ['fd7a:115c:a1e0::1', ['fd7a:115c:a1e0::1/128']],
    ['10.0.0.0/8', ['10.0.0.0/8']],
    ['0.0.0.0/0', ['0.0.0.0/0']],
    ['10.0.0.1-10.0.0.4', ['10.0.0.1/32', '10.0.0.2/31', '10.0.0.4/32']],
    ['0.0.0.0-255.255.255.255', ['0.0.0.0/0']],
    ['::1-::2', ['::1/128', '::2/128']],
  ])('%s is read', (text, prefixes) => {
    expect(parseAddressSet(text)).toEqual(prefixes)
  })

  test.each(['10.0.0.1/8', '10.0.0.0/33', '10.0.0.0/08', '10.0.0.2-10.0.0.1', '10.0.0.1-::1', 'n2', '', '-', '1.2.3', 'x'.repeat(200)])('%s is refused with a reason', (text) => {
    expect(parseAddressSet(text)).toHaveProperty('reason')
  })

  test('a range covers exactly what lies in it', () => {
    const ip = fc.integer({ min: 0, max: 0xffff })
    fc.assert(
      fc.property(ip, ip, ip, (a, b, probe) => {
        const text = (n: number): string => formatIp(new Uint8Array([10, 0, n >> 8, n & 255]))
        const [first, last] = a < b ? [a, b] : [b, a]
        const set = parseAddressSet(`${text(first)}-${text(last)}`) as readonly string[]
        const inside = set.filter((prefix) => prefixContains(parsePrefix(prefix)!, text(probe)))
        expect(inside.length).toBe(probe >= first && probe <= last ? 1 : 0)
      }),
    )
  })

  test('no text makes it throw', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseAddressSet(text)))
  })
})
