/**
 * Who answers names, as people are told it.
 */
import { describe, expect, test } from 'vitest'
import { settle } from '../../sim/clock.ts'
import { knows, refuses } from '../../support/dns-world.ts'
import type { DnsConfig } from '../../../main/engine/core/tailcfg/types.ts'
import type { DnsLookupPage } from '../../../main/localapi/dns-page.ts'
import { makeRig, NOT_WHOLE, recorded } from './rig.ts'
import type { Rig } from './rig.ts'

const UP = { ControlURL: 'http://127.0.0.1:18080', CorpDNS: true, WantRunning: true }
const A = (name: string, data: string): { type: 'A'; name: string; ttl: number; data: string } => ({ type: 'A', name, ttl: 60, data })

function running(dns: Partial<DnsConfig> = {}, resolve?: (host: string) => Promise<readonly string[]>): Rig {
  const rig = makeRig(resolve ? { resolve } : {})
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'k' })
  const message = recorded('02-initial-one-peer.json')
  rig.signIn({ ...message, DNSConfig: { ...message.DNSConfig!, ...dns } })
  return rig
}

async function lookup(rig: Rig, name: string, type = 1, word = 'A'): Promise<DnsLookupPage> {
  let isDone = false
  const work = rig.backend.dnsPages.lookup(name, type, word).finally(() => (isDone = true))
  work.catch(() => {})
  for (let i = 0; i < 200 && !isDone; i++) {
    await settle()
    if (!isDone) rig.clock.advance(100)
  }
  return work
}

describe('the page', () => {
  test('says whom programs of the system ask, also while the whole computer is on the network', () => {
    const rig = running()
    expect(rig.backend.dnsPages.page()).toMatchObject({ System: expect.stringContaining('as without Bowline') as unknown, SystemNames: { Through: 'none' } })
    const names = { Through: 'file', All: true, Domains: [], Search: [], Own: ['192.0.2.53'] } as const
    rig.machine = { ...NOT_WHOLE, Mode: 'whole', State: 'on', Names: names }
    expect(rig.backend.dnsPages.page()).toMatchObject({
      System: "this computer's own programs ask Bowline for every name, through resolv.conf; its own resolvers are 192.0.2.53", SystemNames: { Through: 'file', All: true, Domains: [], Own: ['192.0.2.53'] },
    })
    rig.machine = { ...rig.machine, Names: { ...names, Through: 'systemd-resolved', All: false, Domains: ['a.example', 'b.example', 'c.example', 'd.example'], Own: [] } }
    expect(rig.backend.dnsPages.page().System).toBe("this computer's own programs ask Bowline for names in a.example, b.example, c.example and 1 more, through systemd-resolved; this computer's own resolvers are not known")
  })

  test('names who has which suffix, and who has the rest', () => {
    const rig = running({ Routes: { 'corp.example': [{ Addr: '10.0.0.53' }, { Addr: '100.64.0.2' }, { Addr: 'tls://1.1.1.1' }] } })
    const page = rig.backend.dnsPages.page()
    expect(page).toMatchObject({ Enabled: true, MagicDNS: true, Suffix: 'lab.internal', SelfName: 'n1.lab.internal', Search: ['lab.internal'] })
    expect(page.Routes.find(({ Suffix }) => Suffix === 'corp.example')?.Resolvers).toEqual([
      { Addr: '10.0.0.53', By: 'system' },
      { Addr: '100.64.0.2', By: 'tunnel', Through: 'n2', Path: expect.any(String) },
      { Addr: 'tls://1.1.1.1', By: 'system', Refused: expect.stringContaining('TLS is not supported') },
    ])
    expect(page.Routes.find(({ Suffix }) => Suffix === 'lab.internal')).toMatchObject({ Resolvers: [], Why: 'names of the devices of this network' })
    expect(page.Routes.at(-1)).toMatchObject({ Suffix: '', Resolvers: [{ Addr: '192.0.2.53', By: 'system' }], Why: 'the server names no resolver for all names' })
    expect(page.Notes).toEqual([expect.stringContaining('tls://1.1.1.1 for names in corp.example is not asked')])
  })

  test('says so while nobody may be asked', () => {
    const rig = running()
    rig.backend.editPrefs({ ExitNodeID: '99', ExitNodeIDSet: true })
    expect(rig.backend.dnsPages.page().Routes.at(-1)).toMatchObject({ Suffix: '', Resolvers: [{ Refused: expect.stringContaining('blocked because') }] })
  })

  test('knows no names of the server when they are not accepted', () => {
    const rig = running({ Resolvers: [{ Addr: '10.0.0.53' }] })
    rig.backend.editPrefs({ CorpDNS: false, CorpDNSSet: true })
    expect(rig.backend.dnsPages.page()).toMatchObject({ Enabled: false, Search: [], Routes: [{ Suffix: '', Resolvers: [{ Addr: '192.0.2.53' }] }] })
  })
})

