/**
 * Names of macOS: which files and which script, whose files stay, and who the computer's own resolvers are.
 */
import { describe, expect, test } from 'vitest'
import { isPlainDomain, macResolverFiles, macStoreScript, readScutilDns } from '../../../../main/engine/os/darwin/dns-plan.ts'
import { MacDns, type ResolverFolder } from '../../../../main/engine/os/darwin/dns.ts'
import { HandClock, settle } from '../../../sim/clock.ts'
import { ALL, FakeSystem, SPLIT } from '../plan-text.ts'

const OURS = '# Made by Bowline\n'

/** As `scutil --dns` lists a laptop on a wireless network, while a tunnel has all names. */
const LISTING = `DNS configuration

resolver #1
  search domain[0] : home.arpa
  nameserver[0] : 100.100.100.100
  flags    : Supplemental, Request A records, Request AAAA records
  reach    : 0x00000003 (Reachable,Transient Connection)
  order    : 101800

resolver #2
  nameserver[0] : 192.168.1.1
  if_index : 12 (en0)
  flags    : Request A records, Request AAAA records
  reach    : 0x00020002 (Reachable,Directly Reachable Address)
  order    : 200000

resolver #3
  domain   : local
  options  : mdns
  timeout  : 5
  flags    : Request A records, Request AAAA records
  reach    : 0x00000000 (Not Reachable)
  order    : 300000

DNS configuration (for scoped queries)

resolver #1
  search domain[0] : Fritz.Box
  nameserver[0] : fe80::1%12
  nameserver[1] : 192.168.1.1
  nameserver[2] : 2001:db8::53
  if_index : 12 (en0)
  flags    : Scoped, Request A records, Request AAAA records
  reach    : 0x00020002 (Reachable,Directly Reachable Address)

resolver #2
  nameserver[0] : 100.100.100.100
  if_index : 21 (utun4)
  flags    : Scoped, Request A records
`

class FakeFolder implements ResolverFolder {
  readonly files = new Map<string, string>()
  readonly list = (): readonly string[] => [...this.files.keys()]
  readonly read = (name: string): string | undefined => this.files.get(name)
  readonly write = (name: string, text: string): void => void this.files.set(name, text)
  readonly remove = (name: string): void => void this.files.delete(name)
}

function make(): { system: FakeSystem; folder: FakeFolder; clock: HandClock; dns: MacDns } {
  const system = new FakeSystem()
  system.answer = (line) => (line === 'scutil --dns' ? { out: LISTING } : undefined)
  const folder = new FakeFolder()
  const clock = new HandClock()
  return { system, folder, clock, dns: new MacDns({ run: system.run, folder, clock }) }
}

describe('the plan', () => {
  test('of some names is a file for each domain, and one for what is searched', () => {
    const text = `${OURS}nameserver 100.100.100.100\nnameserver fd7a:115c:a1e0::53\n`
    expect([...macResolverFiles(SPLIT)]).toEqual([['search.bowline', `${OURS}search lab.internal\n`], ['lab.internal', text], ['corp.example', text]])
    expect(macStoreScript(undefined, SPLIT)).toBeUndefined()
    expect(macResolverFiles(undefined).size).toBe(0)
  })

  test('of every name is an entry in the store', () => {
    expect(macStoreScript(SPLIT, ALL)!.trimEnd().split('\n')).toEqual([
      'open', 'd.init', 'd.add ServerAddresses * 100.100.100.100 fd7a:115c:a1e0::53', 'd.add SearchDomains * lab.internal', 'd.add SupplementalMatchDomains * ""',
      'set State:/Network/Service/8E1F34B1-6A0B-4C25-9D35-2B0A7E5D10C4/DNS', 'close',
    ])
    expect([...macResolverFiles(ALL).keys()]).toEqual(['search.bowline'])
    expect(macStoreScript(ALL, SPLIT)!.split('\n')[1]).toBe('remove State:/Network/Service/8E1F34B1-6A0B-4C25-9D35-2B0A7E5D10C4/DNS')
  })

  test.each(['../etc/passwd', '.hidden', 'a/b', 'a b', 'a\nset x', '', 'A.example', `${'a'.repeat(260)}`, 'a..b', '-x', 'x-'])('takes no domain %j for a name of a file or a word of a script', (domain) => {
    expect(isPlainDomain(domain)).toBe(false)
    expect([...macResolverFiles({ ...SPLIT, matchDomains: [domain], searchDomains: [domain] }).keys()]).toEqual([])
    expect(macStoreScript(undefined, { ...ALL, searchDomains: [domain] })).not.toContain('SearchDomains *  ')
  })

  test('reads the resolvers of interfaces, without us', () => {
    expect(readScutilDns(LISTING)).toEqual({ servers: ['192.168.1.1', '2001:db8::53'], search: ['fritz.box', 'home.arpa'] })
    expect(readScutilDns(LISTING.split('DNS configuration (for')[0]!.replaceAll('100.100.100.100', '192.0.2.1')).servers).toEqual(['192.0.2.1'])
    for (const text of ['', 'No DNS configuration available', 'resolver #1\n'.repeat(1000)]) expect(readScutilDns(text)).toEqual({ servers: [], search: [] })
  })
})

