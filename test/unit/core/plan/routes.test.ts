import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { isDecodeError } from '../../../../main/engine/base/errors.ts'
import { applyMapResponse } from '../../../../main/engine/core/netmap/apply.ts'
import { IdTable } from '../../../../main/engine/core/netmap/id-table.ts'
import type { NetMap } from '../../../../main/engine/core/netmap/types.ts'
import { Planner } from '../../../../main/engine/core/plan/plan.ts'
import type { Plan, PlanPrefs } from '../../../../main/engine/core/plan/plan.ts'
import type { SystemFacts } from '../../../../main/engine/core/plan/system-facts.ts'
import type { MapResponse, Node } from '../../../../main/engine/core/tailcfg/types.ts'

const NOW = Date.UTC(2026, 10, 22, 22)
const PREFS: PlanPrefs = { acceptRoutes: true, exitNodeId: '', shieldsUp: false, advertiseRoutes: [] }
const LAN_AT_A_CAFE: SystemFacts = { interfaces: [{ name: 'lo', ip: '127.0.0.1', prefix: 8, internal: true }, { name: 'wlan0', ip: '192.168.1.77', prefix: 24, internal: false }] }

/** A first map with peers 2, 3, … that are called gw-2, gw-3, … and offer these networks. */
function mapOf(...peers: Partial<Node>[]): NetMap {
  const message = JSON.parse(readFileSync(new URL('../../../vectors/mapresponse/02-initial-one-peer.json', import.meta.url), 'utf8')) as MapResponse
  const delta = applyMapResponse(undefined, message, NOW)
  if (isDecodeError(delta)) throw new Error(delta.detail)
  const base = delta.netMap.peers.values().next().value!
  return { ...delta.netMap, peers: new Map(peers.map((peer, i) => [i + 2, nodeOf(base, i + 2, peer)])) }
}

function nodeOf(base: Node, id: number, peer: Partial<Node>): Node {
  const own = peer.Addresses?.[0] ?? `100.64.0.${id}/32`
  return { ...base, ID: id, StableID: String(id), Name: `gw-${id}.lab.internal.`, Key: `nodekey:${String(id).padStart(64, '0')}`, Addresses: [own], Online: true, ...peer, AllowedIPs: [own, ...(peer.AllowedIPs ?? [])] }
}

const plan = (map: NetMap, prefs: Partial<PlanPrefs> = {}, system?: SystemFacts): Plan => new Planner().plan(map, { ...PREFS, ...prefs }, NOW, system)
const offers = (...AllowedIPs: string[]): Partial<Node> => ({ AllowedIPs })
const words = ({ routes }: Plan): string[] => routes.map(({ prefix, state, why }) => `${prefix} ${state}: ${why}`)
/** Which device each network is sent to, by node ID. */
const carried = ({ dataplane, magicsock }: Plan): Record<string, number> =>
  Object.fromEntries(dataplane.peers.flatMap((peer, i) => peer.routes.filter((route) => !route.startsWith('100.64.0.')).map((route) => [route, magicsock.peers[i]!.id])))
const sources = ({ dataplane }: Plan, route: string): number => dataplane.peers.filter((peer) => peer.allowedSources.includes(route)).length

