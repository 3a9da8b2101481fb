/**
 * Names through the whole resolver, with resolvers in memory: who is asked, by which way, and what becomes of answers.
 */
import { encode, decode } from 'dns-packet'
import { describe, expect, test } from 'vitest'
import { silentLog } from '../../../main/engine/base/log.ts'
import type { Env, JournalEntry } from '../../../main/engine/base/env.ts'
import { Hosts } from '../../../main/engine/core/dns/hosts.ts'
import { RCODE, TYPE } from '../../../main/engine/core/dns/message.ts'
import type { NetMap } from '../../../main/engine/core/netmap/types.ts'
import type { Egress } from '../../../main/engine/core/plan/egress.ts'
import { planDns } from '../../../main/engine/core/plan/dns.ts'
import type { DnsConfig } from '../../../main/engine/core/tailcfg/types.ts'
import { Resolver } from '../../../main/engine/dns/resolver.ts'
import { HandClock, seededRandom, settle } from '../../sim/clock.ts'
import { DnsWorld, knows, refuses } from '../../support/dns-world.ts'
import type { Says } from '../../support/dns-world.ts'

const A = (name: string, data: string, ttl = 60): { type: 'A'; name: string; ttl: number; data: string } => ({ type: 'A', name, ttl, data })
const EXIT: Egress = { kind: 'exit', id: '9', key: 'nodekey:9' as never, name: 'way-out', why: 'chosen by you' }
const BLOCKED: Egress = { kind: 'blocked', id: '9', name: 'way-out', why: 'blocked because the exit node way-out is offline' }

function network(dns: Partial<DnsConfig>): NetMap {
  const node = (id: number, name: string, extra: object = {}): unknown => ({ ID: id, StableID: String(id), Name: `${name}.lab.internal.`, Addresses: [`100.64.0.${id}/32`, `fd7a:115c:a1e0::${id}/128`], ...extra })
  return {
    self: node(1, 'me'),
    peers: new Map([[2, node(2, 'db')], [9, node(9, 'way-out', { Hostinfo: { Services: [{ Proto: 'peerapi4', Port: 4321 }] } })]]),
    dns: { Proxied: true, Domains: ['lab.internal'], ...dns },
  } as unknown as NetMap
}

interface Rig {
  readonly resolver: Resolver
  readonly world: DnsWorld
  readonly clock: HandClock
  readonly journal: JournalEntry[]
  config(dns: Partial<DnsConfig>, egress?: Egress): void
  /** Nothing is behind the tunnel any more, or again. */
  setTunnel(isUp: boolean): void
}

/** 10.0.0.0/8 is behind the tunnel. */
function makeRig(dns: Partial<DnsConfig> = {}, egress: Egress = { kind: 'direct' }): Rig {
  const clock = new HandClock()
  const journal: JournalEntry[] = []
  const env: Env = { clock, random: seededRandom(1), log: silentLog, journal: { add: (entry) => void journal.push(entry) } }
  const world = new DnsWorld()
  const { system, tunnel, systemLookup } = world
  const resolver = new Resolver({
    env, system, tunnel, systemLookup, secure: () => Promise.reject(new Error('no TLS')), systemResolvers: () => world.systemServers, systemSearch: () => world.searchDomains,
  })
  let blocked: string | undefined
  let isUp = true
  resolver.start({
    wayTo: ({ ip }) => (isUp && (ip.startsWith('10.') || ip.startsWith('100.64.')) ? { kind: 'tunnel', through: 'router' } : { kind: 'system' }),
    blocked: () => blocked,
    mayAskHere: () => true,
  })
  const config = (next: Partial<DnsConfig>, way: Egress = { kind: 'direct' }): void => {
    const map = network(next)
    const hosts = new Hosts()
    hosts.update(map)
    blocked = way.kind === 'blocked' ? way.why : undefined
    resolver.setConfig(planDns(map, { accept: true, egress: way }, hosts))
  }
  config(dns, egress)
  return { resolver, world, clock, journal, config, setTunnel: (up) => (isUp = up) }
}

