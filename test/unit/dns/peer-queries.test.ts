/**
 * Devices that have names looked up here, as RFC 8484 has it.
 */
import { Readable } from 'node:stream'
import { decode, encode } from 'dns-packet'
import { describe, expect, test } from 'vitest'
import { silentLog } from '../../../main/engine/base/log.ts'
import { mayAskNames } from '../../../main/engine/core/dns/peer-access.ts'
import { EMPTY_DNS } from '../../../main/engine/core/plan/dns.ts'
import type { FilterTable } from '../../../main/engine/core/plan/types.ts'
import type { Node } from '../../../main/engine/core/tailcfg/types.ts'
import { PeerQueries } from '../../../main/engine/dns/peer-queries.ts'
import { Resolver } from '../../../main/engine/dns/resolver.ts'
import { HandClock, seededRandom, settle } from '../../sim/clock.ts'
import { DnsWorld, knows } from '../../support/dns-world.ts'

const MESSAGE = 'application/dns-message'

function makeRig(may = true): { queries: PeerQueries; world: DnsWorld; clock: HandClock; resolver: Resolver } {
  const clock = new HandClock()
  const env = { clock, random: seededRandom(1), log: silentLog, journal: { add: () => {} } }
  const world = new DnsWorld().add('192.0.2.53', knows({ 'www.example': [{ type: 'A', name: 'www.example', ttl: 60, data: '192.0.2.80' }] }))
  const { system, tunnel, systemLookup } = world
  const resolver = new Resolver({ env, system, tunnel, systemLookup, secure: () => Promise.reject(new Error('no TLS')), systemResolvers: () => world.systemServers, systemSearch: () => [] })
  resolver.start({ wayTo: () => ({ kind: 'tunnel', through: 'router' }), blocked: () => undefined, mayAskHere: () => may })
  return { queries: new PeerQueries({ env, resolver, mayAsk: () => may }), world, clock, resolver }
}

const query = (name: string): Buffer => encode({ type: 'query', id: 0, flags: 0x100, questions: [{ type: 'A', name }] })
const visit = (method: string, given = '', body: Uint8Array = new Uint8Array(0), headers: Record<string, string> = {}): Parameters<PeerQueries['serve']>[0] => ({ from: '100.64.0.2', method, query: given, headers, body: Readable.from([body]) })

