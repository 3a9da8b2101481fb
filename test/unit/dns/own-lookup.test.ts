/**
 * Names of the engine's own hosts, asked of the computer's own resolvers, which are in memory here.
 */
import { encode } from 'dns-packet'
import type { Answer } from 'dns-packet'
import { describe, expect, test } from 'vitest'
import { silentLog } from '../../../main/engine/base/log.ts'
import { parseHostsFile } from '../../../main/engine/core/dns/hosts-file.ts'
import { RCODE } from '../../../main/engine/core/dns/message.ts'
import { OwnLookup, type OwnLookupDeps } from '../../../main/engine/dns/own-lookup.ts'
import { HandClock, seededRandom, settle } from '../../sim/clock.ts'
import { DnsWorld, knows, refuses } from '../../support/dns-world.ts'
import type { Says } from '../../support/dns-world.ts'

const A = (name: string, data: string): Answer => ({ type: 'A', name, ttl: 60, data })
const AAAA = (name: string, data: string): Answer => ({ type: 'AAAA', name, ttl: 60, data })
const CNAME = (name: string, data: string): Answer => ({ type: 'CNAME', name, ttl: 60, data })
const silent: Says = () => undefined

interface Rig {
  readonly world: DnsWorld
  readonly clock: HandClock
  /** Addresses, or the code of the fault. */
  find(host: string, family?: 0 | 4 | 6): Promise<readonly string[] | string>
}

function makeRig(servers: readonly string[], more: Partial<{ search: readonly string[]; hosts: string; hasIpv6: boolean; neighbours: OwnLookupDeps['neighbours'] }> = {}): Rig {
  const clock = new HandClock()
  const world = new DnsWorld()
  const own = new OwnLookup({
    env: { clock, random: seededRandom(7), log: silentLog, journal: { add: () => {} } }, carrier: world.system,
    own: () => ({ servers, search: more.search ?? [] }), hosts: () => parseHostsFile(more.hosts ?? ''), hasIpv6: () => more.hasIpv6 ?? true,
    neighbours: more.neighbours ?? (() => Promise.reject(Object.assign(new Error('none'), { code: 'ENOTFOUND' }))),
  })
  const find: Rig['find'] = async (host, family = 0) => {
    let isDone = false
    const work = own.lookup(host, family).then((all) => all.map(({ address }) => address), (error: NodeJS.ErrnoException) => error.code ?? 'no code').finally(() => (isDone = true))
    for (let i = 0; i < 200 && !isDone; i++) {
      await settle()
      if (!isDone) clock.advance(50)
    }
    return work
  }
  return { world, clock, find }
}

describe('addresses', () => {
  test('are those of both families, IPv6 first where the network has it', async () => {
    const says = knows({ 'hs.example': [A('hs.example', '203.0.113.1'), AAAA('hs.example', '2001:db8::1')] })
    const rig = makeRig(['192.0.2.53'])
    rig.world.add('192.0.2.53', says)
    expect(await rig.find('HS.example')).toEqual(['2001:db8::1', '203.0.113.1'])
    expect(await rig.find('hs.example.', 4)).toEqual(['203.0.113.1'])
    expect(await rig.find('hs.example', 6)).toEqual(['2001:db8::1'])
    const without = makeRig(['192.0.2.53'], { hasIpv6: false })
    without.world.add('192.0.2.53', says)
    expect(await without.find('hs.example')).toEqual(['203.0.113.1', '2001:db8::1'])
  })

  test('are found behind aliases, also where the resolver does not follow them', async () => {
    const rig = makeRig(['192.0.2.53'])
    rig.world.add('192.0.2.53', knows({ 'a.example': [CNAME('a.example', 'b.example')], 'b.example': [A('b.example', '203.0.113.2')] }))
    expect(await rig.find('a.example')).toEqual(['203.0.113.2'])
    const short: Says = (query, question) => (question.name === 'a.example'
      ? encode({ type: 'response', id: query.readUInt16BE(0), flags: 0x180, questions: [question], answers: [CNAME('a.example', 'b.example')] })
      : knows({ 'b.example': [A('b.example', '203.0.113.2')] })(query, question, { carrier: 'system', tcp: false }))
    const other = makeRig(['192.0.2.53'])
    other.world.add('192.0.2.53', short)
    expect(await other.find('a.example')).toEqual(['203.0.113.2'])
  })

  test('of an alias that leads back to itself are none, in bounded work', async () => {
    const rig = makeRig(['192.0.2.53'])
    rig.world.add('192.0.2.53', (query, question) => encode({ type: 'response', id: query.readUInt16BE(0), flags: 0x180, questions: [question], answers: [CNAME(question.name, question.name === 'a.example' ? 'b.example' : 'a.example')] }))
    expect(await rig.find('a.example')).toBe('ENODATA')
    expect(rig.world.log.length).toBeLessThan(40)
  })

  test('come by TCP where the datagram was cut', async () => {
    const rig = makeRig(['192.0.2.53'])
    const all = knows({ 'hs.example': [A('hs.example', '203.0.113.1')] })
    rig.world.add('192.0.2.53', (query, question, way) => (way.tcp ? all(query, question, way) : encode({ type: 'response', id: query.readUInt16BE(0), flags: 0x380, questions: [question] })))
    expect(await rig.find('hs.example', 4)).toEqual(['203.0.113.1'])
    expect(rig.world.asked('system tcp')).toHaveLength(1)
  })

  test('of one family do not wait for an answer about the other', async () => {
    const rig = makeRig(['192.0.2.53'])
    rig.world.add('192.0.2.53', (query, question, way) => (question.type === 'A' ? knows({ 'hs.example': [A('hs.example', '203.0.113.1')] })(query, question, way) : undefined))
    expect(await rig.find('hs.example')).toEqual(['203.0.113.1'])
    expect(rig.clock.nowMs()).toBeLessThan(500)
  })
})

