import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AddrPort } from '../../../../main/engine/base/ip.ts'
import { discoKey } from '../../../../main/engine/base/keys.ts'
import type { DiscoRelayBind, PeerRelayEndpoint } from '../../../../main/engine/core/disco/message.ts'
import { encodeDisco } from '../../../../main/engine/core/disco/message.ts'
import type { RelayServerOutput } from '../../../../main/engine/core/udprelay/server.ts'
import { MAX_SESSIONS, MAX_SESSIONS_OF_ONE, RelayServerSessions } from '../../../../main/engine/core/udprelay/server.ts'
import { seededRandom } from '../../../sim/clock.ts'

const key = (n: number): ReturnType<typeof discoKey> => {
  const raw = new Uint8Array(32).fill(7)
  new DataView(raw.buffer).setUint32(0, n)
  return discoKey(raw)
}
const [A, B, OWN] = [key(1), key(2), key(3)]
const ADDRS = [{ ip: '203.0.113.1', port: 7000 }]
const AT_A: AddrPort = { ip: '198.51.100.1', port: 1111 }
const AT_B: AddrPort = { ip: '2001:db8::b', port: 2222 }

function server(): RelayServerSessions {
  const random = seededRandom(1)
  return new RelayServerSessions(0, { own: OWN, random: (count) => Uint8Array.from({ length: count }, () => Math.floor(random.unit() * 256)) })
}

function allocated(relay: RelayServerSessions, nowMs = 0): PeerRelayEndpoint {
  const endpoint = relay.allocate(nowMs, A, B, ADDRS)
  if (typeof endpoint === 'string') throw new Error(endpoint)
  relay.takeOutput()
  return endpoint
}

const bind = (vni: number, remote: typeof A, generation = 1): DiscoRelayBind => ({ kind: 'bind-relay', vni, generation, remote, challenge: new Uint8Array(32) })

/** The challenge that a bind is answered with. */
function challenge(relay: RelayServerSessions, nowMs: number, from: AddrPort, vni: number, sender: typeof A, remote: typeof A, generation = 1): DiscoRelayBind {
  relay.handleControl(nowMs, from, vni, sender, bind(vni, remote, generation))
  const [output] = relay.takeOutput()
  if (output?.kind !== 'control') throw new Error('no challenge')
  expect(output.to).toEqual(from)
  return output.message
}

const answer = (message: DiscoRelayBind): DiscoRelayBind => ({ ...message, kind: 'bind-relay-answer' })

function bound(relay: RelayServerSessions, nowMs = 0): { vni: number; output: RelayServerOutput[] } {
  const { vni } = allocated(relay, nowMs)
  const output: RelayServerOutput[] = []
  for (const [sender, remote, at] of [[A, B, AT_A], [B, A, AT_B]] as const) {
    relay.handleControl(nowMs, at, vni, sender, answer(challenge(relay, nowMs, at, vni, sender, remote)))
    output.push(...relay.takeOutput())
  }
  return { vni, output }
}

