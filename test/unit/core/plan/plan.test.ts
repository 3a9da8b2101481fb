import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isDecodeError } from '../../../../main/engine/base/errors.ts'
import { parseIp, parsePrefix } from '../../../../main/engine/base/ip.ts'
import { applyMapResponse } from '../../../../main/engine/core/netmap/apply.ts'
import { IdTable } from '../../../../main/engine/core/netmap/id-table.ts'
import type { NetMap } from '../../../../main/engine/core/netmap/types.ts'
import { Planner } from '../../../../main/engine/core/plan/plan.ts'
import { canonical } from '../../../../main/engine/core/plan/plan-peer.ts'
import type { PlanPrefs } from '../../../../main/engine/core/plan/plan.ts'
import type { MapResponse, Node } from '../../../../main/engine/core/tailcfg/types.ts'

const NOW = Date.UTC(2026, 10, 22, 22)
const PREFS: PlanPrefs = { acceptRoutes: false, exitNodeId: '', shieldsUp: false, advertiseRoutes: [] }

function mapOf(...files: string[]): NetMap {
  let map: NetMap | undefined
  for (const file of files) {
    const message = JSON.parse(readFileSync(new URL(`../../../vectors/mapresponse/${file}`, import.meta.url), 'utf8')) as MapResponse
    const delta = applyMapResponse(map, message, NOW)
    if (isDecodeError(delta)) throw new Error(delta.detail)
    map = delta.netMap
  }
  return map!
}

function withPeers(map: NetMap, ...peers: Partial<Node>[]): NetMap {
  const base = map.peers.values().next().value!
  return { ...map, peers: new Map(peers.map((peer, i) => [i + 2, { ...base, ID: i + 2, StableID: String(i + 2), Key: `nodekey:${String(i + 2).padStart(64, '0')}`, ...peer }])) }
}

const plan = (map: NetMap, prefs: Partial<PlanPrefs> = {}): ReturnType<Planner['plan']> => new Planner().plan(map, { ...PREFS, ...prefs }, NOW)

describe('a plan over what a real server sent', () => {
  test('names ourselves, the peer, its paths and the filter', () => {
    const { dataplane, magicsock } = plan(mapOf('02-initial-one-peer.json'))
    expect(dataplane).toMatchSnapshot()
    expect(magicsock.peers).toMatchSnapshot()
    expect(Object.keys(magicsock.derpMap.Regions)).toEqual(['999'])
    expect(magicsock.lastHome).toBe(999)
  })

  test('a policy of single ports becomes matches of these ports only', () => {
    const { filter } = plan(mapOf('02-initial-one-peer.json', '15-policy-restricted.json')).dataplane
    const ports = filter.matches.flatMap((match) => match.dsts.map((dst) => `${dst.first}-${dst.last}`))
    expect(new Set(ports)).toEqual(new Set(['22-22', '8000-8100']))
  })

  test('routes of a router are used only when they are accepted, default routes only of the chosen exit node', () => {
    const map = mapOf('02-initial-one-peer.json', '12-peer-routes-approved.json')
    const own = ['100.64.0.2/32', 'fd7a:115c:a1e0::2/128']
    const routes = (prefs: Partial<PlanPrefs>): readonly string[] => plan(map, prefs).dataplane.peers[0]!.routes
    expect(routes({})).toEqual(own)
    expect(routes({ acceptRoutes: true })).toEqual([...own, '10.55.0.0/24'])
    expect(routes({ exitNodeId: '2' })).toEqual([...own, '0.0.0.0/0', '::/0'])
    expect(routes({ exitNodeId: '9' })).toEqual(own)
  })

  test('a peer that has never connected has no place in the data plane', () => {
    expect(plan(mapOf('01-initial-no-peers.json', '05-peer-added-policy.json')).dataplane.peers).toEqual([])
    expect(plan(mapOf('01-initial-no-peers.json', '05-peer-added-policy.json', '06-peer-connected.json')).dataplane.peers).toHaveLength(1)
  })

  test('an expired peer leaves at its time', () => {
    const map = mapOf('02-initial-one-peer.json')
    const ends = withPeers(map, { KeyExpiry: new Date(NOW + 1000).toISOString() })
    const planner = new Planner()
    const before = planner.plan(ends, PREFS, NOW)
    expect(before.dataplane.peers).toHaveLength(1)
    expect(before.nextExpiryMs).toBe(NOW + 1000)
    expect(planner.plan(ends, PREFS, NOW + 1000).dataplane.peers).toEqual([])
  })
})

