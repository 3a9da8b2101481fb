import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseIp, parsePrefix, prefixContains } from '../../../../main/engine/base/ip.ts'
import { approvedRoutes, localNets } from '../../../../main/engine/core/plan/local-nets.ts'
import type { SystemFacts } from '../../../../main/engine/core/plan/system-facts.ts'
import type { Node } from '../../../../main/engine/core/tailcfg/types.ts'

const OWN = ['100.64.0.2/32', 'fd7a:115c:a1e0::2/128']
const BOTH = ['0.0.0.0/0', '::/0']

function self(allowed: readonly string[] = []): Node {
  return { ID: 2, StableID: '2', Name: 'n2.lab.internal.', User: 1, Key: 'nodekey:00', Addresses: OWN, AllowedIPs: [...OWN, ...allowed] } as unknown as Node
}

const SYSTEM: SystemFacts = {
  interfaces: [
    { name: 'lo', ip: '127.0.0.1', prefix: 8, internal: true },
    { name: 'eth0', ip: '203.0.113.7', prefix: 24, internal: false },
    { name: 'eth0', ip: '2001:db8:1::7', prefix: 64, internal: false },
    { name: 'eth1', ip: '192.168.1.5', prefix: 24, internal: false },
  ],
}

const holds = (nets: readonly string[], ip: string): boolean => nets.some((net) => prefixContains(parsePrefix(net)!, ip))

describe('subnets', () => {
  test('own addresses and advertised subnets are ours, in canonical text and each once', () => {
    expect(localNets(self(), ['10.0.3.0/24', 'FD00:1::/64', '10.0.3.0/24'], SYSTEM)).toEqual([...OWN, '10.0.3.0/24', 'fd00:1::/64'])
  })

  test('the own LAN is served when a subnet says so', () => {
    expect(holds(localNets(self([...BOTH, '192.168.1.0/24']), [...BOTH, '192.168.1.0/24'], SYSTEM), '192.168.1.9')).toBe(true)
  })
})

describe('an exit node', () => {
  const nets = localNets(self(BOTH), BOTH, SYSTEM)

  test.each(['8.8.8.8', '198.51.100.1', '203.0.113.7', '223.255.255.255', '100.63.255.255', '2001:4860::8', '2001:db8:1::7', '2001:db8:2::1', '64:ff9b::808:808'])('serves %s', (ip) => {
    expect(holds(nets, ip)).toBe(true)
  })

  test.each([
    '203.0.113.1', '203.0.113.8', '192.168.1.5', '10.0.0.1', '172.16.0.1', '172.31.255.255', '100.64.0.1', '100.100.100.100', '169.254.169.254', '127.0.0.1', '0.0.0.0', '224.0.0.1',
    '255.255.255.255', '::1', '::ffff:8.8.8.8', 'fe80::1', 'ff02::1', 'fd00::1', 'fd7a:115c:a1e0::53', 'fd7a:115c:a1e0:b1a:0:1:a00:1', '2001:db8:1::8', '64:ff9b:1::1',
  ])('does not serve %s', (ip) => {
    expect(holds(nets, ip)).toBe(false)
  })

  test('serves no family that the server did not approve or nobody advertises', () => {
    expect(localNets(self(), BOTH, SYSTEM)).toEqual(OWN)
    expect(localNets(self(BOTH), [], SYSTEM)).toEqual(OWN)
    const only4 = localNets(self(['0.0.0.0/0']), BOTH, SYSTEM)
    expect([holds(only4, '8.8.8.8'), holds(only4, '2001:4860::8')]).toEqual([true, false])
  })

  test('takes the usual size for a network whose size is not told', () => {
    const cut = localNets(self(BOTH), BOTH, { interfaces: [{ name: 'en0', ip: '198.51.100.9', internal: false }] })
    expect(['198.51.100.1', '198.51.100.9', '198.51.101.1'].map((ip) => holds(cut, ip))).toEqual([false, true, true])
  })

  test('is described by few prefixes', () => {
    expect(nets.length).toBeLessThan(250)
  })

  test('equals what the rules say of every address', () => {
    const octet = fc.integer({ min: 0, max: 255 })
    const four = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'))
    const near = fc.constantFrom('203.0.113.', '192.168.1.', '100.64.0.', '10.0.0.', '169.254.169.').chain((start) => octet.map((last) => `${start}${last}`))
    const forbidden = ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.168.0.0/16', '224.0.0.0/3']
    fc.assert(fc.property(fc.oneof(four, near), (ip) => {
      const inLan = ip.startsWith('203.0.113.') && ip !== '203.0.113.7'
      const served = !inLan && !holds(forbidden, ip)
      expect(holds(nets, ip)).toBe(served || OWN.includes(`${ip}/32`))
    }), { numRuns: 2000 })
  })

  test('no two prefixes overlap', () => {
    const rest = nets.slice(OWN.length).filter((net) => parseIp(parsePrefix(net)!.ip)!.length === 4)
    for (const a of rest) for (const b of rest) if (a !== b) expect(prefixContains(parsePrefix(a)!, parsePrefix(b)!.ip)).toBe(false)
  })
})

test('what a node may route is all that it has beside its addresses', () => {
  expect([...approvedRoutes({ ...self(['10.0.3.0/24']), PrimaryRoutes: ['10.0.3.0/24', '10.0.4.0/24'] })]).toEqual(['10.0.3.0/24', '10.0.4.0/24'])
})