/** Lets things happen, and time go on by seconds, until the work is done. */
async function run<T>(rig: Rig, work: Promise<T>): Promise<T> {
  let isDone = false
  const done = work.finally(() => (isDone = true))
  done.catch(() => {})
  for (let i = 0; i < 200 && !isDone; i++) {
    await settle()
    if (!isDone) rig.clock.advance(100)
  }
  return done
}

const addresses = (outcome: { readonly answers: readonly { readonly data: string }[] }): readonly string[] => outcome.answers.map(({ data }) => data)

describe('a name', () => {
  test('of the network is answered here and nobody is asked', async () => {
    const rig = makeRig({ Resolvers: [{ Addr: '192.0.2.1' }] })
    const outcome = await run(rig, rig.resolver.ask('DB.lab.internal', TYPE.A))
    expect(outcome).toMatchObject({ from: 'here', rcode: 0, attempts: [], why: 'db.lab.internal is a device of this network' })
    expect(addresses(outcome)).toEqual(['100.64.0.2'])
    expect(addresses(await run(rig, rig.resolver.ask('db', TYPE.A)))).toEqual(['100.64.0.2'])
    expect(await run(rig, rig.resolver.ask('nobody.lab.internal', TYPE.A))).toMatchObject({ from: 'here', rcode: RCODE.noSuchName })
    expect(rig.world.log).toEqual([])
  })

  test('takes the longest route, through the tunnel where its resolver is behind it', async () => {
    const rig = makeRig({ Routes: { 'corp.example': [{ Addr: '10.0.0.1' }], 'dev.corp.example': [{ Addr: '10.0.0.2' }] } })
    rig.world.add('10.0.0.2', knows({ 'a.dev.corp.example': [A('a.dev.corp.example', '10.1.1.1')] }))
    const outcome = await run(rig, rig.resolver.ask('a.dev.corp.example', TYPE.A))
    expect(outcome).toMatchObject({ from: 'resolver', attempts: [{ who: { addr: '10.0.0.2', by: 'tunnel', through: 'router' }, used: true }] })
    expect(outcome.why).toContain('10.0.0.2, through router,')
    expect(rig.world.log).toEqual(['tunnel udp 10.0.0.2:53 a.dev.corp.example A'])
  })

  test('that nobody else is named for is asked of the system', async () => {
    const rig = makeRig()
    rig.world.add('192.0.2.53', knows({ 'www.example': [A('www.example', '192.0.2.80')] }))
    expect(addresses(await run(rig, rig.resolver.ask('www.example', TYPE.A)))).toEqual(['192.0.2.80'])
    expect(rig.world.log).toEqual(['system udp 192.0.2.53:53 www.example A'])
  })

  test('is remembered for as long as the answer says, with the time that went by taken off', async () => {
    const rig = makeRig()
    rig.world.add('192.0.2.53', knows({ 'www.example': [A('www.example', '192.0.2.80', 30)] }))
    await run(rig, rig.resolver.ask('www.example', TYPE.A))
    rig.clock.advance(10_000)
    const again = await run(rig, rig.resolver.ask('WWW.example', TYPE.A))
    expect(again).toMatchObject({ from: 'cache', answers: [{ ttlSeconds: 20 }] })
    expect(decode(Buffer.from(again.bytes)).questions?.[0]?.name).toBe('WWW.example')
    rig.clock.advance(20_000)
    expect(await run(rig, rig.resolver.ask('www.example', TYPE.A))).toMatchObject({ from: 'resolver' })
    expect(rig.world.log).toHaveLength(2)
  })

  test('that does not exist is remembered as the zone says, and forgotten with the network', async () => {
    const rig = makeRig()
    rig.world.add('192.0.2.53', knows({}))
    for (const _ of [1, 2]) expect(await run(rig, rig.resolver.ask('no.example', TYPE.A))).toMatchObject({ rcode: RCODE.noSuchName })
    expect(rig.world.log).toHaveLength(1)
    rig.resolver.flush()
    expect(await run(rig, rig.resolver.ask('no.example', TYPE.A))).toMatchObject({ from: 'resolver' })
  })

  test('that somebody here answered at an address is asked anew of whoever has the address behind the tunnel', async () => {
    const rig = makeRig({ Routes: { 'corp.example': [{ Addr: '10.0.0.1' }] } })
    rig.world.add('10.0.0.1', knows({ 'a.corp.example': [A('a.corp.example', '10.1.1.1')] }))
    rig.setTunnel(false)
    for (const from of ['resolver', 'cache']) expect(await run(rig, rig.resolver.ask('a.corp.example', TYPE.A))).toMatchObject({ from })
    rig.setTunnel(true)
    for (const from of ['resolver', 'cache']) expect(await run(rig, rig.resolver.ask('a.corp.example', TYPE.A))).toMatchObject({ from, attempts: [{ who: { by: 'tunnel' } }] })
    expect(rig.world.log).toEqual(['system udp 10.0.0.1:53 a.corp.example A', 'tunnel udp 10.0.0.1:53 a.corp.example A'])
  })

  test('that nobody has answered yet is asked for no more by the old ways when an exit node is chosen', async () => {
    const rig = makeRig()
    rig.world.add('192.0.2.53', () => undefined)
    const asked = rig.resolver.ask('www.example', TYPE.A)
    await settle()
    rig.config({}, BLOCKED)
    expect(await run(rig, asked)).toMatchObject({ from: 'nobody', why: BLOCKED.why })
    rig.clock.advance(5_000)
    await settle()
    expect(rig.world.log).toEqual(['system udp 192.0.2.53:53 www.example A'])
  })

  test('that is still being asked over HTTPS is not asked the plain way when an exit node is chosen', async () => {
    const rig = makeRig({ Resolvers: [{ Addr: '8.8.8.8' }] })
    const asked = rig.resolver.ask('www.example', TYPE.A)
    rig.config({ Resolvers: [{ Addr: '8.8.8.8' }] }, BLOCKED)
    expect(await run(rig, asked)).toMatchObject({ from: 'nobody', why: BLOCKED.why })
    rig.clock.advance(5_000)
    await settle()
    expect(rig.world.asked('system udp')).toEqual([])
  })

  test('that nobody has answered yet is asked for anew in another network, and by nobody after the end', async () => {
    const rig = makeRig()
    rig.world.add('192.0.2.53', () => undefined).add('198.51.100.53', knows({ 'www.example': [A('www.example', '192.0.2.80')] }))
    const asked = rig.resolver.ask('www.example', TYPE.A)
    await settle()
    rig.world.systemServers = ['198.51.100.53']
    rig.resolver.flush()
    expect(addresses(await run(rig, asked))).toEqual(['192.0.2.80'])
    const late = rig.resolver.ask('late.example', TYPE.A)
    rig.resolver.stop()
    expect(await run(rig, late)).toMatchObject({ from: 'nobody' })
    expect(rig.world.log).toEqual(['system udp 192.0.2.53:53 www.example A', 'system udp 198.51.100.53:53 www.example A'])
  })

  test('asked for twice at once is asked of others once', async () => {
    const rig = makeRig()
    rig.world.add('192.0.2.53', knows({ 'www.example': [A('www.example', '192.0.2.80')] }))
    const both = await run(rig, Promise.all([rig.resolver.ask('www.example', TYPE.A), rig.resolver.ask('www.example', TYPE.A)]))
    expect(both.map(addresses)).toEqual([['192.0.2.80'], ['192.0.2.80']])
    expect(rig.world.log).toHaveLength(1)
  })
})

