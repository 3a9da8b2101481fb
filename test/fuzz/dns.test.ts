/**
 * Hostile DNS: messages of every kind of wrongness to whoever reads them, and resolvers that answer anything.
 */
import { Readable } from 'node:stream'
import { decode, encode } from 'dns-packet'
import type { Answer } from 'dns-packet'
import { expect } from 'vitest'
import { isDecodeError } from '../../main/engine/base/errors.ts'
import { silentLog } from '../../main/engine/base/log.ts'
import { EMPTY_DNS } from '../../main/engine/core/plan/dns.ts'
import { recordsOf } from '../../main/engine/dns/codec.ts'
import { PeerQueries } from '../../main/engine/dns/peer-queries.ts'
import { Resolver } from '../../main/engine/dns/resolver.ts'
import { DnsServer } from '../../main/engine/dns/serve.ts'
import { walk } from '../../main/engine/dns/walk.ts'
import { HandClock, seededRandom, settle } from '../sim/clock.ts'
import { DnsWorld } from '../support/dns-world.ts'
import type { Chance } from './chance.ts'
import { fuzz } from './fuzz.ts'

const NAMES = ['a.example', 'b.example', 'me.lab.internal', 'a'.repeat(63), 'x.onion', '_dns-sd._udp.example']

function records(chance: Chance): Answer[] {
  const name = (): string => chance.pick(NAMES)
  return Array.from({ length: chance.int(0, 12) }, (): Answer => chance.pick<Answer>([
    { type: 'A', name: name(), ttl: chance.pick([0, 1, 60, 0x7fff_ffff, 0xffff_ffff]), data: chance.pick(['192.0.2.1', '127.0.0.1', '0.0.0.0', '100.64.0.1']) },
    { type: 'AAAA', name: name(), ttl: 60, data: chance.pick(['::1', '2001:db8::1', '::ffff:127.0.0.1']) },
    { type: 'CNAME', name: name(), ttl: 60, data: name() },
    { type: 'TXT', name: name(), ttl: 60, data: Buffer.from(chance.bytes(chance.int(0, 200))) },
    { type: 'MX', name: name(), ttl: 60, data: { preference: 1, exchange: name() } },
    { type: 'NS', name: name(), ttl: 60, data: name() },
  ]))
}

/** A message that is right, wrong somewhere, cut, or nothing at all. */
function message(chance: Chance, id: number, type: 'query' | 'response', name: string): Buffer {
  if (chance.is(0.1)) return Buffer.from(chance.bytes(chance.int(0, 300)))
  const whole = encode({ type, id, flags: chance.int(0, 0xfff), questions: [{ type: chance.pick(['A', 'AAAA', 'TXT', 'PTR']), name }], answers: type === 'response' ? records(chance) : [] })
  if (chance.is(0.4)) for (let i = 0; i < chance.int(1, 6); i++) whole[chance.int(chance.is(0.5) ? 2 : 12, whole.length - 1)] = chance.pick([0, 0xc0, 0xff, 12, 63, chance.int(0, 255)])
  return chance.is(0.15) ? whole.subarray(0, chance.int(0, whole.length)) : whole
}

fuzz('a message is read or refused, and its records are told in words', (chance) => {
  const bytes = message(chance, 1, chance.pick(['query', 'response']), chance.pick(NAMES))
  const bones = walk(bytes)
  if (!isDecodeError(bones)) for (const { data } of recordsOf(bytes, bones)) expect(data.length).toBeLessThanOrEqual(4_096)
})

interface World {
  readonly resolver: Resolver
  readonly clock: HandClock
  readonly world: DnsWorld
}

function worldOf(chance: Chance): World {
  const clock = new HandClock()
  const env = { clock, random: seededRandom(chance.int(0, 1e9)), log: silentLog, journal: { add: () => {} } }
  const world = new DnsWorld()
  for (const ip of ['10.0.0.1', '10.0.0.2', '192.0.2.53']) {
    world.add(ip, (query, question) => {
      const answer = message(chance, chance.is(0.9) ? decode(query).id! : chance.int(0, 65_535), 'response', chance.is(0.9) ? question.name : chance.pick(NAMES))
      return chance.is(0.1) ? undefined : answer
    })
  }
  const { system, tunnel, systemLookup } = world
  const resolver = new Resolver({ env, system, tunnel, systemLookup, secure: () => Promise.reject(new Error('no TLS')), systemResolvers: () => world.systemServers, systemSearch: () => [] })
  resolver.start({ wayTo: ({ ip }) => (ip.startsWith('10.') ? { kind: 'tunnel', through: 'router' } : { kind: 'system' }), blocked: () => undefined, mayAskHere: () => true })
  resolver.setConfig({ ...EMPTY_DNS, selfAddresses: ['100.64.0.1'], rest: { kind: 'resolvers', resolvers: [{ Addr: '10.0.0.1' }, { Addr: '10.0.0.2' }], why: 'test' } })
  return { resolver, clock, world }
}

async function ended<T>({ clock }: World, work: Promise<T>): Promise<T> {
  let isDone = false
  const done = work.finally(() => (isDone = true))
  done.catch(() => {})
  for (let i = 0; i < 60 && !isDone; i++) {
    await settle()
    if (!isDone) clock.advance(500)
  }
  return done
}

fuzz('whatever resolvers answer, a program gets an answer to its question, and no public name leads to this machine', async (chance) => {
  const rig = worldOf(chance)
  const outcome = await ended(rig, rig.resolver.ask(chance.pick(NAMES.slice(0, 2)), chance.pick([1, 28, 16])))
  const bones = walk(outcome.bytes)
  expect(isDecodeError(bones)).toBe(false)
  if (isDecodeError(bones)) return
  expect([bones.id, bones.isAnswer]).toEqual([1, true])
  for (const { section, type, value } of bones.records) if (section === 'answer' && type === 1) expect(['127.0.0.1', '0.0.0.0', '100.64.0.1']).not.toContain(value)
}, { share: 0.1 })

fuzz('whatever programs and devices send, the server and the PeerAPI answer or refuse', async (chance) => {
  const rig = worldOf(chance)
  const env = { clock: rig.clock, random: seededRandom(1), log: silentLog, journal: { add: () => {} } }
  const query = message(chance, chance.int(0, 65_535), chance.pick(['query', 'query', 'response']), chance.pick(NAMES))
  const answer = await ended(rig, new DnsServer({ env, resolver: rig.resolver }).datagram(query))
  if (answer) expect([answer[0], answer[1], answer.length <= 4_095]).toEqual([query[0], query[1], true])
  const visit = { from: '100.64.0.2', method: chance.pick(['GET', 'POST', 'HEAD']), query: `dns=${query.toString('base64url')}${chance.is(0.2) ? chance.text() : ''}`, headers: { 'content-type': 'application/dns-message' }, body: Readable.from([query]) }
  const { status } = await ended(rig, new PeerQueries({ env, resolver: rig.resolver, mayAsk: () => true }).serve(visit))
  expect([200, 400, 500, 503]).toContain(status)
}, { share: 0.1 })
