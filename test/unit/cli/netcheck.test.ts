import { describe as suite, expect, test } from 'vitest'
import { describe } from '../../../main/cli/verbs/netcheck.ts'
import { rendered } from '../../../main/cli/text.ts'
import type { NetcheckJson } from '../../../main/engine/core/netcheck/report.ts'

const map = { Regions: { 1: { RegionID: 1, RegionCode: 'fra', RegionName: 'Frankfurt', Nodes: null }, 2: { RegionID: 2, RegionCode: 'x', RegionName: 'evil\u001b[2J', Nodes: null }, 3: { RegionID: 3, RegionCode: 'nyc', RegionName: 'New York', Nodes: null } } }
const EASY: NetcheckJson = {
  Now: '2026-01-02T03:04:05.000Z', UDP: true, IPv6: false, IPv4: true, IPv6CanSend: false, IPv4CanSend: true, OSHasIPv6: true, ICMPv4: false, MappingVariesByDestIP: false,
  UPnP: null, PMP: null, PCP: null, PreferredDERP: 1, RegionLatency: { 2: 38_400_000, 1: 740_000 }, RegionV4Latency: {}, RegionV6Latency: {},
  GlobalV4Counters: null, GlobalV6Counters: null, GlobalV4: '198.51.100.7:41641', GlobalV6: '', CaptivePortal: null,
}
const words = (more: Partial<NetcheckJson> = {}): string => rendered(describe({ ...EASY, ...more }, map), false)
const BLOCKED: Partial<NetcheckJson> = { UDP: false, GlobalV4: '', MappingVariesByDestIP: null, RegionLatency: {} }

suite('netcheck in words', () => {
  test('names what gets out, the address seen outside, the NAT and the relays, nearest first, deaf ones last', () => {
    const text = words()
    expect(text).toMatch(/^Direct paths are possible from this network\.\n/)
    expect(text).toMatch(/UDP +gets out/)
    expect(text).toMatch(/IPv4 +works, seen outside as 198\.51\.100\.7:41641/)
    expect(text).toMatch(/IPv6 +this system has it, this network does not/)
    expect(text).toMatch(/NAT +keeps one port for all destinations/)
    expect(text).toMatch(/Port mapping +not asked/)
    expect(text).toMatch(/Sign-in page +none/)
    expect(text).toMatch(/Home relay +Frankfurt/)
    expect(text).toMatch(/Frankfurt +0\.7 ms\n.* 38 ms\n +New York +no answer$/)
  })

  test.each<[string, Partial<NetcheckJson>, RegExp]>([
    ['a portal', { ...BLOCKED, CaptivePortal: true }, /^This network holds traffic back until somebody signs in\..*\n[^]*Sign-in page +somebody has to sign in/],
    ['blocked UDP', { ...BLOCKED, RegionLatency: { 1: 5_000_000 }, HTTPSLatency: { 1: 5_000_000 } }, /^This network lets no UDP out[^]*Sign-in page +not known[^]*Frankfurt +5\.0 ms, by HTTPS/],
    ['blocked UDP, measured by ICMP', { ...BLOCKED, RegionLatency: { 1: 4_000_000 }, HTTPSLatency: { 1: 5_000_000 } }, /4\.0 ms, by ICMP/],
    ['no network', { ...BLOCKED, IPv4: false, IPv4CanSend: false }, /^No relay answers in any way\.[^]*IPv4 +nothing can be sent/],
    ['a hard router', { MappingVariesByDestIP: true, UPnP: false, PMP: false, PCP: false }, /^Direct paths from this network work only with[^]*Port mapping +the router offers none/],
    ['a hard router that maps ports', { MappingVariesByDestIP: true, UPnP: true, PMP: false, PCP: true }, /^Direct paths are possible[^]*Port mapping +UPnP, PCP/],
    ['a port that the router gave', { PMP: true, PCP: false, UPnP: false, PortMapping: { Address: '198.51.100.7:5', Why: 'the router gave 198.51.100.7:5 by NAT-PMP' } }, /Port mapping +NAT-PMP: the router gave 198\.51\.100\.7:5 by NAT-PMP/],
    ['a hard router that refuses', { MappingVariesByDestIP: true, PMP: true, PCP: false, UPnP: false, PortMapping: { Address: '', Why: 'the router refused: it has no ports left (NAT-PMP)' } }, /^Direct paths from this network work only with[^]*Port mapping +NAT-PMP: the router refused: it has no ports left/],
    ['why no router is asked', { PortMapping: { Address: '', Why: 'there is no home router' } }, /Port mapping +not asked: there is no home router/],
    ['IPv6', { IPv6: true, GlobalV6: '[2001:db8::1]:41641' }, /IPv6 +works, seen outside as \[2001:db8::1\]:41641/],
    ['IPv6 that is off', { OSHasIPv6: false }, /IPv6 +is off on this system/],
  ])('tells %s', (_name, more, expected) => {
    expect(words(more)).toMatch(expected)
  })

  test('says so where nothing is known', () => {
    expect(describe(EASY, null)).toContain('only while connected')
    expect(words({ MappingVariesByDestIP: null, PreferredDERP: 0 })).toMatch(/NAT +not known[^]*Home relay +none yet/)
  })

  test('lets no name from the network steer the terminal', () => {
    expect(words({ PreferredDERP: 2 })).not.toContain('\u001b')
  })
})