describe('a device that asks', () => {
  test.each(['GET', 'POST'])('by %s gets what the system says', async (method) => {
    const { queries, world } = makeRig()
    const asked = method === 'GET' ? visit('GET', `dns=${query('www.example').toString('base64url')}`) : visit('POST', '', query('www.example'), { 'content-type': MESSAGE })
    const answer = await queries.serve(asked)
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': MESSAGE } })
    expect(decode(Buffer.from(answer.body as Uint8Array)).answers).toMatchObject([{ data: '192.0.2.80' }])
    expect(world.log).toEqual(['system udp 192.0.2.53:53 www.example A'])
  })

  test('as a person gets a list', async () => {
    const { queries } = makeRig()
    expect(await queries.serve(visit('GET', 'q=www.example&t=a'))).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' }, body: '["192.0.2.80"]\n' })
  })

  test('is asked of the system even where our own names go to resolvers of the network', async () => {
    const { queries, world, resolver } = makeRig()
    resolver.setConfig({ ...EMPTY_DNS, enabled: true, rest: { kind: 'resolvers', resolvers: [{ Addr: '10.0.0.1' }], why: 'test' } })
    expect((await queries.serve(visit('GET', 'q=www.example'))).body).toBe('["192.0.2.80"]\n')
    expect(world.asked('tunnel')).toEqual([])
  })

  test('is not asked of the system while we use an exit node ourselves', async () => {
    const { queries, world, resolver } = makeRig()
    resolver.setConfig({ ...EMPTY_DNS, enabled: true, rest: { kind: 'blocked', why: 'blocked because it is offline' } })
    expect((await queries.serve(visit('GET', 'q=www.example'))).body).toBe('[]\n')
    expect(world.log).toEqual([])
  })

  test.each([['secret.example'], ['a.hidden.example'], ['hidden.example']])('for %s, which the server forbids, is refused', async (name) => {
    const { queries, resolver, world } = makeRig()
    resolver.setConfig({ ...EMPTY_DNS, filtered: ['secret.example', '.hidden.example'] })
    const answer = await queries.serve(visit('GET', `dns=${query(name).toString('base64url')}`))
    expect(decode(Buffer.from(answer.body as Uint8Array))).toMatchObject({ rcode: 'REFUSED' })
    expect(world.log).toEqual([])
  })

  test('without leave is told so', async () => {
    expect(await makeRig(false).queries.serve(visit('GET', 'q=www.example'))).toMatchObject({ status: 403 })
  })

  test.each<[string, ReturnType<typeof visit>]>([
    ['no query', visit('GET')],
    ['what is no base64', visit('GET', 'dns=!!')],
    ['rubbish', visit('GET', 'dns=AAAA')],
    ['an answer', visit('GET', `dns=${encode({ type: 'response', questions: [{ type: 'A', name: 'a.example' }] }).toString('base64url')}`)],
    ['a body of another type', visit('POST', '', query('a.example'), { 'content-type': 'text/plain' })],
    ['a body of 300 KiB', visit('POST', '', new Uint8Array(300 << 10), { 'content-type': MESSAGE })],
    ['another method', visit('PUT')],
    ['a name that is none', visit('GET', 'q=a..b')],
  ])('with %s gets 400', async (_what, asked) => {
    expect(await makeRig().queries.serve(asked)).toMatchObject({ status: 400 })
  })

  test('whose query never ends loses its place after five seconds', async () => {
    const { queries, clock } = makeRig()
    const slow = (): Promise<unknown> => queries.serve({ ...visit('POST', '', undefined, { 'content-type': MESSAGE }), body: new Readable({ read: () => {} }) })
    const answers = Array.from({ length: 32 }, slow)
    await settle()
    expect(await queries.serve(visit('GET', 'q=www.example'))).toMatchObject({ status: 503 })
    clock.advance(5_001)
    expect(await Promise.all(answers)).toEqual(Array.from({ length: 32 }, () => expect.objectContaining({ status: 408 }) as unknown))
    expect(await queries.serve(visit('GET', 'q=www.example'))).toMatchObject({ status: 200 })
  })

  test('too much at once is turned away, and a slow name ends after five seconds', async () => {
    const { queries, world, clock } = makeRig()
    world.add('192.0.2.53', () => undefined)
    const answers = Array.from({ length: 40 }, (_, i) => queries.serve(visit('GET', `q=n${i}.example`)))
    await settle()
    clock.advance(5_001)
    const statuses = (await Promise.all(answers)).map(({ status }) => status)
    expect([statuses.filter((status) => status === 503).length, statuses.filter((status) => status === 500).length]).toEqual([8, 32])
  })
})

describe('who may ask', () => {
  const node = (User: number, Tags?: string[]): Node => ({ User, ...(Tags ? { Tags } : {}) }) as unknown as Node
  const filter = (matches: FilterTable['matches'], shieldsUp = false): FilterTable => ({ matches, localNets: [], shieldsUp })
  const anywhere = { protos: [6], srcs: ['100.64.0.2/32'], dsts: [{ prefix: '0.0.0.0/0', first: 0, last: 65_535 }] }
  const base = { self: node(1), node: node(2), ip: '100.64.0.2', offersExit: true, filter: filter([anywhere]) }

  test.each<[string, boolean, Partial<Parameters<typeof mayAskNames>[0]>]>([
    ['a device of the same person may', true, { node: node(1), offersExit: false, filter: filter([]) }],
    ['a tagged device of the same owner may not', false, { node: node(1, ['tag:a']), offersExit: false }],
    ["another's may while it may use the exit node", true, {}],
    ['not while none is offered', false, { offersExit: false }],
    ['not with shields up', false, { filter: filter([anywhere], true) }],
    ['not from another address', false, { ip: '100.64.0.3' }],
    ['not where the rules reach other ports', false, { filter: filter([{ ...anywhere, dsts: [{ prefix: '0.0.0.0/0', first: 80, last: 443 }] }]) }],
    ['not where they let other protocols through', false, { filter: filter([{ ...anywhere, protos: [17] }]) }],
    ['not where they reach one network alone', false, { filter: filter([{ ...anywhere, dsts: [{ prefix: '10.0.0.0/8', first: 0, last: 65_535 }] }]) }],
  ])('%s', (_what, may, change) => {
    expect(mayAskNames({ ...base, ...change })).toBe(may)
  })
})
