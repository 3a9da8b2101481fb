import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { discoKey } from '../../../../main/engine/base/keys.ts'
import type { PeerRelayEndpoint } from '../../../../main/engine/core/disco/message.ts'
import { RelaySearch } from '../../../../main/engine/core/udprelay/search.ts'
import { seededRandom } from '../../../sim/clock.ts'
import { RELAY_ADDRS, RELAY_NODE, RelaySim } from './relay-sim.ts'

const key = (n: number): ReturnType<typeof discoKey> => discoKey(new Uint8Array(32).fill(n))
const OWN = key(1)
const PEER = key(2)
const endpoint = (more: Partial<PeerRelayEndpoint> = {}): PeerRelayEndpoint => ({
  server: key(90), clients: [OWN, PEER], lamportId: 5n, vni: 77, bindLifetimeNs: 30_000_000_000n, steadyLifetimeNs: 300_000_000_000n, addrs: RELAY_ADDRS, ...more,
})
const fresh = (): RelaySearch => new RelaySearch({ own: OWN, peer: PEER, allowLoopback: false })

describe('two clients and a relay', () => {
  it('find a path through it within a fifth of a second, both of them', () => {
    const sim = new RelaySim(seededRandom(1))
    sim.start(sim.a)
    sim.run(1000)
    for (const one of [sim.a, sim.b]) {
      expect(one.found).toHaveLength(1)
      expect(one.found[0]!.atMs).toBeLessThan(200)
      expect(one.found[0]!.latencyMs).toBeGreaterThanOrEqual(40)
      expect(one.found[0]!.addr).toMatchObject({ port: 7000 })
    }
    expect(sim.a.found[0]!.addr.vni).toBe(sim.b.found[0]!.addr.vni)
  })

  it('come together when both ask at once', () => {
    const sim = new RelaySim(seededRandom(2))
    sim.start(sim.a)
    sim.start(sim.b)
    sim.run(2000)
    expect(sim.a.found.length).toBeGreaterThan(0)
    expect(sim.b.found.length).toBeGreaterThan(0)
    expect(sim.server.size).toBe(1)
  })

  it('take the address of the relay that answers', () => {
    const sim = new RelaySim(seededRandom(3))
    sim.dead.add('203.0.113.1')
    sim.start(sim.a)
    sim.run(1000)
    expect(sim.a.found[0]!.addr.ip).toBe('2001:db8::1')
    expect(sim.b.found[0]!.addr.ip).toBe('2001:db8::1')
  })

  it.each(Array.from({ length: 20 }, (_, i) => i + 1))('get through a third of loss within the 30 s of a handshake (seed %i)', (seed) => {
    const sim = new RelaySim(seededRandom(seed))
    sim.loss = 0.33
    sim.start(sim.a)
    sim.run(30_000)
    expect(sim.a.found.length + sim.b.found.length).toBeGreaterThan(0)
  })

  it('are silent once the time of a dead relay is over, having said little', () => {
    const sim = new RelaySim(seededRandom(4))
    for (const { ip } of RELAY_ADDRS) sim.dead.add(ip)
    sim.start(sim.a)
    sim.run(120_000)
    expect(sim.a.search.isIdle && sim.b.search.isIdle).toBe(true)
    expect(sim.a.search.nextTimeoutMs()).toBeUndefined()
    expect(sim.a.sent).toBeLessThan(20)
    expect(sim.a.search.takeEvents().at(-1)).toMatchObject({ kind: 'relay-failed', why: 'the relay answered at none of its addresses' })
  })

  it('ask a silent relay twice and give it up after 10 s', () => {
    const sim = new RelaySim(seededRandom(5))
    sim.relayAnswers = false
    sim.start(sim.a)
    sim.run(9999)
    expect(sim.a.sent).toBe(2)
    expect(sim.a.search.isIdle).toBe(false)
    sim.run(1)
    expect(sim.a.search.isIdle).toBe(true)
    expect(sim.a.search.takeEvents().at(-1)).toMatchObject({ kind: 'relay-silent' })
  })

  it('send at most ten pings in a handshake, whatever the peer sends', () => {
    const search = fresh()
    search.handleCall(0, endpoint())
    const bind = search.takeOutput().find((output) => output.kind === 'control')!
    const [relayAt] = RELAY_ADDRS
    const challenge = { ...(bind as Extract<typeof bind, { kind: 'control' }>).message, kind: 'bind-relay-challenge' as const, challenge: new Uint8Array(32).fill(3) }
    expect(search.handleChallenge(10, relayAt!, 77, key(90), challenge)).toBe(true)
    let pings = 0
    for (let i = 0; i < 1000; i++) {
      search.handlePing(20 + i, { ...relayAt!, vni: 77 })
      pings += search.takeOutput().filter((output) => output.kind === 'ping').length
    }
    expect(pings).toBe(10)
  })
})

