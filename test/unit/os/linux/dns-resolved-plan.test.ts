import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { MachineDns } from '../../../../main/engine/core/plan/machine.ts'
import { domainsOf, linkPlan, ownOfLinks, serversOf } from '../../../../main/engine/os/linux/dns-resolved-plan.ts'

const WANT: MachineDns = { device: 'bowline0', servers: ['100.100.100.100', 'fd7a:115c:a1e0::53'], matchDomains: ['net.example', 'corp.example'], searchDomains: ['net.example'], all: false, exclusive: false }
const bytes = (...all: number[]): Buffer => Buffer.from(all)

test('a search domain routes as well, the others only route, and nothing else is asked of us', () => {
  const plan = linkPlan(WANT, ['lan'])
  expect(plan.domains).toEqual([{ domain: 'net.example', isRoute: false }, { domain: 'corp.example', isRoute: true }])
  expect(plan.isDefault).toBe(false)
  expect(plan.servers.map(([family, address]) => [family, address.length])).toEqual([[2, 4], [10, 16]])
})

test('with an exit node everything is asked of us, what other links have as their own too', () => {
  expect(linkPlan({ ...WANT, all: true, exclusive: true }, ['lan', 'net.example'])).toMatchObject({
    isDefault: true,
    domains: [{ domain: 'net.example', isRoute: false }, { domain: 'corp.example', isRoute: true }, { domain: 'lan', isRoute: true }, { domain: '.', isRoute: true }],
  })
  expect(linkPlan({ ...WANT, all: true }, ['lan']).domains).not.toContainEqual({ domain: 'lan', isRoute: true })
})

test('more domains than a link may have become all names', () => {
  const plan = linkPlan({ ...WANT, matchDomains: Array.from({ length: 300 }, (_, at) => `d${at}.example`) }, [])
  expect(plan).toMatchObject({ isDefault: true, domains: [{ domain: 'net.example', isRoute: false }, { domain: '.', isRoute: true }] })
})

test('the own resolvers are those of other links that are asked for everything, without us and without resolved itself', () => {
  const servers = serversOf([[0, 2, bytes(127, 0, 0, 53)], [2, 2, bytes(192, 0, 2, 1)], [2, 10, bytes(...Array.from({ length: 15 }, () => 0), 1)], [2, 10, bytes(0xfe, 0x80, ...Array.from({ length: 13 }, () => 0), 1)], [5, 2, bytes(10, 0, 0, 53)], [7, 2, bytes(100, 100, 100, 100)], [9, 2, bytes(100, 100, 100, 100)]])
  const domains = domainsOf([[2, 'Lan.', false], [5, 'corp.example', true], [7, 'net.example', false], [2, '.', true]])
  expect(ownOfLinks(servers, domains, [], 7, new Set([5]))).toEqual({ servers: ['192.0.2.1', '::1'], search: ['lan'] })
  const [corp] = servers.filter(({ link }) => link === 5)
  expect(ownOfLinks([corp!], [], [], 7, new Set([5])).servers).toEqual(['10.0.0.53'])
  expect(ownOfLinks([], [], [{ link: 0, ip: '9.9.9.9' }], 7, new Set()).servers).toEqual(['9.9.9.9'])
})

test('whatever the bus says is read without a fault', () => {
  fc.assert(fc.property(fc.anything(), fc.array(fc.array(fc.anything())), (one, rows) => {
    for (const value of [one, rows]) ownOfLinks(serversOf(value), domainsOf(value), [], 1, new Set())
  }))
})