describe('the hosts file', () => {
  test('goes before all resolvers', async () => {
    const rig = makeRig(['192.0.2.53'], { hosts: '203.0.113.9 hs.example hs # ours\n' })
    expect(await rig.find('HS.example')).toEqual(['203.0.113.9'])
    expect(await rig.find('localhost', 4)).toEqual(['127.0.0.1'])
    expect(rig.world.log).toEqual([])
  })

  test('with an address of the other family does not keep from asking', async () => {
    const rig = makeRig(['192.0.2.53'], { hosts: '203.0.113.9 hs.example' })
    rig.world.add('192.0.2.53', knows({ 'hs.example': [AAAA('hs.example', '2001:db8::1')] }))
    expect(await rig.find('hs.example', 6)).toEqual(['2001:db8::1'])
  })
})

describe('names', () => {
  test('of one label are tried with the search domains first, others as they are first', async () => {
    const rig = makeRig(['192.0.2.53'], { search: ['lan.example', 'corp.example.'] })
    rig.world.add('192.0.2.53', knows({ 'hs.corp.example': [A('hs.corp.example', '10.0.0.1')], 'hs.dev.lan.example': [A('hs.dev.lan.example', '10.0.0.2')] }))
    expect(await rig.find('hs', 4)).toEqual(['10.0.0.1'])
    expect(rig.world.log.map((line) => line.split(' ')[3])).toEqual(['hs.lan.example', 'hs.corp.example'])
    rig.world.log.length = 0
    expect(await rig.find('hs.dev', 4)).toEqual(['10.0.0.2'])
    expect(rig.world.log.map((line) => line.split(' ')[3])).toEqual(['hs.dev', 'hs.dev.lan.example'])
    rig.world.log.length = 0
    expect(await rig.find('hs.dev.', 4)).toBe('ENOTFOUND')
    expect(rig.world.log.map((line) => line.split(' ')[3])).toEqual(['hs.dev'])
  })

  test.each([['that do not exist', 'no.example', 'ENOTFOUND'], ['without an address', 'empty.example', 'ENODATA'], ['that are none', 'a..b', 'ENOTFOUND'], ['that are too long', `${'a'.repeat(64)}.example`, 'ENOTFOUND'], ['that are nothing', '', 'ENOTFOUND']])('%s are told as such', async (_what, name, code) => {
    const rig = makeRig(['192.0.2.53'])
    rig.world.add('192.0.2.53', knows({ 'empty.example': [] }))
    expect(await rig.find(name)).toBe(code)
  })

  test('of neighbours are asked of the system alone', async () => {
    const rig = makeRig(['192.0.2.53'], { neighbours: (host, family) => Promise.resolve(host === 'nas.local' && family === 4 ? [{ address: '192.168.1.5' }] : []) })
    expect(await rig.find('nas.local', 4)).toEqual(['192.168.1.5'])
    expect(rig.world.log).toEqual([])
  })
})

describe('resolvers', () => {
  const says = knows({ 'hs.example': [A('hs.example', '203.0.113.1')] })

  test('that are silent, gone or broken are gone around, and the one that answered is the first next time', async () => {
    const rig = makeRig(['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'])
    rig.world.add('192.0.2.1', silent).add('192.0.2.3', refuses(RCODE.serverFailure)).add('192.0.2.4', says)
    expect(await rig.find('hs.example', 4)).toEqual(['203.0.113.1'])
    rig.world.log.length = 0
    expect(await rig.find('hs.example', 4)).toEqual(['203.0.113.1'])
    expect(rig.world.log).toEqual(['system udp 192.0.2.4:53 hs.example A'])
  })

  test('that all fail are told as a fault of DNS in bounded time', async () => {
    for (const all of [silent, refuses(RCODE.refused)]) {
      const rig = makeRig(['192.0.2.1', '192.0.2.2'])
      rig.world.add('192.0.2.1', all).add('192.0.2.2', all)
      expect(await rig.find('hs.example')).toBe('ESERVFAIL')
      expect(rig.clock.nowMs()).toBeLessThanOrEqual(5_000)
    }
    expect(await makeRig([]).find('hs.example')).toBe('ESERVFAIL')
  })

  test('that are ourselves, or no addresses, are never asked', async () => {
    const rig = makeRig(['100.100.100.100', 'fd7a:115c:a1e0::53', 'dns.example', '192.0.2.4:5353'])
    rig.world.resolvers.set('192.0.2.4:5353', says)
    rig.world.add('100.100.100.100', says)
    expect(await rig.find('hs.example', 4)).toEqual(['203.0.113.1'])
    expect(rig.world.log).toEqual(['system udp 192.0.2.4:5353 hs.example A'])
  })

  test('that answer rubbish, or another question, are waited out', async () => {
    const rig = makeRig(['192.0.2.1', '192.0.2.2'])
    rig.world.add('192.0.2.1', () => new Uint8Array([1, 2, 3])).add('192.0.2.2', (query, question) => encode({ type: 'response', id: query.readUInt16BE(0), questions: [{ ...question, name: 'other.example' }], answers: [A('other.example', '203.0.113.66')] }))
    expect(await rig.find('hs.example', 4)).toBe('ESERVFAIL')
  })
})
