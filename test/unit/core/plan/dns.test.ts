/**
 * How names are resolved under every way out: golden plans by hand, and what holds for any.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Hosts } from '../../../../main/engine/core/dns/hosts.ts'
import { decide } from '../../../../main/engine/core/dns/decide.ts'
import type { NetMap } from '../../../../main/engine/core/netmap/types.ts'
import { planDns, routeFor, withoutResolvers } from '../../../../main/engine/core/plan/dns.ts'
import type { DnsPlan, DnsRest } from '../../../../main/engine/core/plan/dns.ts'
import type { Egress } from '../../../../main/engine/core/plan/egress.ts'
import type { DnsConfig, DnsResolver, Service } from '../../../../main/engine/core/tailcfg/types.ts'

const PROXY: readonly Service[] = [{ Proto: 'peerapi4', Port: 4321 }, { Proto: 'peerapi6', Port: 4321 }, { Proto: 'peerapi-dns-proxy', Port: 1 }]
const WAYS: Readonly<Record<'direct' | 'exit' | 'blocked' | 'paused', Egress>> = {
  direct: { kind: 'direct' },
  exit: { kind: 'exit', id: '9', key: 'nodekey:9' as never, name: 'out', why: 'chosen by you' },
  blocked: { kind: 'blocked', id: '9', name: 'out', why: 'blocked because out is offline' },
  paused: { kind: 'paused', id: '9', name: 'out', why: 'paused by you' },
}

function plan(dns: Partial<DnsConfig>, way: keyof typeof WAYS, options: { services?: readonly Service[]; accept?: boolean; exit?: object } = {}): DnsPlan {
  const node = (id: number, extra: object = {}): unknown => ({ ID: id, StableID: String(id), Name: `n${id}.lab.internal.`, Addresses: [`100.64.0.${id}/32`, `fd7a:115c:a1e0::${id}/128`], ...extra })
  const map = { self: node(1), peers: new Map([[9, node(9, { Hostinfo: { Services: options.services ?? PROXY }, ...options.exit })]]), dns: { Proxied: true, ...dns } } as unknown as NetMap
  const hosts = new Hosts()
  hosts.update(map)
  return planDns(map, { accept: options.accept ?? true, egress: WAYS[way] }, hosts)
}

const said = (rest: DnsRest): string => (rest.kind === 'resolvers' ? rest.resolvers.map(({ Addr }) => Addr).join(' ') : rest.kind === 'exit-node' ? rest.url : rest.kind)
const EXIT_URL = 'http://100.64.0.9:4321/dns-query'
const [GLOBAL, MARKED, FALLBACK]: DnsResolver[] = [{ Addr: '192.0.2.1' }, { Addr: '192.0.2.2', UseWithExitNode: true }, { Addr: '192.0.2.3' }]

describe('all other names', () => {
  test.each<[string, Partial<DnsConfig>, keyof typeof WAYS, Parameters<typeof plan>[2], string]>([
    ['are the system\'s without resolvers of the server', {}, 'direct', {}, 'system'],
    ['are the server\'s resolvers\'', { Resolvers: [GLOBAL!] }, 'direct', {}, '192.0.2.1'],
    ['are never the fallback resolvers\' without an exit node', { FallbackResolvers: [FALLBACK!] }, 'direct', {}, 'system'],
    ['are the exit node\'s', { Resolvers: [GLOBAL!], FallbackResolvers: [FALLBACK!] }, 'exit', {}, EXIT_URL],
    ['are those marked for exit nodes\'', { Resolvers: [GLOBAL!, MARKED!] }, 'exit', {}, '192.0.2.2'],
    ['are the server\'s resolvers\' where the exit node answers none', { Resolvers: [GLOBAL!] }, 'exit', { services: [PROXY[0]!] }, '192.0.2.1'],
    ['are the fallback resolvers\' where it answers none and nobody else is named', { FallbackResolvers: [FALLBACK!] }, 'exit', { services: [PROXY[0]!] }, '192.0.2.3'],
    ['are the list\'s of an exit node that speaks WireGuard alone', { FallbackResolvers: [FALLBACK!] }, 'exit', { services: [], exit: { IsWireGuardOnly: true, ExitNodeDNSResolvers: [{ Addr: '10.64.0.1' }] } }, '10.64.0.1'],
    ['are nobody\'s where it answers none at all', {}, 'exit', { services: [] }, 'blocked'],
    ['are nobody\'s where it names no port', {}, 'exit', { services: [PROXY[2]!] }, 'blocked'],
    ['are nobody\'s while it cannot be used', { Resolvers: [GLOBAL!, MARKED!], FallbackResolvers: [FALLBACK!] }, 'blocked', {}, 'blocked'],
    ['are as without an exit node while it is paused', { Resolvers: [GLOBAL!] }, 'paused', {}, '192.0.2.1'],
    ['are the system\'s where names are not accepted', { Resolvers: [GLOBAL!] }, 'direct', { accept: false }, 'system'],
    ['are the exit node\'s even where names are not accepted', { Resolvers: [MARKED!] }, 'exit', { accept: false }, EXIT_URL],
    ['are asked by IPv6 of an exit node that has no other PeerAPI', {}, 'exit', { services: [PROXY[1]!, PROXY[2]!] }, 'http://[fd7a:115c:a1e0::9]:4321/dns-query'],
  ])('%s', (_what, dns, way, options, expected) => {
    expect(said(plan(dns, way, options).rest)).toBe(expected)
  })
})

describe('routes', () => {
  const dns: Partial<DnsConfig> = { Routes: { 'Corp.example.': [GLOBAL!], 'dev.corp.example': [MARKED!, GLOBAL!], 'here.example': [], 'broken.example': [{}] }, ExtraRecords: [{ Name: 'wiki.other', Value: '100.64.0.9' }, { Name: 'a.here.example', Value: '100.64.0.9' }] }
  const list = (made: DnsPlan): readonly string[] => made.routes.filter(({ suffix }) => !suffix.endsWith('.arpa')).map(({ suffix, resolvers }) => `${suffix} ${resolvers.map(({ Addr }) => Addr).join(' ')}`.trim())

  test('are all of them without an exit node, the longest first', () => {
    expect(list(plan(dns, 'direct'))).toEqual(['dev.corp.example 192.0.2.2 192.0.2.1', 'corp.example 192.0.2.1', 'here.example', 'lab.internal', 'wiki.other'])
  })

  test('are with an exit node those answered here, and those marked for it', () => {
    expect(list(plan(dns, 'exit'))).toEqual(['dev.corp.example 192.0.2.2', 'here.example', 'lab.internal', 'wiki.other'])
  })

  test('stay while the exit node cannot be used or answers no names', () => {
    expect(list(plan(dns, 'blocked'))).toEqual(list(plan(dns, 'direct')))
    expect(list(plan(dns, 'exit', { services: [] }))).toEqual(list(plan(dns, 'direct')))
  })

  test('hold the addresses of the network backwards, and nothing where names are not accepted', () => {
    expect(plan(dns, 'direct').routes.filter(({ suffix }) => suffix.endsWith('.arpa'))).toHaveLength(65)
    expect(plan(dns, 'direct', { accept: false }).routes).toEqual([])
    expect(plan({ ...dns, Proxied: false }, 'direct').routes.some(({ suffix }) => suffix === 'lab.internal')).toBe(false)
  })

  test('while disconnected are those answered here, and the rest is the system', () => {
    const resting = withoutResolvers(plan(dns, 'direct'))
    expect(list(resting)).toEqual(['here.example', 'lab.internal', 'wiki.other'])
    expect(resting.rest.kind).toBe('system')
  })
})

describe('under any configuration', () => {
  const label = fc.stringMatching(/^[a-z]{1,3}$/)
  const suffix = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'))
  const resolver = fc.record({ Addr: fc.constantFrom('192.0.2.1', '10.0.0.1', '', 'tls://x'), UseWithExitNode: fc.boolean() })
  const config = fc.record({ Routes: fc.dictionary(suffix, fc.option(fc.array(resolver, { maxLength: 2 }))), Resolvers: fc.option(fc.array(resolver, { maxLength: 2 })), FallbackResolvers: fc.option(fc.array(resolver, { maxLength: 2 })), Proxied: fc.boolean() })
  const way = fc.constantFrom('direct', 'exit', 'blocked', 'paused') as fc.Arbitrary<keyof typeof WAYS>

  test('the system is asked for no name while an exit node is chosen, and the longest route counts', () => {
    fc.assert(fc.property(config, way, fc.boolean(), suffix, (dns, chosen, accept, name) => {
      const made = plan(dns as Partial<DnsConfig>, chosen, { accept })
      const decision = decide(made, { name, type: 1 }, 0)
      if (chosen === 'exit' || chosen === 'blocked') expect(decision.kind).not.toBe('system')
      if (chosen === 'blocked') expect(made.rest.kind).toBe('blocked')
      const byHand = made.routes.filter((route) => name === route.suffix || name.endsWith(`.${route.suffix}`)).toSorted((a, b) => b.suffix.length - a.suffix.length)[0]
      expect(routeFor(made.routeOf, name)).toBe(byHand)
      expect(plan(dns as Partial<DnsConfig>, chosen, { accept }).routes).toEqual(made.routes)
    }))
  })
})
