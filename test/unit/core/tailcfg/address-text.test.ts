import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseAddrPort, parsePrefix } from '../../../../main/engine/base/ip.ts'
import { isAddrPortText, isPrefixText } from '../../../../main/engine/core/tailcfg/address-text.ts'

const ip = fc.oneof(fc.ipV4(), fc.ipV6())
const mangled = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(text, fc.nat(60), fc.constantFrom('', ':', '::', '.', '/', '0', 'f', '00', '[', ']', 'g', ' ')).map(([value, at, extra]) => value.slice(0, at) + extra + value.slice(at + 1))

test('a text is a prefix exactly when the parser takes it', () => {
  const prefix = fc.tuple(ip, fc.nat(140)).map(([address, bits]) => `${address}/${bits}`)
  fc.assert(fc.property(fc.oneof(ip, prefix, mangled(prefix), fc.string({ unit: fc.constantFrom(...'0123af:./'.split('')) })), (text) => {
    expect(isPrefixText(text)).toBe(parsePrefix(text) !== undefined)
  }), { numRuns: 3000 })
})

test('a text is an address and port exactly when the parser takes it', () => {
  const pair = fc.tuple(ip, fc.nat(70_000)).map(([address, port]) => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`))
  fc.assert(fc.property(fc.oneof(pair, mangled(pair), fc.string({ unit: fc.constantFrom(...'0123af:./[]'.split('')) })), (text) => {
    expect(isAddrPortText(text)).toBe(parseAddrPort(text) !== undefined)
  }), { numRuns: 3000 })
})
