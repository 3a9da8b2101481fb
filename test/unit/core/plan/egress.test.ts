import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isDecodeError } from '../../../../main/engine/base/errors.ts'
import { applyMapResponse } from '../../../../main/engine/core/netmap/apply.ts'
import type { NetMap } from '../../../../main/engine/core/netmap/types.ts'
import { egressOf, UNRESOLVED_EXIT } from '../../../../main/engine/core/plan/egress.ts'
import type { Egress, ExitVerdict } from '../../../../main/engine/core/plan/egress.ts'
import { Planner } from '../../../../main/engine/core/plan/plan.ts'
import type { MapResponse, Node } from '../../../../main/engine/core/tailcfg/types.ts'

const NOW = Date.UTC(2026, 10, 22, 22)
const BOTH = ['0.0.0.0/0', '::/0']

function mapWith(...peers: Partial<Node>[]): NetMap {
  const message = JSON.parse(readFileSync(new URL('../../../vectors/mapresponse/02-initial-one-peer.json', import.meta.url), 'utf8')) as MapResponse
  const delta = applyMapResponse(undefined, message, NOW)
  if (isDecodeError(delta)) throw new Error(delta.detail)
  const base = delta.netMap.peers.values().next().value!
  const nodes = peers.map((peer, i): Node => {
    const ip = `100.64.0.${i + 2}/32`
    return { ...base, ID: i + 2, StableID: String(i + 2), Key: `nodekey:${String(i + 2).padStart(64, '0')}`, Name: `exit-${i + 2}.lab.internal.`, Addresses: [ip], AllowedIPs: [ip, ...BOTH], ...peer }
  })
  return { ...delta.netMap, peers: new Map(nodes.map((node) => [node.ID, node])) }
}

const wish = (id: string, ip = ''): { id: string; ip: string } => ({ id, ip })

describe('the way out', () => {
  test('is direct without a choice, whatever was decided elsewhere', () => {
    expect(egressOf(mapWith({}), wish(''), NOW)).toEqual({ kind: 'direct' })
    expect(egressOf(mapWith({}), wish(''), NOW, { kind: 'use', id: '2', why: 'left over' })).toEqual({ kind: 'direct' })
  })

  test('leads through the chosen one, by ID or by address', () => {
    const map = mapWith({})
    const through = { kind: 'exit', id: '2', name: 'exit-2', key: map.peers.get(2)!.Key }
    expect(egressOf(map, wish('2'), NOW)).toMatchObject(through)
    expect(egressOf(map, wish('', '100.64.0.2'), NOW)).toMatchObject(through)
  })

  test.each<[string, Partial<Node>, RegExp]>([
    ['offers one family only', { AllowedIPs: ['0.0.0.0/0'] }, /exit-2 is not offered as one/],
    ['is expired, says the server', { Expired: true }, /its key has ended/],
    ['is expired by its time', { KeyExpiry: new Date(NOW).toISOString() }, /its key has ended/],
    ['has no key', { Key: `nodekey:${'0'.repeat(64)}` }, /has never connected/],
  ])('is blocked while the chosen one %s', (_name, peer, why) => {
    expect(egressOf(mapWith(peer), wish('2'), NOW)).toMatchObject({ kind: 'blocked', id: '2', name: 'exit-2', why: expect.stringMatching(why) as unknown })
  })

  test.each<[string, { id: string; ip: string }, RegExp]>([
    ['is not in the map', wish('99'), /not in this network any more/],
    ['is not chosen yet by the engine', wish(UNRESOLVED_EXIT), /no exit node can be used yet/],
    ['is an address that nobody has', wish('', '100.64.0.77'), /has the address 100.64.0.77/],
    ['is no address at all', wish('', 'nonsense'), /has the address nonsense/],
  ])('is blocked when what was chosen %s', (_name, chosen, why) => {
    expect(egressOf(mapWith({}), chosen, NOW)).toMatchObject({ kind: 'blocked', why: expect.stringMatching(why) as unknown })
  })

  test('is blocked when we were chosen ourselves', () => {
    const map = mapWith({})
    expect(egressOf(map, wish(map.self.StableID), NOW)).toMatchObject({ kind: 'blocked', why: expect.stringContaining('its own exit node') as unknown })
  })

  test('never leads to what the map refuses, and never past a chosen exit node without a pause', () => {
    const peer = fc.record({ Expired: fc.boolean(), AllowedIPs: fc.subarray(BOTH) })
    const id = fc.constantFrom('', '2', '3', '9', UNRESOLVED_EXIT)
    const verdict = fc.option(fc.record({ kind: fc.constantFrom('use' as const, 'block' as const, 'pause' as const), id, why: fc.constant('said so') }), { nil: undefined })
    fc.assert(fc.property(fc.array(peer, { maxLength: 3 }), id, fc.constantFrom('', '100.64.0.2', '100.64.0.9'), verdict, (peers, chosen, ip, found) => {
      const map = mapWith(...peers)
      const egress: Egress = egressOf(map, { id: chosen, ip }, NOW, found as ExitVerdict | undefined)
      expect(egress.kind === 'direct').toBe(chosen === '' && ip === '')
      if (egress.kind === 'paused') expect(found?.kind).toBe('pause')
      if (egress.kind === 'exit') {
        const node = [...map.peers.values()].find((one) => one.StableID === egress.id)!
        expect(node.Expired).not.toBe(true)
        expect(node.AllowedIPs).toEqual(expect.arrayContaining(BOTH))
      }
    }))
  })
})

describe('a plan', () => {
  const prefs = { acceptRoutes: false, shieldsUp: false, advertiseRoutes: [] }

  test('gives the default routes to the exit node in use alone, and keeps its egress object while nothing changes', () => {
    const map = mapWith({}, {})
    const planner = new Planner()
    const use: ExitVerdict = { kind: 'use', id: '3', why: 'exit-2 does not answer' }
    const first = planner.plan(map, { ...prefs, exitNodeId: '2', exitVerdict: use }, NOW)
    expect(first.egress).toMatchObject({ kind: 'exit', id: '3', why: 'exit-2 does not answer' })
    expect(first.dataplane.peers.map(({ routes }) => routes.includes('0.0.0.0/0'))).toEqual([false, true])
    expect(planner.plan(map, { ...prefs, exitNodeId: '2', exitVerdict: use }, NOW).egress).toBe(first.egress)
  })

  test('keeps the routes of an exit node that is blocked, so that what is open can end', () => {
    const plan = new Planner().plan(mapWith({}), { ...prefs, exitNodeId: '2', exitVerdict: { kind: 'block', id: '2', why: 'offline' } }, NOW)
    expect(plan.egress.kind).toBe('blocked')
    expect(plan.dataplane.peers[0]!.routes).toContain('::/0')
  })
})
