/**
 * Our own addresses: which, in which order, of which type, and how long one that is not found any more is told.
 */
import { describe, expect, it } from 'vitest'
import type { NetcheckReport } from '../../../main/engine/core/netcheck/report.ts'
import { isOpenToStrangers, localEndpoints } from '../../../main/engine/magicsock/local-endpoints.ts'
import type { Endpoint } from '../../../main/engine/magicsock/ports.ts'
import { SeenEndpoints } from '../../../main/engine/magicsock/seen-endpoints.ts'

const LAN = [{ name: 'eth0', ip: '192.168.1.20', internal: false }]
const NONE: NetcheckReport = {
  wallMs: 0, udp: true, ipv4: true, ipv6: false, ipv4CanSend: true, ipv6CanSend: false, osHasIpv6: false, icmpV4: undefined, mappingVariesByDestIp: false,
  upnp: undefined, pmp: undefined, pcp: undefined, captivePortal: undefined, preferredDerp: 1, regionLatencyMs: new Map(), regionV4LatencyMs: new Map(), regionV6LatencyMs: new Map(),
  httpsLatencyMs: new Map(), globalV4: undefined, globalV6: undefined, globalV4Counters: new Map(), globalV6Counters: new Map(),
}
const SEEN: NetcheckReport = { ...NONE, globalV4: { ip: '203.0.113.9', port: 5000 }, globalV6: { ip: '2001:db8::9', port: 41_641 } }
const words = (endpoints: readonly Endpoint[]): string[] => endpoints.map(({ addr, type }) => `${type} ${addr}`)

describe('the list', () => {
  it('begins with what the router gave, then STUN, the port of a person behind a hard NAT, what was found before, what a person wrote, interfaces', () => {
    const found = localEndpoints({ ...SEEN, mappingVariesByDestIp: true, globalV4Counters: new Map([['203.0.113.9:5001', 2], ['203.0.113.9:5002', 1]]) }, LAN, 41_641, {
      portMapped: { ip: '203.0.113.9', port: 6000 }, remember: () => [{ addr: '203.0.113.9:4000', type: 2 }], explicit: ['198.51.100.1:41641', '[2001:db8::1]:1'],
    })
    expect(words(found)).toEqual([
      '3 203.0.113.9:6000', '2 203.0.113.9:5000', '2 [2001:db8::9]:41641', '2 203.0.113.9:5001', '4 203.0.113.9:41641', '2 203.0.113.9:4000',
      '5 198.51.100.1:41641', '5 [2001:db8::1]:1', '1 192.168.1.20:41641',
    ])
  })

  it('names each address once, by the best reason', () => {
    const found = localEndpoints(SEEN, [...LAN, { name: 'eth1', ip: '203.0.113.9', internal: false }], 5000, { portMapped: { ip: '203.0.113.9', port: 5000 }, explicit: ['192.168.1.20:5000'] })
    expect(words(found)).toEqual(['3 203.0.113.9:5000', '2 [2001:db8::9]:41641', '5 192.168.1.20:5000'])
  })

  it('has our own port at the outer address only when the NAT varies and a person chose the port', () => {
    const hard = { ...SEEN, mappingVariesByDestIp: true }
    expect(words(localEndpoints(hard, [], 41_641))).toContain('4 203.0.113.9:41641')
    expect(words(localEndpoints(hard, [], 41_641, { isFixedPort: false }))).not.toContain('4 203.0.113.9:41641')
    expect(words(localEndpoints({ ...SEEN, mappingVariesByDestIp: undefined }, [], 41_641))).not.toContain('4 203.0.113.9:41641')
  })

  it('leaves out what means nothing elsewhere, and has loopback only when there is nothing else', () => {
    const interfaces = ['127.0.0.1', '::1', 'fe80::1', '169.254.1.1', '100.64.0.5', 'fd7a:115c:a1e0::5', '0.0.0.0', '224.0.0.1'].map((ip) => ({ name: 'x', ip, internal: false }))
    expect(words(localEndpoints(undefined, [...interfaces, ...LAN], 1))).toEqual(['1 192.168.1.20:1'])
    expect(words(localEndpoints(undefined, interfaces, 1))).toEqual(['1 127.0.0.1:1', '1 [::1]:1'])
    expect(words(localEndpoints(SEEN, interfaces, 1))).toHaveLength(2)
  })

  it('has at most 24 addresses of interfaces, and none with port 0', () => {
    const many = Array.from({ length: 100 }, (_, i) => ({ name: `v${i}`, ip: `10.0.${i}.1`, internal: false }))
    expect(localEndpoints(undefined, many, 41_641)).toHaveLength(24)
    expect(localEndpoints({ ...NONE, globalV4: { ip: '203.0.113.9', port: 0 } }, LAN, 0, { explicit: ['1.1.1.1:0'] })).toEqual([])
  })

  it('lets strangers in by a port that the router gave, or an outer address that is our own', () => {
    expect(isOpenToStrangers(localEndpoints(SEEN, LAN, 1), LAN)).toBe(false)
    expect(isOpenToStrangers(localEndpoints(SEEN, LAN, 1, { portMapped: { ip: '203.0.113.9', port: 1 } }), LAN)).toBe(true)
    expect(isOpenToStrangers(localEndpoints(SEEN, LAN, 1, { portMapped: { ip: '10.0.0.7', port: 1 } }), LAN)).toBe(false)
    expect(isOpenToStrangers(localEndpoints(SEEN, LAN, 1), [{ name: 'eth0', ip: '203.0.113.9', internal: false }])).toBe(true)
  })
})