test('while disconnected names of the network are known and told to nobody, and after signing out there are none', async () => {
  const rig = running({ Resolvers: [{ Addr: '100.64.0.2' }], Routes: { 'corp.example': [{ Addr: '100.64.0.2' }] } })
  rig.backend.editPrefs({ WantRunning: false, WantRunningSet: true })
  expect(await lookup(rig, 'n2')).toMatchObject({ Answers: [{ Data: '100.64.0.2' }] })
  expect(await lookup(rig, 'nobody.lab.internal')).toMatchObject({ Rcode: 'NXDOMAIN' })
  expect(rig.world.log).toEqual([])
  expect(rig.backend.dnsPages.page().Routes.at(-1)).toMatchObject({ Resolvers: [{ Addr: '192.0.2.53' }] })
  await rig.backend.logout().catch(() => {})
  expect(rig.backend.dnsPages.page()).toMatchObject({ Suffix: '', Routes: [{ Suffix: '' }] })
})

describe('a lookup', () => {
  test('of a device is answered here', async () => {
    expect(await lookup(running(), 'N2')).toMatchObject({ Full: 'n2', Rcode: 'NOERROR', Answers: [{ Data: '100.64.0.2' }], Attempts: [{ Who: { By: 'here' }, Used: true }], Why: 'n2.lab.internal is a device of this network' })
  })

  test('compares all who may know, says in what time, and which one counts', async () => {
    const rig = running({ Routes: { 'corp.example': [{ Addr: '100.64.0.2' }, { Addr: '10.0.0.54' }, { Addr: '10.0.0.55' }] } })
    rig.world.add('100.64.0.2', refuses(2)).add('10.0.0.54', knows({ 'db.corp.example': [A('db.corp.example', '10.1.1.1')] })).add('10.0.0.55', () => undefined)
    const page = await lookup(rig, 'db.corp.example')
    expect(page).toMatchObject({
      Rcode: 'NOERROR', FromCache: false, Why: "10.0.0.54, by this computer's own network, answered: names in corp.example: the server sends these names there",
      Attempts: [
        { Who: { Addr: '100.64.0.2', By: 'tunnel', Through: 'n2' }, Rcode: 'SERVFAIL', LatencyMs: expect.any(Number), Used: false },
        { Who: { Addr: '10.0.0.54', By: 'system' }, Rcode: 'NOERROR', Answers: [{ Data: '10.1.1.1' }], LatencyMs: expect.any(Number), Used: true },
        { Who: { Addr: '10.0.0.55' }, Failed: expect.any(String), Used: false },
      ],
    })
  })

  test('of a short name that the local network has too says so, here and on the page', async () => {
    const rig = running()
    rig.world.searchDomains = ['home.arpa']
    rig.world.add('192.0.2.53', knows({ 'n2.home.arpa': [A('n2.home.arpa', '192.168.1.7')] }))
    const note = 'The local network has n2.home.arpa (192.168.1.7) by this name too; here n2 is n2.lab.internal.'
    expect((await lookup(rig, 'n2')).Notes).toEqual([note])
    expect(rig.backend.dnsPages.page().Notes).toEqual([note])
    expect(rig.world.log).toEqual(['system udp 192.0.2.53:53 n2.home.arpa A'])
  })

  test('asks the local network nothing while an exit node is chosen', async () => {
    const rig = running()
    rig.world.searchDomains = ['home.arpa']
    rig.world.add('192.0.2.53', knows({ 'n2.home.arpa': [A('n2.home.arpa', '192.168.1.7')] }))
    rig.backend.editPrefs({ ExitNodeID: '99', ExitNodeIDSet: true })
    expect((await lookup(rig, 'n2')).Notes).toEqual([])
    expect(rig.world.log).toEqual([])
  })

  test('of an address finds the device that has it', async () => {
    expect(await lookup(running(), '100.64.0.2', 12, 'PTR')).toMatchObject({ Answers: [{ Data: 'n2.lab.internal' }] })
    expect(await lookup(running(), 'fd7a:115c:a1e0::2', 12, 'PTR')).toMatchObject({ Answers: [{ Data: 'n2.lab.internal' }] })
  })

  test('of a name that only the system knows says that it did', async () => {
    const rig = running({}, (host) => (host === 'printer' ? Promise.resolve(['192.168.1.9']) : Promise.reject(new Error('unknown'))))
    expect(await lookup(rig, 'printer')).toMatchObject({ Rcode: 'NOERROR', Answers: [{ Data: '192.168.1.9' }], Why: "this computer's own resolver says so" })
    expect(await lookup(rig, 'nobody')).toMatchObject({ Rcode: 'NXDOMAIN' })
  })

  test.each(['a..b', 'x'.repeat(70)])('of %s, which is no name, is refused', async (name) => {
    await expect(lookup(running(), name)).rejects.toMatchObject({ code: 'io' })
  })
})
