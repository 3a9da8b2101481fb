import { describe, expect, test } from 'vitest'
import { outsidePlaces } from '../../../main/engine/backend/routes-page.ts'
import { skippedAfterAccepting } from '../../../main/localapi/routes.ts'
import type { RoutesPage } from '../../../main/localapi/routes.ts'
import { MemoryStore } from '../../../main/engine/io/memory-store.ts'
import { settle } from '../../sim/clock.ts'
import { makeRig, recorded } from './rig.ts'
import type { Rig } from './rig.ts'

const UP = { ControlURL: 'http://127.0.0.1:18080', WantRunning: true, RouteAll: true }
const HERE = { interfaces: [{ name: 'wlan0', ip: '10.55.0.77', prefix: 24, internal: false }] }

/** Signed in, with a peer n2 that offers 10.55.0.0/24. */
function running(store = new MemoryStore()): Rig {
  const rig = makeRig({ store })
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'k' })
  rig.signIn()
  rig.map(recorded('12-peer-routes-approved.json'))
  return rig
}
const states = (rig: Rig): string[] => rig.backend.routes.page().Routes.map(({ Prefix, State, Why }) => `${Prefix} ${State}: ${Why}`)
const journal = (rig: Rig): unknown[] => rig.journal.filter(({ part }) => part === 'routes').map(({ kind, prefix, state }) => [kind, prefix, state])

describe('the page of networks behind devices', () => {
  test('says what is used, through whom, and what this device offers', () => {
    const rig = running()
    rig.backend.editPrefs({ AdvertiseRoutes: ['10.9.0.0/24'], AdvertiseRoutesSet: true })
    expect(rig.backend.routes.page()).toEqual({
      Accept: true,
      Routes: [{ Prefix: '10.55.0.0/24', State: 'used', Why: 'Through renamed.', Via: { ID: '2', Name: 'renamed', Online: true }, Standby: [] }],
      Offered: [{ Prefix: '10.9.0.0/24', Approved: false, Primary: false, Flows: 0, Note: expect.stringContaining('approve-routes') }],
    })
  })

  test('a network that was skipped stays so over a restart, and while nobody offers it', () => {
    const store = new MemoryStore()
    const rig = running(store)
    rig.backend.editExtras({ SkippedRoutes: ['10.55.0.0/24'] })
    expect(states(rig)).toEqual(['10.55.0.0/24 skipped: Skipped by you.'])
    expect(rig.dataplane.config!.peers[0]!.routes).not.toContain('10.55.0.0/24')
    const again = makeRig({ store })
    again.backend.start()
    expect(again.backend.routes.page().Routes).toMatchObject([{ Prefix: '10.55.0.0/24', State: 'skipped' }])
    rig.map({ PeersRemoved: [2] })
    expect(states(rig)).toEqual(['10.55.0.0/24 skipped: Skipped by you; no device offers it now.'])
  })

  test('the network that this machine comes to be on is left alone while it is there, and that is said and written down', () => {
    const rig = running()
    rig.backend.facts.onSystem(HERE)
    expect(states(rig)).toEqual(['10.55.0.0/24 overlaps: This computer is on 10.55.0.0/24 itself (wlan0).'])
    expect(rig.dataplane.config!.peers[0]!.routes).not.toContain('10.55.0.0/24')
    expect(rig.health.texts().join()).toContain('10.55.0.0/24')
    rig.backend.facts.onSystem({ interfaces: [] })
    expect(rig.dataplane.config!.peers[0]!.routes).toContain('10.55.0.0/24')
    expect(rig.health.texts().join()).not.toContain('10.55.0.0/24')
    expect(journal(rig)).toEqual([['route', '10.55.0.0/24', 'used'], ['route', '10.55.0.0/24', 'overlaps'], ['route', '10.55.0.0/24', 'used']])
  })
})