describe('a plan of peers that disagree', () => {
  const map = mapOf('02-initial-one-peer.json')

  test('two peers with one prefix: both may send from it, the lower ID is sent to', () => {
    const shared = { AllowedIPs: ['10.1.0.0/16'] }
    const { peers } = plan(withPeers(map, { Addresses: ['100.64.0.2/32'], ...shared }, { Addresses: ['100.64.0.3/32'], ...shared }), { acceptRoutes: true }).dataplane
    expect(peers.map((peer) => peer.allowedSources.includes('10.1.0.0/16'))).toEqual([true, true])
    expect(peers.map((peer) => peer.routes.includes('10.1.0.0/16'))).toEqual([true, false])
  })

  test.each([
    ['our own address', '100.64.0.1/32'],
    ['the service address', '100.100.100.100/32'],
    ['a prefix with host bits', '10.1.2.3/8'],
    ['rubbish', 'nonsense'],
  ])('a peer cannot claim %s', (_name, claim) => {
    const { peers } = plan(withPeers(map, { Addresses: ['100.64.0.2/32', claim], AllowedIPs: ['100.64.0.2/32', claim] }), { acceptRoutes: true }).dataplane
    expect(peers[0]!.allowedSources).toEqual(['100.64.0.2/32'])
  })

  test('an address outside the range of the network counts as a route', () => {
    const odd = withPeers(map, { Addresses: ['8.8.8.8/32', '100.64.0.2/32'], AllowedIPs: ['8.8.8.8/32', '100.64.0.2/32'] })
    expect(plan(odd).dataplane.peers[0]!.routes).toEqual(['100.64.0.2/32'])
    expect(plan(odd, { acceptRoutes: true }).dataplane.peers[0]!.routes).toContain('8.8.8.8/32')
  })

  test('a jailed peer is marked, one without signature loses its routes', () => {
    const { peers } = plan(withPeers(map, { IsJailed: true, AllowedIPs: ['100.64.0.2/32', '10.0.0.0/8'], UnsignedPeerAPIOnly: true }), { acceptRoutes: true }).dataplane
    expect(peers[0]).toMatchObject({ jailed: true })
    expect(peers[0]!.routes).not.toContain('10.0.0.0/8')
  })

  test('rules that would let in a node that nobody has signed for are refused whole', () => {
    const unsigned = withPeers(map, { UnsignedPeerAPIOnly: true })
    expect(plan(unsigned)).toMatchObject({ filterRefused: true, dataplane: { filter: { matches: [] } } })
    const rules = [{ SrcIPs: ['100.64.0.77'], DstPorts: [{ IP: '*', Ports: { First: 0, Last: 65535 } }] }]
    const planner = new Planner()
    expect(planner.plan({ ...unsigned, packetFilters: new Map([['base', rules]]) }, PREFS, NOW)).toMatchObject({ filterRefused: false })
    expect(planner.plan({ ...withPeers(map, { UnsignedPeerAPIOnly: true, Addresses: ['100.64.0.77/32'] }), packetFilters: new Map([['base', rules]]) }, PREFS, NOW).filterRefused).toBe(true)
    expect(planner.plan(map, PREFS, NOW)).toMatchObject({ filterRefused: false })
  })

  test('our advertised subnets are ours to receive for, a default route is not yet', () => {
    expect(plan(map, { advertiseRoutes: ['10.9.0.0/24', '0.0.0.0/0', '::/0'] }).dataplane.filter.localNets).toEqual(['100.64.0.1/32', 'fd7a:115c:a1e0::1/128', '10.9.0.0/24'])
  })
})

