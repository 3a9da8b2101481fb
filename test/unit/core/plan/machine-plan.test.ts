import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DIRECT } from '../../../../main/engine/core/plan/egress.ts'
import type { Egress } from '../../../../main/engine/core/plan/egress.ts'
import { MachinePlanner } from '../../../../main/engine/core/plan/machine-plan.ts'
import type { MachineWant } from '../../../../main/engine/core/plan/machine-plan.ts'
import { EMPTY_PLAN } from '../../../../main/engine/core/plan/plan.ts'
import type { PlannedRoute } from '../../../../main/engine/core/plan/routes.ts'
import type { DataplanePeer } from '../../../../main/engine/core/plan/types.ts'
import type { NodePublicKey } from '../../../../main/engine/base/keys.ts'
import type { Node } from '../../../../main/engine/core/tailcfg/types.ts'

const BLOCKED: Egress = { kind: 'blocked', id: '1', name: 'e', why: 'test' }
const EXIT: Egress = { kind: 'exit', id: '1', key: 'nodekey:1' as NodePublicKey, name: 'e', why: 'test' }
const PAUSED: Egress = { kind: 'paused', id: '1', name: 'e', why: 'a portal' }
const SERVICES = ['100.100.100.100/32', 'fd7a:115c:a1e0::/48', 'fd7a:115c:a1e0::53/128']
const PREFS: MachineWant['prefs'] = { acceptDns: true, allowLan: false, advertiseRoutes: [], noSnat: false, stateful: false, netfilter: 2 }

const peer = (ip: string, ...more: string[]): DataplanePeer => ({ key: `nodekey:${ip}` as NodePublicKey, allowedSources: [], routes: [`${ip}/32`, ...more], jailed: false })
const network = (prefix: string, state: PlannedRoute['state'] = 'used'): PlannedRoute => ({ prefix, state, why: '', standby: [] })

interface Simple {
  readonly peers?: readonly DataplanePeer[]
  readonly routes?: readonly PlannedRoute[]
  readonly own?: readonly string[]
  readonly egress?: Egress
  readonly prefs?: Partial<MachineWant['prefs']>
  readonly caps?: readonly string[]
  readonly interfaces?: MachineWant['system']['interfaces']
  readonly dns?: Partial<MachineWant['plan']['dns']>
}

function wantOf({ peers = [peer('100.64.0.2')], routes = [], own = ['100.64.0.1', 'fd7a:115c:a1e0::1'], egress = DIRECT, prefs = {}, caps = [], interfaces = [], dns = {} }: Simple = {}): MachineWant {
  return {
    plan: { dataplane: { ...EMPTY_PLAN.dataplane, selfAddresses: own, peers }, routes, dns: { ...EMPTY_PLAN.dns, ...dns } },
    egress, prefs: { ...PREFS, ...prefs }, self: { CapMap: Object.fromEntries(caps.map((cap) => [cap, null])) } as unknown as Node,
    system: { interfaces }, device: 'bowline0', mtu: 1280, udpPort: 41641,
  }
}

const planOf = (simple?: Simple): ReturnType<MachinePlanner['plan']> => new MachinePlanner().plan(wantOf(simple))
const LAN = { name: 'eth0', ip: '192.168.1.7', prefix: 24, internal: false }
const DOCKER = { name: 'docker0', ip: '172.17.0.1', prefix: 16, internal: false }