describe('the executor', () => {
  test('writes its files, leaves those of others and says so, and takes its own away', async () => {
    const { system, folder, dns } = make()
    folder.files.set('corp.example', 'nameserver 10.0.0.1\n')
    expect(await dns.set(SPLIT)).toMatchObject({ through: 'system', problems: [{ code: 'names-two-owners' }] })
    expect(folder.list()).toEqual(['corp.example', 'search.bowline', 'lab.internal'])
    expect(dns.own()).toEqual({ servers: ['192.168.1.1', '2001:db8::53'], search: ['fritz.box', 'home.arpa'] })
    expect(system.take()).toEqual(['scutil --dns', 'dscacheutil -flushcache', 'killall -HUP mDNSResponder'])
    expect(await dns.set(undefined)).toEqual({ through: 'none', problems: [] })
    expect([...folder.files]).toEqual([['corp.example', 'nameserver 10.0.0.1\n']])
  })

  test('takes its files back when the store refuses', async () => {
    const { system, folder, dns } = make()
    await dns.set(SPLIT)
    system.answer = (line) => (line === 'scutil' ? { code: 1, err: 'Permission denied' } : undefined)
    await expect(dns.set(ALL)).rejects.toMatchObject({ code: 'access-denied' })
    expect(folder.list()).toEqual(expect.arrayContaining(['search.bowline', 'lab.internal', 'corp.example']))
  })

  test('tells when the own resolvers are others, while names are ours', async () => {
    const { system, clock, dns } = make()
    let told = 0
    dns.onOwnChanged(() => void told++)
    await dns.set(ALL)
    expect(told).toBe(1)
    system.answer = (line) => (line === 'scutil --dns' ? { out: LISTING.replaceAll('192.168.1.1', '10.9.9.9') } : undefined)
    clock.advance(30_000)
    await settle()
    expect(told).toBe(2)
    expect(dns.own().servers[0]).toBe('10.9.9.9')
    await dns.close()
    system.take()
    clock.advance(300_000)
    await settle()
    expect(system.take()).toEqual([])
  })

  test('cleans up after an engine that died', async () => {
    const { system, folder, dns } = make()
    expect(await dns.cleanUp()).toBe(false)
    folder.files.set('lab.internal', `${OURS}nameserver 100.100.100.100\n`)
    folder.files.set('other.example', 'nameserver 10.0.0.1\n')
    system.answer = (line) => (line === 'scutil' ? { out: '<dictionary> {\n  ServerAddresses : <array> {\n    0 : 100.100.100.100\n  }\n}' } : undefined)
    system.take()
    expect(await dns.cleanUp()).toBe(true)
    expect(folder.list()).toEqual(['other.example'])
    expect(system.take()).toContain('< remove State:/Network/Service/8E1F34B1-6A0B-4C25-9D35-2B0A7E5D10C4/DNS')
  })
})