describe('resolvers of a route', () => {
  const both = { Routes: { 'corp.example': [{ Addr: '10.0.0.1' }, { Addr: '10.0.0.2' }] } }
  const good = knows({ 'a.corp.example': [A('a.corp.example', '10.1.1.1')] })

  test('are asked at once, and a good answer counts before a failure that came first', async () => {
    const rig = makeRig(both)
    rig.world.add('10.0.0.1', refuses(RCODE.serverFailure)).add('10.0.0.2', good)
    const outcome = await run(rig, rig.resolver.ask('a.corp.example', TYPE.A))
    expect(outcome).toMatchObject({ rcode: 0, attempts: [{ used: false }, { used: true }] })
    expect(rig.world.log).toHaveLength(2)
  })

  test('that all refuse are told as they said it, and that is not remembered', async () => {
    const rig = makeRig(both)
    rig.world.add('10.0.0.1', refuses(RCODE.refused)).add('10.0.0.2', refuses(RCODE.refused))
    for (const _ of [1, 2]) expect(await run(rig, rig.resolver.ask('a.corp.example', TYPE.A))).toMatchObject({ rcode: RCODE.refused })
    expect(rig.world.log).toHaveLength(4)
  })

  test('that are silent are a failure after ten seconds, told once, and told when they are back', async () => {
    const rig = makeRig(both)
    rig.world.add('10.0.0.1', () => undefined).add('10.0.0.2', () => undefined)
    for (const _ of [1, 2]) expect(await run(rig, rig.resolver.ask('a.corp.example', TYPE.A))).toMatchObject({ rcode: RCODE.serverFailure, from: 'nobody' })
    expect(rig.journal.filter(({ kind }) => kind === 'resolver-silent')).toHaveLength(2)
    rig.world.add('10.0.0.1', good)
    await run(rig, rig.resolver.ask('a.corp.example', TYPE.A))
    expect(rig.journal.filter(({ kind }) => kind === 'resolver-answers')).toHaveLength(1)
  })

  test.each<[string, Says]>([
    ['cut the answer', (query, question, { tcp }) => (tcp ? good(query, question, { carrier: 'tunnel', tcp }) : encode({ type: 'response', id: decode(query).id!, flags: 0x200, questions: [question] }))],
    ['answer no datagram', (query, question, way) => (way.tcp ? good(query, question, way) : undefined)],
  ])('that %s are asked by TCP', async (_what, says) => {
    const rig = makeRig({ Routes: { 'corp.example': [{ Addr: '10.0.0.1' }] } })
    rig.world.add('10.0.0.1', says)
    expect(addresses(await run(rig, rig.resolver.ask('a.corp.example', TYPE.A)))).toEqual(['10.1.1.1'])
    expect(rig.world.log.at(-1)).toBe('tunnel tcp 10.0.0.1:53 a.corp.example A')
  })

  test.each<[string, Says]>([
    ['another number', (query, question, way) => Buffer.from(good(query, question, way)!).fill(0, 0, 2)],
    ['another question', (query) => encode({ type: 'response', id: decode(query).id!, questions: [{ type: 'A', name: 'evil.example' }], answers: [A('evil.example', '192.0.2.66')] })],
    ['the query itself', (query) => query],
    ['rubbish', () => Buffer.alloc(40, 0xc0)],
  ])('whose answer has %s are not believed', async (_what, says) => {
    const rig = makeRig({ Routes: { 'corp.example': [{ Addr: '10.0.0.1' }] } })
    rig.world.add('10.0.0.1', says)
    expect(await run(rig, rig.resolver.ask('a.corp.example', TYPE.A))).toMatchObject({ rcode: RCODE.serverFailure, from: 'nobody' })
    expect(rig.resolver.told.counters()['dns_stray_answers']).toBeGreaterThan(0)
  })

  test.each([
    ['100.100.100.100', /this device itself/], ['fd7a:115c:a1e0::53', /this device itself/], ['100.64.0.1', /this device itself/], ['tls://1.1.1.1', /TLS is not supported/],
    ['http://192.0.2.1/dns-query', /devices in this network alone/], ['http://name.example/dns-query', /devices in this network alone/], ['0.0.0.0', /nobody can be asked/], ['nonsense', /a resolver is/],
  ])('at %s are refused with a sentence', async (Addr, why) => {
    const rig = makeRig({ Routes: { 'corp.example': [{ Addr }] } })
    const outcome = await run(rig, rig.resolver.ask('a.corp.example', TYPE.A))
    expect(outcome).toMatchObject({ rcode: RCODE.serverFailure, attempts: [{ who: { refused: expect.stringMatching(why) } }] })
    expect(rig.world.log).toEqual([])
  })
})