describe('networks behind devices', () => {
  test('are listed by prefix, IPv4 first, each with who carries it and who stands by', () => {
    const made = plan(mapOf(offers('10.0.3.0/24', 'fd00:5::/64', '2.0.0.0/8'), offers('10.0.3.0/24')))
    expect(made.routes).toMatchSnapshot()
    expect(carried(made)).toEqual({ '2.0.0.0/8': 2, '10.0.3.0/24': 2, 'fd00:5::/64': 2 })
    expect(sources(made, '10.0.3.0/24')).toBe(2)
  })

  test('are not used while networks are not accepted, and one that is skipped never', () => {
    const map = mapOf(offers('10.0.3.0/24', '10.0.4.0/24'))
    expect(words(plan(map, { acceptRoutes: false }))).toEqual([
      '10.0.3.0/24 not-accepted: networks behind devices are not used on this computer', '10.0.4.0/24 not-accepted: networks behind devices are not used on this computer',
    ])
    const some = plan(map, { skippedRoutes: ['10.0.3.0/24'] })
    expect(words(some)).toEqual(['10.0.3.0/24 skipped: skipped by you', '10.0.4.0/24 used: through gw-2'])
    expect([carried(some), sources(some, '10.0.3.0/24')]).toEqual([{ '10.0.4.0/24': 2 }, 0])
  })

  test.each([
    ['the same as our own', '192.168.1.0/24', 'overlaps', 'this computer is on 192.168.1.0/24 itself (wlan0)'],
    ['inside our own', '192.168.1.128/25', 'overlaps', 'this computer is on 192.168.1.0/24 itself (wlan0)'],
    ['a single address of our own', '192.168.1.9/32', 'overlaps', 'this computer is on 192.168.1.0/24 itself (wlan0)'],
    ['one around our own', '192.168.0.0/16', 'used', 'through gw-2; 192.168.1.0/24 (wlan0) in it stays local'],
    ['beside our own', '192.168.2.0/24', 'used', 'through gw-2'],
    ['what loopback would be on', '127.0.0.0/16', 'refused', 'these addresses never leave a computer'],
  ])('%s: %s is %s', (_name, prefix, state, why) => {
    const made = plan(mapOf(offers(prefix)), {}, LAN_AT_A_CAFE)
    expect(words(made)).toEqual([`${prefix} ${state}: ${why}`])
    expect(carried(made)).toEqual(state === 'used' ? { [prefix]: 2 } : {})
    expect(sources(made, prefix)).toBe(state === 'used' ? 1 : 0)
  })

  test('come and go with the network that this machine is on', () => {
    const planner = new Planner()
    const map = mapOf(offers('192.168.1.0/24'), offers('10.0.3.0/24'))
    const at = (system: SystemFacts): Plan => planner.plan(map, PREFS, NOW, system)
    const home = at({ interfaces: [] })
    expect(carried(home)).toEqual({ '192.168.1.0/24': 2, '10.0.3.0/24': 3 })
    const cafe = at(LAN_AT_A_CAFE)
    expect(carried(cafe)).toEqual({ '10.0.3.0/24': 3 })
    expect(cafe.dataplane.peers[1]).toBe(home.dataplane.peers[1])
    expect(cafe.routes[0]).toBe(home.routes[0])
    expect(carried(at({ interfaces: [] }))).toEqual(carried(home))
  })

  test.each([
    ['the whole range of the devices', '100.64.0.0/10', 'it would take 100.64.0.0/10, the range of the devices themselves'],
    ['more than that', '64.0.0.0/2', 'it would take 100.64.0.0/10, the range of the devices themselves'],
    ['the range in IPv6', 'fd7a:115c:a1e0::/48', 'it would take fd7a:115c:a1e0::/48, the range of the devices themselves'],
    ['a part with our own address', '100.64.0.0/24', 'it would take 100.64.0.1, an address of this device'],
    ['a part of the range', '100.70.0.0/16', 'it claims a part of the range of the devices themselves'],
    ['our own address', '100.64.0.1/32', 'it would take 100.64.0.1, an address of this device'],
    ["another device's address", '100.64.0.3/32', 'it is the address of gw-3'],
    ['the service address', '100.100.100.100/32', 'it would take 100.100.100.100, where every device answers for itself'],
    ['the service address in IPv6', 'fd7a:115c:a1e0::53/128', 'it would take fd7a:115c:a1e0::53, where every device answers for itself'],
    ['all sites of 4via6', 'fd7a:115c:a1e0:b1a::/64', 'it claims a part of the range of the devices themselves'],
    ['groups', '224.0.0.0/8', 'these are addresses of groups, which no device carries'],
    ['link-local addresses', '169.254.169.254/32', 'these addresses mean something else on every link'],
  ])('refused is %s', (_name, prefix, why) => {
    const made = plan(mapOf(offers(prefix), {}))
    expect(words(made)).toEqual([`${prefix} refused: ${why}`])
    expect(made.dataplane.peers.map((peer) => [peer.allowedSources, peer.routes])).toEqual([[['100.64.0.2/32'], ['100.64.0.2/32']], [['100.64.0.3/32'], ['100.64.0.3/32']]])
  })

  test('a site of 4via6 is one like any other, and so is a further address of a device', () => {
    const made = plan(mapOf(offers('fd7a:115c:a1e0:b1a:0:7:a00:300/120', '100.64.9.9/32')))
    expect(words(made)).toEqual(['100.64.9.9/32 used: through gw-2', 'fd7a:115c:a1e0:b1a:0:7:a00:300/120 used: through gw-2'])
  })

  test('what this device offers itself is not taken from others', () => {
    expect(words(plan(mapOf(offers('10.0.3.0/24')), { advertiseRoutes: ['10.0.3.0/24'] }))).toEqual(['10.0.3.0/24 overlaps: this computer offers it itself'])
  })

  test('one that holds our server or a relay is used, and what that means is said', () => {
    const outside = [{ ip: '10.0.3.5', name: 'the server' }, { ip: '10.9.9.9', name: 'the relay r1' }]
    expect(words(plan(mapOf(offers('10.0.3.0/24')), { outside }))).toEqual(['10.0.3.0/24 used: through gw-2; Bowline itself still reaches the server at 10.0.3.5 past it'])
  })
})

