/**
 * Answers are compared byte for byte with those that a real tailscaled 1.102.5 gave for a network of the same shape.
 */
import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { fromHex, toHex } from '../../../../main/engine/base/bytes.ts'
import { addressOfReverse, answerMagic } from '../../../../main/engine/core/dns/magic-dns.ts'
import { answersQuery, encodeName, encodeQuery, isTruncated, nameProblem, TYPE } from '../../../../main/engine/core/dns/message.ts'
import type { NetMap } from '../../../../main/engine/core/netmap/types.ts'
import type { DnsConfig } from '../../../../main/engine/core/tailcfg/types.ts'

const node = (name: string, ip4: string, ip6: string): unknown => ({ Name: `${name}.lab.internal.`, Addresses: [`${ip4}/32`, `${ip6}/128`] })

function network(dns: Partial<DnsConfig> = {}): NetMap {
  return {
    self: node('real', '100.64.0.1', 'fd7a:115c:a1e0::1'),
    peers: new Map([[2, node('other', '100.64.0.2', 'fd7a:115c:a1e0::2')], [3, { Name: 'six.lab.internal.', Addresses: ['fd7a:115c:a1e0::3/128'] }]]),
    dns: { Proxied: true, Routes: { '64.100.in-addr.arpa': [], '0.e.1.a.c.5.1.1.a.7.d.f.ip6.arpa': null }, Domains: ['lab.internal'], ...dns },
  } as unknown as NetMap
}

function ask(name: string, type: number, nowSeconds = 0, map: NetMap | undefined = network()): string {
  const answer = answerMagic(map, 1, { name, type }, nowSeconds)
  return answer.kind === 'answer' ? toHex(answer.bytes) : `ask ${answer.resolvers.map(({ Addr }) => Addr).join(' ')}`
}

describe('MagicDNS answers as a real daemon', () => {
  test.each<[string, number, number, string]>([
    ['other.lab.internal', TYPE.A, 0, '000185800001000100000000056f74686572036c616208696e7465726e616c0000010001056f74686572036c616208696e7465726e616c000001000100000005000464400002'],
    ['OTHER.lab.internal.', TYPE.A, 0, '000185800001000100000000054f54484552036c616208696e7465726e616c0000010001054f54484552036c616208696e7465726e616c000001000100000005000464400002'],
    ['other', TYPE.A, 0, '000185800001000100000000056f746865720000010001056f74686572000001000100000005000464400002'],
    ['real.lab.internal', TYPE.A, 0, '000185800001000100000000047265616c036c616208696e7465726e616c0000010001047265616c036c616208696e7465726e616c000001000100000005000464400001'],
    ['other.lab.internal', TYPE.AAAA, 0x6b03abbe, '000185800001000000010000056f74686572036c616208696e7465726e616c00001c0001036c616208696e7465726e616c00000600010000000a0030036c616208696e7465726e616c00036c616208696e7465726e616c006b03abbe0000000a0000000a0000000a0000000a'],
    ['other.lab.internal', TYPE.TXT, 0, '000185800001000000000000056f74686572036c616208696e7465726e616c0000100001'],
    ['other.lab.internal', TYPE.ALL, 0, '000185800001000100000000056f74686572036c616208696e7465726e616c0000ff0001056f74686572036c616208696e7465726e616c000001000100000005000464400002'],
    ['other.lab.internal', TYPE.SOA, 0, '000185840001000000000000056f74686572036c616208696e7465726e616c0000060001'],
    ['nope.lab.internal.', TYPE.A, 0x6b03abc0, '000185830001000000010000046e6f7065036c616208696e7465726e616c0000010001036c616208696e7465726e616c00000600010000000a0030036c616208696e7465726e616c00036c616208696e7465726e616c006b03abc00000000a0000000a0000000a0000000a'],
    ['2.0.64.100.in-addr.arpa.', TYPE.PTR, 0, '000185800001000100000000013201300236340331303007696e2d61646472046172706100000c0001013201300236340331303007696e2d61646472046172706100000c0001000000050014056f74686572036c616208696e7465726e616c00'],
    ['9.9.64.100.in-addr.arpa', TYPE.PTR, 0x6b03abc2, '000185830001000000010000013901390236340331303007696e2d61646472046172706100000c00010236340331303007696e2d61646472046172706100000600010000000a003e0236340331303007696e2d616464720461727061000236340331303007696e2d616464720461727061006b03abc20000000a0000000a0000000a0000000a'],
    ['example.onion', TYPE.A, 0, '000185830001000000000000076578616d706c65056f6e696f6e0000010001'],
  ])('%s of type %d', (name, type, nowSeconds, hex) => {
    expect(ask(name, type, nowSeconds)).toBe(hex)
  })

  test('a device without an IPv4 address is told by its IPv6 address', () => {
    expect(ask('six', TYPE.AAAA)).toContain(toHex(fromHex('fd7a115ca1e000000000000000000003')!))
  })

  test('other names go to the resolvers of the longest route, else to the general ones', () => {
    const dns = { Resolvers: [{ Addr: '1.1.1.1' }], Routes: { 'corp.example': [{ Addr: '10.0.0.1' }], 'dev.corp.example.': [{ Addr: '10.0.0.2' }] } }
    expect(ask('www.example.com', TYPE.A, 0, network(dns))).toBe('ask 1.1.1.1')
    expect(ask('a.corp.example', TYPE.A, 0, network(dns))).toBe('ask 10.0.0.1')
    expect(ask('A.DEV.corp.example.', TYPE.A, 0, network(dns))).toBe('ask 10.0.0.2')
  })

  test('nothing is answered for a network that does not want it', () => {
    expect(ask('other.lab.internal', TYPE.A, 0, network({ Proxied: false }))).toBe('ask ')
    expect(answerMagic(undefined, 1, { name: 'other.lab.internal', type: TYPE.A }, 0)).toEqual({ kind: 'forward', resolvers: [] })
  })
})

describe('DNS messages', () => {
  test.each([
    ['a..b', '"" is not a valid DNS label'],
    [`${'x'.repeat(64)}.com`, 'is not a valid DNS label'],
    [Array.from({ length: 60 }, () => 'abcde').join('.'), 'too long'],
    ['bü.example', 'is not a valid DNS label'],
    ['a b.example', 'is not a valid DNS label'],
  ])('%s is no name', (name, reason) => {
    expect(nameProblem(name)).toContain(reason)
  })

  test('the root and names with a trailing dot are names', () => {
    expect([nameProblem(''), nameProblem('.'), nameProblem('_sip._tcp.example.')]).toEqual([undefined, undefined, undefined])
    expect([...encodeName('.')]).toEqual([0])
  })

  test('any text is answered, forwarded or refused, and never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.integer({ min: 0, max: 65_535 }), (name, type) => {
        if (nameProblem(name) === undefined) ask(name, type)
        addressOfReverse(name)
      }),
    )
  })

  test('an answer belongs to its query by number, question and mark alone', () => {
    const query = encodeQuery(0x1234, { name: 'www.Example.com', type: TYPE.A })
    const answer = query.slice()
    answer[2]! |= 0x80
    expect(answersQuery(answer, query)).toBe(true)
    expect(answersQuery(encodeQuery(0x1234, { name: 'WWW.example.com', type: TYPE.A }), query)).toBe(false)
    for (const at of [0, 1, 15, query.length - 3]) {
      const other = answer.slice()
      other[at]! ^= 0x15
      expect(answersQuery(other, query)).toBe(false)
    }
    expect(answersQuery(answer.subarray(0, 11), query)).toBe(false)
    expect(isTruncated(answer)).toBe(false)
  })
})