describe('while an exit node is chosen', () => {
  test('without resolvers of the server and of the exit node nobody is asked, never the system', async () => {
    const rig = makeRig({}, EXIT)
    expect(await run(rig, rig.resolver.ask('www.example', TYPE.A))).toMatchObject({ rcode: RCODE.serverFailure, why: expect.stringContaining('looks no names up') })
    await expect(run(rig, rig.resolver.lookup('www.example'))).rejects.toMatchObject({ code: 'dns-failed', message: expect.stringContaining('looks no names up') })
    expect(rig.world.log).toEqual([])
  })

  test('and cannot be used, names of the network are known and others are not asked for', async () => {
    const rig = makeRig({ Resolvers: [{ Addr: '192.0.2.1' }] }, BLOCKED)
    expect(addresses(await run(rig, rig.resolver.ask('db', TYPE.A)))).toEqual(['100.64.0.2'])
    await expect(run(rig, rig.resolver.lookup('www.example'))).rejects.toMatchObject({ message: expect.stringContaining('way-out is offline') })
    expect(rig.world.log).toEqual([])
  })

  test('the fallback resolvers of the server are used where the exit node looks no names up', async () => {
    const rig = makeRig({ FallbackResolvers: [{ Addr: '10.0.0.9' }] }, EXIT)
    rig.world.add('10.0.0.9', knows({ 'www.example': [A('www.example', '192.0.2.80')] }))
    expect(addresses(await run(rig, rig.resolver.ask('www.example', TYPE.A)))).toEqual(['192.0.2.80'])
    expect(rig.world.asked('system')).toEqual([])
  })
})