describe('a relay for others', () => {
  it('gives a pair one session, whoever asks and in whatever order', () => {
    const relay = server()
    const first = relay.allocate(0, A, B, ADDRS) as PeerRelayEndpoint
    // Its first pings are on their way before anybody is bound.
    expect(relay.takeOutput()).toEqual([{ kind: 'bind', vni: first.vni, ends: [undefined, undefined] }])
    expect(relay.allocate(5, B, A, ADDRS)).toEqual(first)
    expect(relay.takeOutput()).toEqual([])
    expect(first).toMatchObject({ server: OWN, clients: [A, B], addrs: ADDRS, bindLifetimeNs: 30_000_000_000n, steadyLifetimeNs: 300_000_000_000n })
    const other = relay.allocate(5, A, key(9), ADDRS) as PeerRelayEndpoint
    expect(other.lamportId > first.lamportId).toBe(true)
    expect(other.vni).not.toBe(first.vni)
  })

  it('binds an end that answers its challenge from where it was sent, and forwards when both are bound', () => {
    const { vni, output } = bound(server())
    expect(output).toEqual([
      { kind: 'bind', vni, ends: [AT_A, undefined] },
      { kind: 'bind', vni, ends: [AT_A, AT_B] },
    ])
  })

  it('answers a bind with as many bytes as it has', () => {
    const relay = server()
    const { vni } = allocated(relay)
    const back = challenge(relay, 0, AT_A, vni, A, B)
    expect(encodeDisco(back)).toHaveLength(encodeDisco(bind(vni, B)).length)
  })

  it('takes a client that moved to its new address', () => {
    const relay = server()
    const { vni } = bound(relay)
    const moved = { ip: '192.0.2.77', port: 9 }
    relay.handleControl(10, moved, vni, A, answer(challenge(relay, 10, moved, vni, A, B, 2)))
    expect(relay.takeOutput()).toEqual([{ kind: 'bind', vni, ends: [moved, AT_B] }])
    // The answer of before, sent again by whoever heard it.
    relay.handleControl(11, AT_A, vni, A, answer(challenge(relay, 11, AT_A, vni, A, B, 1)))
    expect(relay.takeOutput()).toEqual([])
    expect(relay.counters.relayBadAnswers).toBe(1)
  })

  it('believes no answer with a bit turned, from elsewhere, of another session, generation, pair or time', () => {
    const relay = server()
    const { vni } = allocated(relay)
    const other = relay.allocate(0, A, key(9), ADDRS) as PeerRelayEndpoint
    relay.takeOutput()
    const good = answer(challenge(relay, 0, AT_A, vni, A, B, 5))
    const turned = { ...good, challenge: good.challenge.slice() }
    turned.challenge[31]! ^= 1
    for (const [from, at, sender, message] of [
      [AT_A, vni, A, turned],
      [{ ...AT_A, port: 1112 }, vni, A, good],
      [AT_B, vni, A, good],
      [AT_A, vni, A, { ...good, generation: 6 }],
      [AT_A, vni, B, { ...good, remote: A }],
      [AT_A, vni, key(66), good],
      [AT_A, vni, A, { ...good, remote: key(9) }],
      [AT_A, other.vni, A, { ...good, vni: other.vni, remote: key(9) }],
      [AT_A, other.vni, A, good],
      [AT_A, 123_456, A, { ...good, vni: 123_456 }],
      [AT_A, vni, A, { ...good, challenge: new Uint8Array(32) }],
    ] as const) {
      relay.handleControl(1, from, at, sender, message)
      expect(relay.takeOutput()).toEqual([])
    }
    relay.handleControl(239_999, AT_A, vni, A, good)
    expect(relay.takeOutput()).toHaveLength(1)
  })

  it('forgets its secrets: an answer is good for two to four minutes', () => {
    const relay = server()
    const { vni } = allocated(relay)
    const good = answer(challenge(relay, 0, AT_A, vni, A, B))
    for (const atMs of [120_000, 240_000]) relay.sweep(atMs, new Map())
    const again = allocated(relay, 240_000)
    expect(again.vni).not.toBe(vni)
    relay.takeOutput()
    relay.handleControl(240_000, AT_A, again.vni, A, { ...good, vni: again.vni })
    expect(relay.takeOutput()).toEqual([])
  })

  it('forgets sessions that nobody binds after 30 s and those that rest after 5 min', () => {
    const relay = server()
    const first = allocated(relay)
    relay.sweep(29_999, new Map())
    expect(relay.size).toBe(1)
    relay.sweep(30_000, new Map())
    expect(relay.takeOutput()).toEqual([{ kind: 'forget', vni: first.vni }])
    const { vni } = bound(relay, 30_000)
    relay.sweep(329_999, new Map([[vni, [Infinity, Infinity]]]))
    expect(relay.size).toBe(1)
    relay.sweep(400_000, new Map([[vni, [10, 299_999]]]))
    expect(relay.size).toBe(1)
    relay.sweep(400_001, new Map([[vni, [10, 300_000]]]))
    expect(relay.size).toBe(0)
    expect(relay.takeEvents().at(-1)).toMatchObject({ kind: 'session-ended', why: 'one of its ends was not heard for 5 min' })
  })

  it('bounds what one node and all together may have, and refuses what is no pair', () => {
    const relay = server()
    for (let i = 0; i < MAX_SESSIONS_OF_ONE; i++) expect(typeof relay.allocate(0, A, key(10_000 + i), ADDRS)).toBe('object')
    expect(relay.allocate(0, A, key(99_999), ADDRS)).toBe('too-many-of-one')
    expect(typeof relay.allocate(0, A, key(10_000), ADDRS)).toBe('object')
    for (let i = relay.size; i < MAX_SESSIONS; i++) relay.allocate(0, key(200_000 + 2 * i), key(200_001 + 2 * i), ADDRS)
    expect(relay.allocate(0, key(7), key(8), ADDRS)).toBe('full')
    expect(relay.allocate(0, B, B, ADDRS)).toBe('not-a-pair')
    expect(relay.allocate(0, B, OWN, ADDRS)).toBe('not-a-pair')
    relay.clear('over')
    expect(relay.size).toBe(0)
    expect(typeof relay.allocate(0, A, B, ADDRS)).toBe('object')
  })

  it('never sends more than one datagram for one, whatever comes', () => {
    const relay = server()
    const { vni } = allocated(relay)
    const message = fc.record({ kind: fc.constantFrom('bind-relay' as const, 'bind-relay-answer' as const, 'bind-relay-challenge' as const), vni: fc.constantFrom(vni, 0, 1), generation: fc.integer({ min: 1, max: 3 }), remote: fc.constantFrom(A, B, OWN), challenge: fc.uint8Array({ minLength: 32, maxLength: 32 }) })
    fc.assert(
      fc.property(fc.constantFrom(AT_A, AT_B), fc.constantFrom(vni, 0, 1), fc.constantFrom(A, B, key(5)), message, (from, at, sender, one) => {
        relay.handleControl(1, from, at, sender, one)
        const output = relay.takeOutput()
        expect(output.length).toBeLessThanOrEqual(1)
        expect(output.every((each) => each.kind === 'control')).toBe(true)
      }),
    )
  })
})