describe('a planner', () => {
  test('gives the same objects for what did not change, whatever else did', () => {
    const map = mapOf('02-initial-one-peer.json')
    const peers = new Map(withPeers(map, {}, { Addresses: ['100.64.0.3/32'] }).peers)
    const planner = new Planner()
    const first = planner.plan({ ...map, peers }, PREFS, NOW)
    const changed = new Map(peers).set(3, { ...peers.get(3)!, Online: false })
    const second = planner.plan({ ...map, peers: changed }, PREFS, NOW)
    expect(second.dataplane.peers[0]).toBe(first.dataplane.peers[0])
    expect(second.dataplane.filter.matches).toBe(first.dataplane.filter.matches)
    expect(second.dataplane).toBe(first.dataplane)
    expect(second.magicsock).toBe(first.magicsock)
    const moved = planner.plan({ ...map, peers: new Map(changed).set(3, { ...peers.get(3)!, Addresses: ['100.64.0.9/32'], AllowedIPs: ['100.64.0.9/32'] }) }, PREFS, NOW)
    expect(moved.dataplane.peers.map((peer) => peer.routes[0])).toEqual(['100.64.0.2/32', '100.64.0.9/32'])
    expect(moved.dataplane.peers[0]).toBe(first.dataplane.peers[0])
    const others = { ...PREFS, shieldsUp: true }
    expect(planner.plan({ ...map, peers }, others, NOW).dataplane.filter).toMatchObject({ shieldsUp: true, matches: first.dataplane.filter.matches })
  })

  test('gives after any changes what a new planner gives for the same map', () => {
    const map = mapOf('02-initial-one-peer.json')
    const base = map.peers.get(2)!
    const node = fc.record({
      key: fc.integer({ min: 1, max: 12 }), ip: fc.integer({ min: 2, max: 12 }), route: fc.constantFrom(null, '10.1.0.0/16', '10.2.0.0/16', '::/0', '100.64.0.5/32', '100.64.0.0/16'),
      name: fc.constantFrom('a', 'b'), online: fc.boolean(), primary: fc.boolean(), says: fc.constantFrom(null, '10.1.0.0/16', '10.3.0.0/16'),
      derp: fc.constantFrom(0, 1), expiry: fc.constantFrom(undefined, 1, 5, 9), expired: fc.boolean(), jailed: fc.boolean(),
    })
    const step = fc.record({
      set: fc.array(fc.tuple(fc.integer({ min: 2, max: 14 }), node), { maxLength: 6 }),
      removed: fc.array(fc.integer({ min: 2, max: 14 }), { maxLength: 3 }),
      acceptRoutes: fc.boolean(), skippedRoutes: fc.constantFrom([], ['10.2.0.0/16']), lan: fc.constantFrom(undefined, '10.1.2.3', '192.168.1.9'), exitNodeId: fc.constantFrom('', '3', '4'), passMs: fc.integer({ min: 0, max: 3 }),
    })
    fc.assert(fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const planner = new Planner()
      let peers = IdTable.empty<Node>()
      let nowMs = NOW
      for (const { set, removed, passMs, lan, ...prefs } of steps) {
        const system = { interfaces: lan === undefined ? [] : [{ name: 'eth0', ip: lan, prefix: 12, internal: false }] }
        nowMs += passMs
        peers = peers.with(new Map(set.map(([id, one]) => [id, {
          ...base, ID: id, StableID: String(id), Key: `nodekey:${String(one.key).padStart(64, '0')}`, DiscoKey: `discokey:${'0'.repeat(64)}`, HomeDERP: one.derp,
          Name: `${one.name}.lab.internal.`, Online: one.online || one.says !== null, Hostinfo: { RoutableIPs: one.says === null ? null : [one.says] }, PrimaryRoutes: one.primary && one.route !== null ? [one.route] : null, Addresses: [`100.64.0.${one.ip}/32`], AllowedIPs: [`100.64.0.${one.ip}/32`, ...(one.route === null ? [] : [one.route])], Expired: one.expired, IsJailed: one.jailed,
          ...(one.expiry === undefined ? {} : { KeyExpiry: new Date(NOW + one.expiry).toISOString() }),
        }])), removed)
        const { dataplane, magicsock, routes, nextExpiryMs } = planner.plan({ ...map, peers }, { ...PREFS, ...prefs }, nowMs, system)
        const fresh = new Planner().plan({ ...map, peers }, { ...PREFS, ...prefs }, nowMs, system)
        expect({ peers: dataplane.peers, finding: magicsock.peers, routes, nextExpiryMs }).toEqual({ peers: fresh.dataplane.peers, finding: fresh.magicsock.peers, routes: fresh.routes, nextExpiryMs: fresh.nextExpiryMs })
        const again = planner.plan({ ...map, peers }, { ...PREFS, ...prefs }, nowMs, system)
        expect([again.dataplane === dataplane, again.routes === routes]).toEqual([true, true])
        expect(new Set(dataplane.peers.map((peer) => peer.key)).size).toBe(dataplane.peers.length)
        expect(new Set(dataplane.peers.flatMap((peer) => peer.routes)).size).toBe(dataplane.peers.flatMap((peer) => peer.routes).length)
      }
    }), { numRuns: 300 })
  })

  test('a node that knows us by another address, or that cannot be reached, has no place; bare WireGuard needs an address alone', () => {
    const map = mapOf('02-initial-one-peer.json')
    const none = { DiscoKey: `discokey:${'0'.repeat(64)}`, HomeDERP: 0 }
    expect(plan(withPeers(map, { SelfNodeV4MasqAddrForThisPeer: '100.64.9.9' })).dataplane.peers).toEqual([])
    expect(plan(withPeers(map, none)).dataplane.peers).toEqual([])
    const { magicsock } = plan(withPeers(map, { ...none, IsWireGuardOnly: true, Endpoints: ['192.0.2.7:51820'] }))
    expect(magicsock.peers).toMatchObject([{ wireGuardOnly: true, disco: undefined, endpoints: [{ ip: '192.0.2.7', port: 51820 }] }])
    expect(plan(withPeers(map, { ...none, IsWireGuardOnly: true, Endpoints: [] })).dataplane.peers).toEqual([])
  })

  test('plans ten thousand peers fast enough for a delta', () => {
    const map = mapOf('02-initial-one-peer.json')
    const many = Array.from({ length: 10_000 }, (_, i): Partial<Node> => ({ Addresses: [`100.${64 + (i >> 14)}.${(i >> 8) & 63}.${i & 255}/32`, `fd7a:115c:a1e0::${(i + 10).toString(16)}/128`], AllowedIPs: null }))
    const big = { ...map, peers: IdTable.of(withPeers(map, ...many).peers) }
    const planner = new Planner()
    planner.plan(big, PREFS, NOW)
    let peers = big.peers
    const startedMs = performance.now()
    for (let i = 0; i < 100; i++) {
      peers = peers.with(new Map([[5000 + i, { ...peers.get(5000 + i)!, HomeDERP: 7 }]]))
      planner.plan({ ...big, peers }, PREFS, NOW)
    }
    expect(planner.plan({ ...big, peers }, PREFS, NOW).magicsock.peers[5050 - 2]).toMatchObject({ id: 5050, homeDerp: 7 })
    // 1 ms each would be ten times what it takes on an idle machine.
    expect(performance.now() - startedMs).toBeLessThan(1000)
  })
})

test('a prefix is read as the parser of addresses reads it', () => {
  const part = fc.oneof(fc.integer({ min: 0, max: 300 }).map(String), fc.constantFrom('0', '00', '64', '100', '', 'a', 'fd7a', '::'))
  const text = fc.oneof(
    fc.tuple(part, part, part, part, part).map(([a, b, c, d, bits]) => `${a}.${b}.${c}.${d}/${bits}`),
    fc.tuple(part, part, part).map(([a, b, bits]) => `${a}::${b}/${bits}`), fc.string({ maxLength: 20 }), fc.constantFrom('100.64.0.1', '10.0.0.0/8', '10.0.0.1/8', '::/0', '0.0.0.0/0', 'fd7a:115c:a1e0:0::1/128'),
  )
  fc.assert(fc.property(text, (one) => {
    const read = parsePrefix(one)
    const bytes = read && parseIp(read.ip)!
    const isNet = bytes && [...bytes].every((byte, i) => (byte & (0xff >> Math.min(8, Math.max(0, read.bits - 8 * i)))) === 0 || 8 * i + 8 <= read.bits)
    expect(canonical(one)).toBe(isNet ? `${read.ip}/${read.bits}` : undefined)
  }), { numRuns: 3000 })
})