describe('two routers for one network', () => {
  const offer = offers('10.0.3.0/24')

  test.each([
    ['the lowest ID', [{}, {}], 2, 'through gw-2; gw-3 stands by'],
    ['the primary one of the server', [{}, { PrimaryRoutes: ['10.0.3.0/24'] }], 3, 'through gw-3; gw-2 stands by'],
    ['one that is online', [{ PrimaryRoutes: ['10.0.3.0/24'], Online: false }, {}], 3, 'through gw-3'],
    ['one that can be reached', [{ DiscoKey: `discokey:${'0'.repeat(64)}`, HomeDERP: 0 }, {}], 3, 'through gw-3'],
    ['one whose sign-in lasts', [{ KeyExpiry: new Date(NOW - 1).toISOString() }, {}], 3, 'through gw-3'],
  ] as const)('%s carries it', (_name, [a, b], id, why) => {
    const made = plan(mapOf({ ...offer, ...a }, { ...offer, ...b }))
    expect(carried(made)).toEqual({ '10.0.3.0/24': id })
    expect(made.routes).toMatchObject([{ state: 'used', why, via: { id } }])
  })

  test('when none is online, packets keep going where they did rather than another way', () => {
    const made = plan(mapOf({ ...offer, Online: false }, { ...offer, Online: false }))
    expect(words(made)).toEqual(['10.0.3.0/24 no-router: nobody carries it now: gw-2 is offline, gw-3 is offline'])
    expect(carried(made)).toEqual({ '10.0.3.0/24': 2 })
  })

  test('a device whose sign-in ends hands over at that moment', () => {
    const map = mapOf({ ...offer, KeyExpiry: new Date(NOW + 1000).toISOString() }, offer)
    const planner = new Planner()
    expect(carried(planner.plan(map, PREFS, NOW))).toEqual({ '10.0.3.0/24': 2 })
    const after = planner.plan(map, PREFS, NOW + 1000)
    expect(carried(after)).toEqual({ '10.0.3.0/24': 3 })
    expect(after.routes[0]!.standby.map(({ id }) => id)).toEqual([2])
  })

  test('a router that the server keeps in reserve shows by its own word', () => {
    const says = { Hostinfo: { RoutableIPs: ['10.0.3.0/24'] } }
    const made = plan(mapOf({ ...offer, ...says }, says, { ...says, Online: false }))
    expect(made.routes).toMatchObject([{ why: 'through gw-2; gw-3 offers it too', standby: [{ name: 'gw-3' }] }])
    expect([carried(made), sources(made, '10.0.3.0/24')]).toEqual([{ '10.0.3.0/24': 2 }, 1])
    expect(words(plan(mapOf(says)))).toEqual([])
  })

  test('one that its only router took along is missed, not forgotten, until the router is back without it', () => {
    const says = { Hostinfo: { RoutableIPs: ['10.0.3.0/24', '0.0.0.0/0', '10.7.0.0/16'] } }
    const planner = new Planner()
    const now = (...peers: Partial<Node>[]): string[] => words(planner.plan(mapOf(...peers), PREFS, NOW))
    expect(now({ ...offer, ...says })).toEqual(['10.0.3.0/24 used: through gw-2'])
    expect(now({ ...offer, ...says, Online: false })).toEqual(['10.0.3.0/24 no-router: nobody carries it now: gw-2 is offline'])
    expect(now({ ...says, Online: false })).toEqual(['10.0.3.0/24 no-router: nobody carries it now: gw-2 is offline'])
    expect(now({ ...says, Online: false }, offer)).toEqual(['10.0.3.0/24 used: through gw-3'])
    expect(now({ ...says, Online: false }, {})).toEqual(['10.0.3.0/24 no-router: nobody carries it now: gw-2 is offline'])
    expect(now(says, {})).toEqual([])
    expect(now({ ...says, Online: false }, {})).toEqual([])
  })

  test('one that the server takes from a router that is online is gone', () => {
    const says = { Hostinfo: { RoutableIPs: ['10.0.3.0/24'] } }
    const planner = new Planner()
    expect(words(planner.plan(mapOf({ ...offer, ...says }), PREFS, NOW))).toHaveLength(1)
    expect(words(planner.plan(mapOf(says), PREFS, NOW))).toEqual([])
    planner.plan(mapOf({ ...offer, ...says, Online: false }), PREFS, NOW)
    expect(words(planner.plan(mapOf(), PREFS, NOW))).toEqual([])
  })

  test('a change of the server moves it in one plan, and no other device is touched', () => {
    const planner = new Planner()
    const before = planner.plan(mapOf(offer, {}, offers('10.9.0.0/16')), PREFS, NOW)
    const after = planner.plan(mapOf({}, offer, offers('10.9.0.0/16')), PREFS, NOW)
    expect([carried(before)['10.0.3.0/24'], carried(after)['10.0.3.0/24']]).toEqual([2, 3])
    expect(after.dataplane.peers[2]).toBe(before.dataplane.peers[2])
  })
})

test('with ten thousand networks a change of one device touches that one', () => {
  const many = IdTable.of(mapOf(...Array.from({ length: 10_000 }, (_, i) => ({ Addresses: [`100.65.${i >> 8}.${i & 255}/32`], AllowedIPs: [`10.${i >> 8}.${i & 255}.0/24`] }))).peers)
  const map = { ...mapOf({}), peers: many }
  const planner = new Planner()
  const first = planner.plan(map, PREFS, NOW)
  expect(first.routes).toHaveLength(10_000)
  let { peers } = map
  for (let i = 0; i < 50; i++) {
    peers = peers.with(new Map([[5000 + i, { ...peers.get(5000 + i)!, Online: false }]]))
    planner.plan({ ...map, peers }, PREFS, NOW)
  }
  const last = planner.plan({ ...map, peers }, PREFS, NOW)
  expect(last.routes.filter(({ state }) => state === 'no-router')).toHaveLength(50)
  expect(last.dataplane).toBe(first.dataplane)
  expect(last.routes[1]).toBe(first.routes[1])
})