describe('an answer of others', () => {
  const routes = { Routes: { 'corp.example': [{ Addr: '10.0.0.1' }] } }

  test.each([['127.0.0.1'], ['0.0.0.0'], ['100.64.0.1'], ['100.100.100.100']])('that puts a public name at %s is dropped with a sentence', async (ip) => {
    const rig = makeRig()
    rig.world.add('192.0.2.53', knows({ 'www.example': [A('www.example', ip)] }))
    const outcome = await run(rig, rig.resolver.ask('www.example', TYPE.A))
    expect(outcome).toMatchObject({ rcode: 0, answers: [], notes: [expect.stringContaining(ip)] })
    expect(rig.resolver.told.counters()['dns_rebinding']).toBe(1)
  })

  test('may put a name of a split zone into the local network, and at ourselves', async () => {
    const rig = makeRig(routes)
    rig.world.add('10.0.0.1', knows({ 'a.corp.example': [A('a.corp.example', '192.168.1.9')], 'me.corp.example': [A('me.corp.example', '100.64.0.1')] }))
    expect(addresses(await run(rig, rig.resolver.ask('a.corp.example', TYPE.A)))).toEqual(['192.168.1.9'])
    expect(addresses(await run(rig, rig.resolver.ask('me.corp.example', TYPE.A)))).toEqual(['100.64.0.1'])
  })
})

