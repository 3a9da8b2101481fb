/**
 * Answers are compared byte for byte with those that a real tailscaled 1.102.5 gave for a network of the same shape.
 */
import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { fromHex, toHex } from '../../../../main/engine/base/bytes.ts'
import { addressOfReverse, decide } from '../../../../main/engine/core/dns/decide.ts'
import { Hosts } from '../../../../main/engine/core/dns/hosts.ts'
import { nameProblem, TYPE } from '../../../../main/engine/core/dns/message.ts'
import { planDns } from '../../../../main/engine/core/plan/dns.ts'
import type { DnsPlan } from '../../../../main/engine/core/plan/dns.ts'
import { encodeReply } from '../../../../main/engine/dns/codec.ts'
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

function planOf(map: NetMap, accept = true): DnsPlan {
  const hosts = new Hosts()
  hosts.update(map)
  return planDns(map, { accept, egress: { kind: 'direct' } }, hosts)
}

function ask(name: string, type: number, nowSeconds = 0, map: NetMap = network()): string {
  const decision = decide(planOf(map), { name, type }, nowSeconds)
  if (decision.kind === 'answer') return toHex(encodeReply(1, { name, type }, decision.reply))
  return decision.kind === 'forward' ? `ask ${decision.resolvers.map(({ Addr }) => Addr).join(' ')}` : decision.kind
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

  test('without MagicDNS devices are known by full names alone, and names beside them are asked elsewhere', () => {
    const map = network({ Proxied: false, Routes: {} })
    expect(ask('other.lab.internal', TYPE.A, 0, map)).toContain('64400002')
    expect([ask('other', TYPE.A, 0, map), ask('nope.lab.internal', TYPE.A, 0, map)]).toEqual(['system', 'system'])
  })

  test.each<[string, number, string | undefined]>([
    ['10-1-1-16-via-7', TYPE.AAAA, 'fd7a115ca1e00b1a000000070a010110'],
    ['10-1-1-16-via-7.lab.internal', TYPE.AAAA, 'fd7a115ca1e00b1a000000070a010110'],
    ['10-1-1-16-via-7.tail1234.ts.net', TYPE.AAAA, 'fd7a115ca1e00b1a000000070a010110'],
    ['localhost', TYPE.A, '7f000001'],
    ['any.localhost', TYPE.AAAA, '00000000000000000000000000000001'],
    ['magicdns.localhost-tailscale-daemon', TYPE.A, '64646464'],
    ['10-1-1-16-via-70000', TYPE.AAAA, undefined],
    ['10-1-1-256-via-7', TYPE.AAAA, undefined],
    ['10-1-1-16-via-7.example.com', TYPE.AAAA, undefined],
  ])('%s of type %d stands for an address', (name, type, hex) => {
    const got = ask(name, type)
    if (hex === undefined) expect(got).toBe('system')
    else expect(got.endsWith(hex)).toBe(true)
  })

  test('extra records are told beside devices, of those types alone that have addresses', () => {
    const map = network({ ExtraRecords: [{ Name: 'Grafana.example.com.', Type: 'A', Value: '100.64.0.9' }, { Name: 'grafana.example.com', Value: 'fd7a:115c:a1e0::9' }, { Name: 'txt.example.com', Type: 'TXT', Value: 'x' }] })
    expect(ask('grafana.example.com', TYPE.A, 0, map)).toContain('64400009')
    expect(ask('grafana.example.com', TYPE.AAAA, 0, map)).toContain('fd7a115ca1e000000000000000000009')
    expect(ask('other.example.com', TYPE.A, 0, map)).toBe('system')
  })

  test("a device's subdomains stand for it where the server says so", () => {
    const map = network()
    const peer = map.peers.get(2)!
    const capable = { ...map, peers: new Map([[2, { ...peer, CapMap: { 'dns-subdomain-resolve': [] } }]]) }
    expect(ask('a.b.other.lab.internal', TYPE.A, 0, capable)).toContain('64400002')
    expect(ask('a.b.other.lab.internal', TYPE.A, 0, map)).toContain('8583')
  })

  test.each(['lb._dns-sd._udp.1.168.192.in-addr.arpa', 'b._dns-sd._udp.example.com'])('%s is passed on to nobody', (name) => {
    expect(ask(name, TYPE.PTR)).toMatch(/^00018583/)
  })

  test('names are looked up in the index of 10,000 devices as it changes', () => {
    const hosts = new Hosts()
    const map = network()
    const peers = new Map(Array.from({ length: 10_000 }, (_, i) => [i + 2, { ...map.peers.get(2)!, Name: `d${i}.lab.internal.`, Addresses: [`100.64.${i >> 8}.${i & 255}/32`] }]))
    hosts.update({ ...map, peers })
    expect(hosts.find('d9999.lab.internal')?.addresses).toEqual(['100.64.39.15'])
    expect(hosts.nameOf('100.64.39.15')).toBe('d9999.lab.internal')
    const renamed = new Map(peers)
    renamed.set(10_001, { ...peers.get(10_001)!, Name: 'moved.lab.internal.' })
    renamed.delete(2)
    hosts.update({ ...map, peers: renamed })
    expect(hosts.find('d9999.lab.internal')).toBeUndefined()
    expect(hosts.find('moved.lab.internal')?.addresses).toEqual(['100.64.39.15'])
    expect([hosts.find('d0.lab.internal'), hosts.nameOf('100.64.0.0')]).toEqual([undefined, undefined])
  })

  test('of two devices with one name the lower ID counts, and we before all', () => {
    const hosts = new Hosts()
    const map = network()
    const [a, b] = [3, 2].map((id) => ({ ...map.peers.get(2)!, ID: id, Name: 'twin.lab.internal.', Addresses: [`100.64.1.${id}/32`] }))
    hosts.update({ ...map, peers: new Map([[3, a!], [2, b!], [4, { ...a!, ID: 4, Name: 'real.lab.internal.' }]]) })
    expect(hosts.find('twin.lab.internal')?.addresses).toEqual(['100.64.1.2'])
    expect(hosts.find('real.lab.internal')?.addresses).toEqual(['100.64.0.1'])
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
  })

  test('any text is answered, forwarded or refused, and never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.integer({ min: 0, max: 65_535 }), (name, type) => {
        if (nameProblem(name) === undefined) ask(name, type)
        addressOfReverse(name)
      }),
    )
  })
})