describe('what a relay or a peer says', () => {
  it.each<[string, Partial<PeerRelayEndpoint>]>([
    ['another pair of keys', { clients: [OWN, key(3)] }],
    ['no session number', { vni: 0 }],
    ['a session number of 25 bits', { vni: 2 ** 24 }],
    ['no lifetime', { bindLifetimeNs: 0n }],
    ['our own key as the relay', { server: OWN }],
    ['the peer itself as the relay', { server: PEER }],
    ['addresses where no relay can be', { addrs: ['127.0.0.1', '0.0.0.0', '224.0.0.1', '100.64.0.1', '255.255.255.255'].map((ip) => ({ ip, port: 7000 })) }],
    ['port 0', { addrs: [{ ip: '203.0.113.1', port: 0 }] }],
  ])('is refused without a datagram: %s', (_, more) => {
    const search = fresh()
    expect(search.handleCall(0, endpoint(more))).toBe(false)
    expect(search.takeOutput()).toEqual([])
    expect(search.isIdle).toBe(true)
  })

  it('is bounded: a thousand addresses, a flood of calls, many relays', () => {
    const search = fresh()
    const many = Array.from({ length: 1000 }, (_, i) => ({ ip: `203.0.${i >> 8}.${i & 255}`, port: 7000 }))
    search.handleCall(0, endpoint({ addrs: many }))
    expect(search.takeOutput()).toHaveLength(12)
    let sent = 0
    for (let i = 0; i < 1000; i++) {
      search.handleCall(i, endpoint({ server: key(100 + (i % 100)), lamportId: BigInt(i), vni: 100 + i, addrs: many }))
      sent += search.takeOutput().length
    }
    expect(sent).toBeLessThanOrEqual(8 * 12)
  })

  it('counts only when it is an answer: a response to nothing, of another generation or of another relay', () => {
    const search = fresh()
    const response = { kind: 'allocate-relay-response' as const, generation: 1, endpoint: endpoint() }
    expect(search.handleAllocated(0, RELAY_NODE, response)).toBe(false)
    search.start(0, [RELAY_NODE], 'test')
    expect(search.handleAllocated(0, RELAY_NODE, { ...response, generation: 9 })).toBe(false)
    expect(search.handleAllocated(0, `${RELAY_NODE}0` as typeof RELAY_NODE, response)).toBe(false)
    expect(search.handleAllocated(0, RELAY_NODE, response)).toBe(true)
    expect(search.handleAllocated(0, RELAY_NODE, response)).toBe(false)
  })

  it('is old news with a lower Lamport number and takes over with a higher one', () => {
    const search = fresh()
    search.handleCall(0, endpoint({ lamportId: 5n, vni: 5 }))
    expect(search.handleCall(1, endpoint({ lamportId: 4n, vni: 4 }))).toBe(false)
    expect(search.handleCall(2, endpoint({ lamportId: 6n, vni: 6 }))).toBe(true)
    const vnis = search.takeOutput().map((output) => (output.kind === 'control' ? output.message.vni : 0))
    expect(new Set(vnis)).toEqual(new Set([5, 6]))
    search.handleChallenge(10, RELAY_ADDRS[0]!, 5, key(90), { kind: 'bind-relay-challenge', vni: 5, generation: 1, remote: PEER, challenge: new Uint8Array(32) })
    expect(search.takeOutput()).toEqual([])
  })

  it('is no challenge of ours from another address, relay, session, generation or pair, nor twice', () => {
    const search = fresh()
    search.handleCall(0, endpoint())
    search.takeOutput()
    const good = { kind: 'bind-relay-challenge' as const, vni: 77, generation: 1, remote: PEER, challenge: new Uint8Array(32).fill(1) }
    const at = RELAY_ADDRS[0]!
    expect(search.handleChallenge(1, { ip: '192.0.2.66', port: 7000 }, 77, key(90), good)).toBe(false)
    expect(search.handleChallenge(1, { ...at, port: 7001 }, 77, key(90), good)).toBe(false)
    expect(search.handleChallenge(1, at, 77, key(91), good)).toBe(false)
    expect(search.handleChallenge(1, at, 78, key(90), good)).toBe(false)
    expect(search.handleChallenge(1, at, 77, key(90), { ...good, generation: 2 })).toBe(false)
    expect(search.handleChallenge(1, at, 77, key(90), { ...good, remote: key(3) })).toBe(false)
    expect(search.takeOutput()).toEqual([])
    expect(search.handleChallenge(1, at, 77, key(90), good)).toBe(true)
    expect(search.takeOutput().map(({ kind }) => kind)).toEqual(['control', 'ping'])
    expect(search.handleChallenge(1, at, 77, key(90), good)).toBe(false)
  })

  it('never breaks the search, whatever it is', () => {
    const small = fc.integer({ min: 0, max: 4 })
    const step = fc.record({ what: fc.integer({ min: 0, max: 5 }), server: small, vni: small, lamport: small, generation: small, ms: fc.integer({ min: 0, max: 9000 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const search = fresh()
        let nowMs = 0
        for (const { what, server, vni, lamport, generation, ms } of steps) {
          nowMs += ms
          const named = endpoint({ server: key(90 + server), vni, lamportId: BigInt(lamport) })
          const at = RELAY_ADDRS[generation % 2]!
          if (what === 0) search.start(nowMs, [RELAY_NODE], 'x')
          if (what === 1) search.handleCall(nowMs, named)
          if (what === 2) search.handleAllocated(nowMs, RELAY_NODE, { kind: 'allocate-relay-response', generation, endpoint: named })
          if (what === 3) search.handleChallenge(nowMs, at, vni, named.server, { kind: 'bind-relay-challenge', vni, generation, remote: PEER, challenge: new Uint8Array(32) })
          if (what === 4) search.handlePing(nowMs, { ...at, vni })
          if (what === 5) search.handlePong(nowMs, named.server, vni, generation)
          search.handleTimeout(nowMs)
          const nextMs = search.nextTimeoutMs()
          expect(nextMs === undefined ? search.isIdle : nextMs > nowMs).toBe(true)
        }
        search.handleTimeout(nowMs + 60_000)
        expect(search.isIdle).toBe(true)
      }),
    )
  })
})