describe('a lookup', () => {
  test('tries the search domains of the network, then the system with its hosts file', async () => {
    const rig = makeRig({ Domains: ['lab.internal', 'corp.example'], Routes: { 'corp.example': [{ Addr: '10.0.0.1' }] } })
    rig.world.add('10.0.0.1', knows({ 'wiki.corp.example': [A('wiki.corp.example', '10.1.1.2')] }))
    rig.world.hostsFile.set('printer', ['192.168.1.7'])
    expect((await run(rig, rig.resolver.lookup('wiki'))).addresses).toEqual(['10.1.1.2'])
    expect(await run(rig, rig.resolver.lookup('printer'))).toEqual({ addresses: ['192.168.1.7'], why: "this computer's own resolver says so" })
    expect((await run(rig, rig.resolver.lookup('db'))).addresses).toEqual(['100.64.0.2'])
  })

  test('does not go on at the system when an exit node is chosen meanwhile', async () => {
    const rig = makeRig({ Domains: ['corp.example'], Routes: { 'corp.example': [{ Addr: '10.0.0.1' }] } })
    rig.world.add('10.0.0.1', knows({}))
    const asked = rig.resolver.lookup('printer')
    rig.config({ Domains: ['corp.example'], Routes: { 'corp.example': [{ Addr: '10.0.0.1' }] } }, BLOCKED)
    await expect(run(rig, asked)).rejects.toThrow('is offline')
    expect(rig.world.asked('system')).toEqual([])
  })

  test('follows an alias into the network', async () => {
    const rig = makeRig({ Routes: { 'corp.example': [{ Addr: '10.0.0.1' }] } })
    rig.world.add('10.0.0.1', knows({ 'sql.corp.example': [{ type: 'CNAME', name: 'sql.corp.example', ttl: 60, data: 'db.lab.internal' }] }))
    expect(await run(rig, rig.resolver.lookup('sql.corp.example'))).toMatchObject({ addresses: ['100.64.0.2'], why: expect.stringContaining('another name of db.lab.internal') })
  })

  test('leaves a ring of aliases', async () => {
    const rig = makeRig({ Routes: { 'corp.example': [{ Addr: '10.0.0.1' }] } })
    rig.world.add('10.0.0.1', (query, question) => {
      const data = question.name === 'a.corp.example' ? 'b.corp.example' : 'a.corp.example'
      return encode({ type: 'response', id: decode(query).id!, questions: [question], answers: [{ type: 'CNAME', name: question.name, ttl: 60, data }] })
    })
    await expect(run(rig, rig.resolver.lookup('a.corp.example'))).rejects.toMatchObject({ code: 'dns-no-such-name' })
  })

  test('gives both families, and waits for the second no longer than a moment', async () => {
    const rig = makeRig({ Resolvers: [{ Addr: '10.0.0.1' }] })
    const all = knows({ 'www.example': [A('www.example', '192.0.2.80'), { type: 'AAAA', name: 'www.example', ttl: 60, data: '2001:db8::80' }] })
    rig.world.add('10.0.0.1', all)
    expect((await run(rig, rig.resolver.lookup('www.example'))).addresses).toEqual(['192.0.2.80', '2001:db8::80'])
    rig.resolver.flush()
    rig.world.add('10.0.0.1', (query, question, way) => (question.type === 'AAAA' ? undefined : all(query, question, way)))
    expect((await run(rig, rig.resolver.lookup('www.example'))).addresses).toEqual(['192.0.2.80'])
    expect(rig.clock.nowMs()).toBeLessThan(2_000)
  })
})

test('questions beyond 256 at once are refused, and the rest is answered', async () => {
  const rig = makeRig()
  rig.world.add('192.0.2.53', () => undefined)
  const many = Promise.all(Array.from({ length: 300 }, (_, i) => rig.resolver.ask(`n${i}.example`, TYPE.A)))
  const outcomes = await run(rig, many)
  expect(outcomes.filter(({ why }) => why === 'too many names are being looked up')).toHaveLength(44)
})
