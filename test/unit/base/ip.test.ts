import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  canonicalIp, formatAddrPort, formatIp, isLoopbackIp, isTailscaleIp, mapped, parseAddrPort, parseIp, parsePrefix, prefixContains, unmap,
} from '../../../main/engine/base/ip.ts'

const address = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))

describe('ip', () => {
  it('parses what it formats, for every address', () => {
    fc.assert(fc.property(address, (bytes) => {
      expect(parseIp(formatIp(bytes))).toEqual(bytes)
    }))
  })

  it('never throws on any text and accepts only canonical forms back', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:.%[\]/]{0,50}$/)), (text) => {
      for (const parsed of [parseIp(text), parsePrefix(text), parseAddrPort(text)]) expect(parsed === undefined || typeof parsed === 'object').toBe(true)
      const canonical = canonicalIp(text)
      if (canonical !== undefined) expect(canonicalIp(canonical)).toBe(canonical)
    }))
  })

  it.each([
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:DB8::0:1', '2001:db8::1'],
    ['::ffff:1.2.3.4', '::ffff:102:304'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['::', '::'],
    ['1:2:3:4:5:6:7:0', '1:2:3:4:5:6:7:0'],
  ])('shortens %s to %s', (text, want) => {
    expect(canonicalIp(text)).toBe(want)
  })

  it.each(['', '1.2.3', '1.2.3.256', '01.2.3.4', '1:2:3', ':::', '1::2::3', '1:2:3:4:5:6:7:8:9', 'fe80::1%eth0', '12345::', '::1.2.3', '1.2.3.4.5'])(
    'refuses %s', (text) => {
      expect(parseIp(text)).toBeUndefined()
    })

  it('maps IPv4 into IPv6 and back', () => {
    const v4 = parseIp('1.2.3.4')!
    expect(formatIp(mapped(v4))).toBe('::ffff:102:304')
    expect(unmap(mapped(v4))).toEqual(v4)
    expect(unmap(parseIp('2001:db8::1')!)).toHaveLength(16)
  })

  it('reads and writes address and port of both families', () => {
    expect(parseAddrPort('[fd7a::1]:41641')).toEqual({ ip: 'fd7a::1', port: 41641 })
    expect(formatAddrPort({ ip: 'fd7a::1', port: 5 })).toBe('[fd7a::1]:5')
    expect(parseAddrPort('1.2.3.4:0')).toEqual({ ip: '1.2.3.4', port: 0 })
    for (const bad of ['1.2.3.4', '1.2.3.4:65536', 'fd7a::1:5', '[1.2.3.4]:5x', '[fd7a::1]']) expect(parseAddrPort(bad)).toBeUndefined()
  })

  it('contains by prefix, equal to a bitwise oracle', () => {
    const bit = (bytes: Uint8Array, i: number): number => (bytes[i >> 3]! >> (7 - (i & 7))) & 1
    fc.assert(fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.integer({ min: 0, max: 32 }), fc.integer({ min: 0, max: 32 }),
      (net, random, bits, keep) => {
        const host = random.slice()
        for (let i = 0; i < keep; i++) {
          const mask = 1 << (7 - (i & 7))
          host[i >> 3] = (host[i >> 3]! & ~mask) | (net[i >> 3]! & mask)
        }
        let want = true
        for (let i = 0; i < bits; i++) want &&= bit(net, i) === bit(host, i)
        expect(prefixContains({ ip: formatIp(net), bits }, formatIp(host))).toBe(want)
      }))
  })

  it('knows the ranges', () => {
    expect(isTailscaleIp('100.64.0.1')).toBe(true)
    expect(isTailscaleIp('100.115.92.5')).toBe(false)
    expect(isTailscaleIp('100.128.0.1')).toBe(false)
    expect(isTailscaleIp('fd7a:115c:a1e0::53')).toBe(true)
    expect(isLoopbackIp('::1')).toBe(true)
  })
})