describe('what was found before', () => {
  const stun = (addr: string): Endpoint => ({ addr, type: 2 })

  it('is told for 5 minutes and 10 seconds after it was found last', () => {
    const seen = new SeenEndpoints()
    expect(seen.update(0, [stun('203.0.113.9:1')])).toEqual([])
    expect(seen.update(60_000, [stun('203.0.113.9:2')])).toEqual([stun('203.0.113.9:1')])
    expect(seen.update(100_000, [stun('203.0.113.9:1')])).toEqual([stun('203.0.113.9:2')])
    expect(seen.update(369_999, [])).toEqual([stun('203.0.113.9:2'), stun('203.0.113.9:1')])
    expect(seen.update(370_001, [])).toEqual([stun('203.0.113.9:1')])
    expect(seen.update(410_001, [])).toEqual([])
  })

  it('has the six newest ports of an address', () => {
    const seen = new SeenEndpoints()
    for (let port = 1; port <= 20; port++) seen.update(port, [stun(`203.0.113.9:${port}`)])
    expect(seen.update(30, []).map(({ addr }) => addr)).toEqual([15, 16, 17, 18, 19, 20].map((port) => `203.0.113.9:${port}`))
  })

  it('has sixteen addresses however many a lying relay invents', () => {
    const seen = new SeenEndpoints()
    for (let i = 0; i < 1000; i++) seen.update(i, [stun(`11.0.${i >> 8}.${i & 255}:1`)])
    expect(seen.update(1001, [])).toHaveLength(16)
  })

  it('does not outlive a change of networks', () => {
    const seen = new SeenEndpoints()
    seen.update(0, [stun('203.0.113.9:1')])
    seen.clear()
    expect(seen.update(1, [])).toEqual([])
  })

  it('has no port that the router gave: that is gone when it is gone', () => {
    const seen = new SeenEndpoints()
    const remember = (found: readonly Endpoint[]): Endpoint[] => seen.update(0, found)
    localEndpoints(SEEN, LAN, 1, { portMapped: { ip: '203.0.113.9', port: 6000 }, remember })
    expect(words(localEndpoints(NONE, LAN, 1, { remember }))).toEqual(['2 203.0.113.9:5000', '2 [2001:db8::9]:41641', '1 192.168.1.20:1'])
  })
})