describe('routes of the computer', () => {
  test('lead to the services, to devices one by one, and to networks that are used or that nobody carries now', () => {
    const { routes } = planOf({ routes: [network('10.0.3.0/24'), network('10.0.4.0/24', 'no-router'), network('10.0.5.0/24', 'skipped'), network('10.0.6.0/24', 'overlaps'), network('fd7a:115c:a1e0:b1a:0:1::/96')] })
    expect(routes.routes).toEqual([...SERVICES, '10.0.3.0/24', '10.0.4.0/24', '100.64.0.2/32'])
    expect(routes).toMatchObject({ internet: 'direct', bypass: [], addresses: ['100.64.0.1/32', 'fd7a:115c:a1e0::1/128'], netfilter: 'on', guardRange: true, forward: undefined })
  })

  test('are one for all devices when the server asks for it, or when there are more than 10,000', () => {
    expect(planOf({ caps: ['one-cgnat?v=true'] }).routes.routes).toEqual([...SERVICES, '100.64.0.0/10'])
    const many = Array.from({ length: 10_001 }, (_, i) => peer(`100.65.${i >> 8}.${i & 255}`))
    expect(planOf({ peers: many }).routes.routes).toEqual([...SERVICES, '100.64.0.0/10'])
    expect(planOf({ peers: many.slice(1) }).routes.routes).toHaveLength(SERVICES.length + 10_000)
  })

  test.each([['used', EXIT, 'exit'], ['unusable', BLOCKED, 'blocked']] as const)('with an exit node that is %s hold both families, with the LAN in them unless it is allowed', (_, egress, internet) => {
    const shut = planOf({ egress, interfaces: [LAN, DOCKER] }).routes
    expect(shut).toMatchObject({ internet, bypass: ['172.17.0.0/16'], guardNames: true })
    expect(shut.routes).toEqual([...SERVICES, '192.168.1.0/24', '0.0.0.0/0', '::/0', '100.64.0.2/32'])
    const open = planOf({ egress, interfaces: [LAN, DOCKER], prefs: { allowLan: true } }).routes
    expect(open.bypass.slice(0, 2)).toEqual(['172.17.0.0/16', '192.168.1.0/24'])
    expect(open.routes).toEqual([...SERVICES, '0.0.0.0/0', '::/0', '100.64.0.2/32'])
  })

  test('never leave a LAN beside an exit node that is none, whatever its DHCP server or router says', () => {
    const claimed = ['0.0.0.0/1', '8.8.8.0/24', '10.0.0.0/7', '2001:4860::/32', 'fd7a:115c:a1e0::/64', '100.64.0.0/16', '192.168.1.0/24', 'fd00:1::/64', '2001:db8:1::/64']
    const interfaces = claimed.map((prefix, i) => ({ name: `eth${i}`, ip: prefix.split('/')[0]!, prefix: Number(prefix.split('/')[1]), internal: false }))
    const { bypass } = planOf({ egress: EXIT, interfaces, prefs: { allowLan: true } }).routes
    expect(bypass.filter((prefix) => claimed.includes(prefix))).toEqual(['192.168.1.0/24', '2001:db8:1::/64', 'fd00:1::/64'])
  })

  test('lead to devices whatever network claims to be on the link', () => {
    const claimed = [{ name: 'eth0', ip: 'fd7a:115c:a1e0::66', prefix: 64, internal: false }, { name: 'eth0', ip: '100.64.0.66', prefix: 24, internal: false }]
    expect(planOf({ interfaces: claimed, caps: ['one-cgnat?v=true'] }).routes.bypass).toEqual([])
    // Containers of ChromeOS have theirs of that range.
    expect(planOf({ interfaces: [{ name: 'eth0', ip: '100.115.92.5', prefix: 28, internal: false }], caps: ['one-cgnat?v=true'] }).routes.bypass).toEqual(['100.115.92.0/28'])
  })

  test('while a person lets traffic past the exit node are as without one', () => {
    expect(planOf({ egress: PAUSED, interfaces: [LAN] }).routes).toEqual(planOf({ interfaces: [LAN] }).routes)
  })

  test('leave networks of this computer alone that lie in a larger one behind a device', () => {
    expect(planOf({ routes: [network('192.168.0.0/16')], interfaces: [LAN, DOCKER] }).routes.bypass).toEqual(['192.168.1.0/24'])
  })

  test('say what is passed on for others, and how', () => {
    const { forward } = planOf({ prefs: { advertiseRoutes: ['10.9.0.0/24', '0.0.0.0/0', '::/0'], noSnat: true, stateful: true } }).routes
    expect(forward).toEqual({ subnets: ['10.9.0.0/24'], isExitNode: true, sourceNat: false, isStateful: true })
  })

  test('keep traffic in also while nothing is known of the network', () => {
    const { routes, dns } = planOf({ own: [], peers: [], egress: BLOCKED })
    expect(routes.routes).toEqual([...SERVICES, '0.0.0.0/0', '::/0'])
    expect(dns).toMatchObject({ all: true, exclusive: true, servers: ['100.100.100.100', 'fd7a:115c:a1e0::53'] })
  })
})