describe('a proxy request into a network behind a device', () => {
  async function ask(rig: Rig, host: string): Promise<unknown> {
    rig.backend.facts.dataplane.onProxyRequest({ id: 7, via: 'socks5', host, port: 80 })
    await settle()
    return rig.dataplane.answers.at(-1)?.answer
  }

  test('goes through the tunnel; what is near stays near', async () => {
    const rig = running()
    expect(await ask(rig, '10.55.0.9')).toMatchObject({ kind: 'tunnel' })
    rig.backend.facts.onSystem({ interfaces: [{ name: 'eth0', ip: '10.55.0.65', prefix: 27, internal: false }] })
    expect(await ask(rig, '10.55.0.70')).toMatchObject({ kind: 'system' })
    expect(await ask(rig, '10.55.0.9')).toMatchObject({ kind: 'tunnel' })
    rig.backend.facts.onSystem(HERE)
    expect(await ask(rig, '10.55.0.9')).toMatchObject({ kind: 'system' })
  })

  test('never leaves another way while nobody can carry it', async () => {
    const rig = running()
    rig.map({ PeersChangedPatch: [{ NodeID: 2, KeyExpiry: '2001-01-01T00:00:00Z' }] })
    expect(states(rig)).toEqual(['10.55.0.0/24 no-router: Nobody carries it now: renamed has to sign in again.'])
    expect(await ask(rig, '10.55.0.9')).toMatchObject({ kind: 'refuse', message: '10.55.0.9 is in 10.55.0.0/24, and nobody carries it now: renamed has to sign in again' })
  })
})

test('accepting one network while none is accepted leaves out the others that are offered, and no other', () => {
  const row = (Prefix: string): RoutesPage['Routes'][number] => ({ Prefix, State: 'not-accepted', Why: '', Standby: [] })
  const page: RoutesPage = { Accept: false, Routes: ['10.1.0.0/16', '10.2.0.0/16', '10.3.0.0/16'].map(row), Offered: [] }
  expect(skippedAfterAccepting(page, ['10.9.0.0/16'], ['10.2.0.0/16'])).toEqual(['10.1.0.0/16', '10.3.0.0/16', '10.9.0.0/16'])
  expect(skippedAfterAccepting({ ...page, Accept: true }, ['10.2.0.0/16', '10.9.0.0/16'], ['10.2.0.0/16'])).toEqual(['10.9.0.0/16'])
})

test('places that our own sockets speak with are those with an address of their own, once each', () => {
  const node = { Name: 'a', RegionID: 7, HostName: '10.0.0.2', IPv4: '10.0.0.2', IPv6: 'none' }
  const derpMap = { Regions: { 7: { RegionID: 7, RegionCode: 'fra', Nodes: [node, { ...node, HostName: 'relay.example.com', IPv4: '127.0.0.1', IPv6: 'fd00::2' }] } } } as never
  expect(outsidePlaces('https://10.0.0.1:443', derpMap)).toEqual([{ ip: '10.0.0.1', name: 'the server' }, { ip: '10.0.0.2', name: 'the relay fra' }, { ip: 'fd00::2', name: 'the relay fra' }])
  expect(outsidePlaces('https://headscale.example.com', derpMap)).toHaveLength(2)
})

describe('what else is on this machine', () => {
  const wg = { name: 'wg0', ip: '10.8.0.2', prefix: 24, internal: false }
  const eth = { name: 'eth0', ip: '100.72.3.4', prefix: 22, internal: false }

  test('is said by name while it lasts, and written down once', () => {
    const rig = running()
    const texts = (): string => rig.health.texts().join(' ')
    rig.backend.facts.onSystem({ interfaces: [wg], defaultRoutes: [{ interface: 'wg0' }] })
    expect(texts()).toContain('WireGuard (wg0) is on beside Bowline')
    expect(texts()).toContain('WireGuard (wg0) carries everything else')
    rig.backend.facts.onSystem({ interfaces: [wg], defaultRoutes: [{ interface: 'wg0' }] })
    rig.backend.facts.onSystem({ interfaces: [eth] })
    expect(texts()).toContain('The network here (eth0: 100.72.0.0/22) gives out addresses of 100.64.0.0/10')
    expect(texts()).not.toContain('WireGuard')
    rig.backend.facts.onSystem({ interfaces: [] })
    expect(texts()).not.toMatch(/WireGuard|100\.72/)
    expect(rig.journal.filter(({ kind }) => kind === 'surroundings').map(({ why }) => why)).toEqual([
      'other VPNs on this computer: WireGuard (wg0)',
      'no other VPN is on this computer; the network of eth0 (100.72.0.0/22) gives out the range that devices have',
      'no other VPN is on this computer',
    ])
  })

  test('devices keep their addresses in the proxies where the network here uses the same range', async () => {
    const rig = running()
    rig.backend.facts.onSystem({ interfaces: [{ ...eth, ip: '100.64.0.200', prefix: 24 }] })
    rig.backend.facts.dataplane.onProxyRequest({ id: 7, via: 'socks5', host: '100.64.0.2', port: 80 })
    await settle()
    expect(rig.dataplane.answers.at(-1)?.answer).toMatchObject({ kind: 'tunnel', addresses: ['100.64.0.2'] })
  })
})
