import { describe as suite, expect, test } from 'vitest'
import { describe } from '../../../main/cli/verbs/netcheck.ts'

const map = { Regions: { 1: { RegionID: 1, RegionCode: 'fra', RegionName: 'Frankfurt', Nodes: null }, 2: { RegionID: 2, RegionCode: 'x', RegionName: 'evil\u001b[2J', Nodes: null } } }

suite('netcheck in words', () => {
  test('names what gets out, the address seen outside, the NAT and the relays, nearest first', () => {
    const text = describe({
      udp: true, ipv4: true, ipv6: false, osHasIpv6: true, mappingVariesByDestIp: true, preferredDerp: 1,
      regionLatencyMs: { 2: 38.4, 1: 0.74 }, globalV4: { ip: '198.51.100.7', port: 41641 },
    }, map)
    expect(text).toMatch(/UDP +gets out/)
    expect(text).toMatch(/IPv4 +works, seen outside as 198\.51\.100\.7:41641/)
    expect(text).toMatch(/IPv6 +does not get out, though this system has it/)
    expect(text).toMatch(/NAT +gives each destination its own port/)
    expect(text).toMatch(/Home relay +Frankfurt/)
    expect(text.indexOf('0.7 ms')).toBeLessThan(text.indexOf('38 ms'))
  })

  test('says so where nothing is known', () => {
    expect(describe(null, null)).toContain('only while connected')
    expect(describe({ udp: false, ipv4: false, ipv6: false, osHasIpv6: false, preferredDerp: 0 }, null)).toMatch(/NAT +not known/)
  })

  test('lets no name from the network steer the terminal', () => {
    expect(describe({ udp: true, preferredDerp: 2, regionLatencyMs: { 2: 5 } }, map)).not.toContain('\u001b')
  })
})