describe('names of the computer', () => {
  const zone = { suffix: 'example.ts.net', resolvers: [], why: '' }
  const dns = { enabled: true, search: ['example.ts.net'], routes: [zone], routeOf: new Map([[zone.suffix, zone]]) }

  test('are asked of us below the suffixes of the network alone, until the server or an exit node has the rest', () => {
    expect(planOf({ dns }).dns).toMatchObject({ matchDomains: ['example.ts.net'], searchDomains: ['example.ts.net'], all: false, exclusive: false })
    expect(planOf({ dns: { ...dns, rest: { kind: 'resolvers', resolvers: [{ Addr: '9.9.9.9' }], why: '' } } }).dns).toMatchObject({ all: true, exclusive: false })
    expect(planOf({ dns, egress: EXIT }).dns).toMatchObject({ all: true, exclusive: true })
  })

  test('stay as they are while none are accepted, or there are none', () => {
    expect(planOf({ dns, prefs: { acceptDns: false }, egress: EXIT })).toMatchObject({ dns: undefined, routes: { guardNames: false } })
    expect(planOf().dns).toBeUndefined()
  })
})

describe('from plan to plan', () => {
  test('what is equal is the same object, and a change of one device is one route', () => {
    const planner = new MachinePlanner()
    const peers = Array.from({ length: 1_000 }, (_, i) => peer(`100.70.${i >> 8}.${i & 255}`))
    const first = planner.plan(wantOf({ peers, routes: [network('10.0.3.0/24')] }))
    expect(planner.plan(wantOf({ peers: [...peers], routes: [network('10.0.3.0/24')] }))).toBe(first)
    const other = planner.plan(wantOf({ peers: [...peers.slice(0, 500), peer('100.90.0.1'), ...peers.slice(500)], routes: [network('10.0.3.0/24')] }))
    expect(other.routes.routes.filter((route) => !first.routes.routes.includes(route))).toEqual(['100.90.0.1/32'])
    expect(other.dns).toBe(first.dns)
  })

  test('in whatever steps the list of devices changes, it is as if it were made anew', () => {
    const ip = fc.integer({ min: 0, max: 300 }).map((i) => `100.80.${i >> 8}.${i & 255}`)
    const all = new Map<string, DataplanePeer>()
    const known = (text: string): DataplanePeer => all.get(text) ?? all.set(text, peer(text)).get(text)!
    const list = fc.uniqueArray(ip, { maxLength: 150 }).map((ips) => ips.toSorted().map(known))
    fc.assert(fc.property(fc.array(fc.tuple(list, fc.constantFrom(DIRECT, EXIT, BLOCKED, PAUSED), fc.boolean()), { minLength: 1, maxLength: 6 }), (steps) => {
      const planner = new MachinePlanner()
      for (const [peers, egress, allowLan] of steps) {
        const want = wantOf({ peers, egress, prefs: { allowLan }, interfaces: [LAN, DOCKER] })
        const { routes } = planner.plan(want)
        expect(routes).toEqual(new MachinePlanner().plan(want).routes)
        expect(['0.0.0.0/0', '::/0'].every((route) => routes.routes.includes(route))).toBe(routes.internet !== 'direct')
        expect(routes.bypass.filter((prefix) => routes.routes.includes(prefix))).toEqual([])
        expect(new Set(routes.routes).size).toBe(routes.routes.length)
      }
    }))
  })
})
