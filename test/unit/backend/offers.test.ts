import { describe, expect, test } from 'vitest'
import { offerHint } from '../../../main/cli/offer-hint.ts'
import { makeRig, recorded } from './rig.ts'
import type { Rig } from './rig.ts'

const OFFERED = ['10.9.0.0/24', '0.0.0.0/0', '::/0']
const PUBLIC = { interfaces: [{ name: 'eth0', ip: '203.0.113.7', prefix: 24, internal: false }, { name: 'eth0', ip: '2001:db8::7', prefix: 64, internal: false }] }

/** Signed in, and offering. */
function offering(): Rig {
  const rig = makeRig()
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'http://127.0.0.1:18080', WantRunning: true }, AuthKey: 'k' })
  rig.signIn()
  rig.map(recorded('02-initial-one-peer.json'))
  rig.backend.facts.onSystem(PUBLIC)
  rig.backend.editPrefs({ AdvertiseRoutes: OFFERED, AdvertiseRoutesSet: true })
  return rig
}

/** What the server says of our own node. */
function own(rig: Rig, routes: readonly string[], primary: readonly string[] = []): void {
  const node = recorded('02-initial-one-peer.json').Node!
  rig.map({ Node: { ...node, AllowedIPs: [...node.Addresses!, ...routes], PrimaryRoutes: primary } })
}

const rows = (rig: Rig): unknown[] => rig.backend.offers.rows().map(({ Prefix, Approved, Primary, Flows }) => [Prefix, Approved, Primary, Flows])
const localNets = (rig: Rig): readonly string[] => rig.dataplane.config!.filter.localNets
const warned = (rig: Rig): string => rig.health.texts().join()

describe('what this device offers', () => {
  test('waits for approval, with what an admin types, and is served only where that needs no approval here', () => {
    const rig = offering()
    expect(rows(rig)).toEqual(OFFERED.map((prefix) => [prefix, false, false, 0]))
    expect(rig.backend.offers.rows()[0]!.Note).toContain('headscale nodes approve-routes --identifier 1 --routes 10.9.0.0/24,0.0.0.0/0,::/0')
    expect(localNets(rig)).toContain('10.9.0.0/24')
    expect(localNets(rig).some((prefix) => prefix.startsWith('8.'))).toBe(false)
    expect(rig.backend.offers.exit()).toEqual({ Advertised: true, Approved: false, Flows: 0 })
  })

  test('is served with its approval and no longer without, and both are written down', () => {
    const rig = offering()
    own(rig, OFFERED, ['10.9.0.0/24'])
    expect(rows(rig)).toEqual(OFFERED.map((prefix) => [prefix, true, true, 0]))
    expect(rig.backend.offers.exit()).toEqual({ Advertised: true, Approved: true, Flows: 0 })
    expect(localNets(rig)).toContain('8.0.0.0/7')
    own(rig, [])
    expect(localNets(rig)).not.toContain('8.0.0.0/7')
    rig.backend.editPrefs({ AdvertiseRoutes: [], AdvertiseRoutesSet: true })
    const told = rig.journal.filter(({ part, prefix }) => part === 'offer' && prefix === '0.0.0.0/0').map(({ kind }) => kind)
    expect(told).toEqual(['waiting', 'approved', 'waiting', 'ended'])
  })

  test('is cut out of the networks that the machine comes to be on', () => {
    const rig = offering()
    own(rig, OFFERED)
    const before = localNets(rig)
    rig.backend.facts.onSystem({ interfaces: [{ name: 'eth0', ip: '9.9.9.9', prefix: 8, internal: false }] })
    expect(localNets(rig)).not.toEqual(before)
    expect(localNets(rig)).toContain('8.0.0.0/8')
    expect(localNets(rig)).toContain('9.9.9.9/32')
  })

  test('counts flows by the most specific offer', () => {
    const rig = offering()
    own(rig, OFFERED)
    rig.clock.advance(2_000)
    rig.dataplane.flows = [
      { from: '100.64.0.2', to: '10.9.0.7', tcp: 2, udp: 1 }, { from: '100.64.0.2', to: '8.8.8.8', tcp: 0, udp: 4 }, { from: 'fd7a:115c:a1e0::2', to: '2001:4860::8', tcp: 5, udp: 0 },
    ]
    expect(rows(rig).map((row) => (row as unknown[])[3])).toEqual([3, 4, 5])
    expect(rig.backend.offers.exit().Flows).toBe(9)
  })

  test('stands by while another device carries the network', () => {
    const rig = offering()
    const peer = recorded('02-initial-one-peer.json').Peers![0]!
    rig.map({ PeersChanged: [{ ...peer, AllowedIPs: [...peer.Addresses!, '10.9.0.0/24'], PrimaryRoutes: ['10.9.0.0/24'] }] })
    expect(rig.backend.offers.rows()[0]).toMatchObject({ Approved: true, Primary: false, Note: expect.stringContaining('n2 carries it now') })
    rig.backend.editPrefs({ AdvertiseRoutes: ['10.9.0.0/24'], AdvertiseRoutesSet: true })
    rig.clock.advance(120_000)
    expect(warned(rig)).not.toContain('approved')
  })
})

describe('warnings', () => {
  test('what is not approved for a minute is said', () => {
    const rig = offering()
    expect(warned(rig)).not.toContain('has not approved')
    rig.clock.advance(61_000)
    expect(warned(rig)).toContain('10.9.0.0/24, 0.0.0.0/0, ::/0')
    own(rig, OFFERED)
    expect(warned(rig)).not.toContain('has not approved')
  })

  test('an offer behind shields, or without an address of its kind, is said', () => {
    const rig = offering()
    own(rig, OFFERED)
    rig.backend.editPrefs({ ShieldsUp: true, ShieldsUpSet: true })
    expect(warned(rig)).toContain('shields are up')
    rig.backend.editPrefs({ ShieldsUp: false, ShieldsUpSet: true, AdvertiseRoutes: ['10.9.0.0/24'], AdvertiseRoutesSet: true })
    rig.backend.facts.onSystem({ interfaces: [{ name: 'eth0', ip: '2001:db8::7', prefix: 64, internal: false }] })
    rig.clock.advance(20_000)
    expect(warned(rig)).toContain('it has no address of that kind itself')
    expect(rig.backend.offers.rows()[0]!.Note).toContain('no IPv4 address')
  })
})

test('whoever offers something is told at once what it waits for', () => {
  const rig = offering()
  expect(offerHint(rig.backend.routes.page())).toMatch(/^Nobody uses 10\.9\.0\.0\/24, 0\.0\.0\.0\/0, ::\/0 before it is approved\.\n.*approve-routes.*\n.*bowline routes$/)
  // The command that approves is whole however long it is.
  rig.backend.editPrefs({ AdvertiseRoutes: Array.from({ length: 60 }, (_, i) => `10.9.${i}.0/24`), AdvertiseRoutesSet: true })
  expect(offerHint(rig.backend.routes.page())).toContain('10.9.58.0/24,10.9.59.0/24\n')
  rig.backend.editPrefs({ AdvertiseRoutes: OFFERED, AdvertiseRoutesSet: true })
  own(rig, OFFERED)
  expect(offerHint(rig.backend.routes.page())).toBeUndefined()
})
