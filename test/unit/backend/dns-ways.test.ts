/**
 * Which way the resolvers of the network are asked, as the network around changes.
 */
import { describe, expect, test } from 'vitest'
import { TYPE } from '../../../main/engine/core/dns/message.ts'
import { knows } from '../../support/dns-world.ts'
import { makeRig, recorded } from './rig.ts'
import type { Rig } from './rig.ts'

const NAME = 'db.corp.example'

/** Signed in; names in corp.example are asked of `addr`, which the local network has too. */
function withSplit(addr: string, prefs: object = {}): Rig {
  const rig = makeRig()
  rig.world.add(addr, knows({ [NAME]: [{ type: 'A', name: NAME, ttl: 60, data: '10.55.0.80' }] }))
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'http://127.0.0.1:18080', CorpDNS: true, WantRunning: true, ...prefs }, AuthKey: 'k' })
  rig.signIn()
  const routes = recorded('12-peer-routes-approved.json')
  rig.map({ ...routes, DNSConfig: { Proxied: true, Routes: { 'corp.example': [{ Addr: addr }] } } })
  return rig
}

const by = async (rig: Rig): Promise<unknown> => (await rig.backend.dns.ask(NAME, TYPE.A)).attempts[0]?.who

describe('a resolver of a split zone', () => {
  test('behind a router is asked through it from the moment on that its network is used, and here no more', async () => {
    const rig = withSplit('10.55.0.9')
    expect(await by(rig)).toMatchObject({ by: 'system' })
    rig.backend.editPrefs({ RouteAll: true, RouteAllSet: true })
    expect(await by(rig)).toMatchObject({ by: 'tunnel', through: 'renamed' })
    rig.backend.editPrefs({ RouteAll: false, RouteAllSet: true })
    expect(await by(rig)).toMatchObject({ by: 'system' })
    expect(rig.world.log.map((line) => line.split(' ')[0])).toEqual(['system', 'tunnel'])
  })

  test('on the local network is not asked from the moment on that an exit node closes it', async () => {
    const rig = withSplit('192.168.1.53')
    rig.backend.facts.onSystem({ interfaces: [{ name: 'eth0', ip: '192.168.1.5', prefix: 24, internal: false }] })
    rig.backend.editPrefs({ ExitNodeID: '99', ExitNodeIDSet: true, ExitNodeAllowLANAccess: true, ExitNodeAllowLANAccessSet: true })
    expect(await by(rig)).toMatchObject({ by: 'system' })
    rig.backend.editPrefs({ ExitNodeAllowLANAccess: false, ExitNodeAllowLANAccessSet: true })
    expect(await by(rig)).toMatchObject({ refused: expect.stringContaining('local network') as unknown })
    expect(rig.world.log).toHaveLength(1)
  })
})
