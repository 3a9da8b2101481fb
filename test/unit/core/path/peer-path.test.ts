import { describe, expect, it } from 'vitest'
import type { AddrPort } from '../../../../main/engine/base/ip.ts'
import { PeerPath } from '../../../../main/engine/core/path/peer-path.ts'
import { ProbePace } from '../../../../main/engine/core/path/probe-pace.ts'
import { seededRandom } from '../../../sim/clock.ts'
import { NatSim } from './nat-sim.ts'
import type { NatKind } from './nat-sim.ts'

const KINDS: readonly NatKind[] = ['none', 'firewall', 'cone', 'restricted', 'easy', 'hard', 'no-udp']

/** Whether two NATs can ever be crossed by pings from both sides: what an oracle that tries everything finds. */
function canBeDirect(a: NatKind, b: NatKind): boolean {
  if (a === 'no-udp' || b === 'no-udp') return false
  const strict = (kind: NatKind): boolean => kind === 'easy' || kind === 'firewall'
  if (a === 'hard') return b !== 'hard' && !strict(b)
  if (b === 'hard') return !strict(a)
  return true
}

const pairs = KINDS.flatMap((a) => KINDS.map((b): [NatKind, NatKind] => [a, b]))
const sim = (a: NatKind, b: NatKind, seed = 1, more: Partial<ConstructorParameters<typeof NatSim>[0]> = {}): NatSim =>
  new NatSim({ a, b, random: seededRandom(seed), ...more })
const addr = (ip: string, port = 41641): AddrPort => ({ ip, port })
const machine = (): PeerPath => new PeerPath(0, { heartbeatMs: () => 3000, pace: new ProbePace() })
const FACTS = { endpoints: [addr('198.51.100.7')], homeRegion: 1, noDirect: undefined, allowLoopback: false, isOpen: false } as const

describe('the path machine between two NATs', () => {
  it.each(pairs.filter(([a, b]) => canBeDirect(a, b)))('finds a direct path from %s to %s within half a second', (a, b) => {
    const net = sim(a, b)
    net.traffic(net.a)
    const tookMs = net.runUntil(() => net.bothDirect(), 10_000)
    expect(tookMs).toBeLessThan(500)
    expect(net.a.path.why(net.nowMs)).toMatch(/^direct: answered in 40 ms over the internet$/)
  })

  it.each(pairs.filter(([a, b]) => canBeDirect(a, b)))('finds a direct path from %s to %s when the map lists no address', (a, b) => {
    const net = sim(a, b, 1, { endpointsInMap: false })
    net.traffic(net.a)
    expect(net.runUntil(() => net.bothDirect(), 10_000)).toBeLessThan(1500)
  })

  it.each(pairs.filter(([a, b]) => !canBeDirect(a, b)))('stays on the relay for an hour from %s to %s and says why', (a, b) => {
    const net = sim(a, b)
    net.traffic(net.a)
    net.run(3_600_000)
    for (const node of [net.a, net.b]) {
      expect(node.path.path).toEqual({ kind: 'relay', region: 1 })
      expect(node.path.why(net.nowMs)).toMatch(/^relayed: (no reply (yet )?from (any of \d+ addresses|its only address)|none of its addresses is known)$/)
      expect(node.changes.every((one) => one.path.kind === 'relay')).toBe(true)
      expect(node.pings).toBeLessThan(3600 / 15 * 40)
    }
  })

  it('holds a direct path for a day of traffic without ever leaving it', () => {
    const net = sim('easy', 'easy')
    net.traffic(net.a)
    net.runUntil(() => net.bothDirect(), 5000)
    const before = net.a.changes.length
    net.run(24 * 3_600_000)
    expect(net.a.changes.length).toBe(before)
    expect(net.a.pings).toBeLessThan(24 * 3600 / 3 * 1.3)
  })

  it.each([1, 2, 3, 4, 5])('gets direct through a fifth of loss and never strands traffic (seed %i)', (seed) => {
    const net = sim('easy', 'restricted', seed, { link: { loss: 0.2, jitterMs: 30 } })
    net.traffic(net.a)
    expect(net.runUntil(() => net.bothDirect(), 30_000)).toBeLessThan(8000)
    net.run(3_600_000)
    const relayMs = timeOn(net, 'relay')
    expect(relayMs).toBeLessThan(3_600_000 * 0.02)
  })

  it('does not flap on a link that loses one packet in twenty', () => {
    const net = sim('easy', 'easy', 7, { link: { loss: 0.05 } })
    net.traffic(net.a)
    net.runUntil(() => net.bothDirect(), 30_000)
    const before = net.a.changes.length
    net.run(3_600_000)
    expect(net.a.changes.slice(before).some((one) => one.path.kind === 'relay')).toBe(false)
    expect(net.a.changes.length - before).toBeLessThan(60)
  })

  it.each([
    { heartbeatMs: 3000, medianMs: 3200, worstMs: 4200 },
    { heartbeatMs: 1000, medianMs: 1400, worstMs: 2000 },
  ])('moves traffic to the relay soon after a direct path dies, with a heartbeat of $heartbeatMs ms', ({ heartbeatMs, medianMs, worstMs }) => {
    const times: number[] = []
    for (let seed = 0; seed < 30; seed++) {
      const net = sim('easy', 'easy', seed, { heartbeatMs })
      net.traffic(net.a)
      net.runUntil(() => net.bothDirect(), 5000)
      net.run(10_000 + seed * 100)
      net.blocked = 'all'
      times.push(net.runUntil(() => net.a.path.path.kind !== 'direct' && net.b.path.path.kind !== 'direct', 20_000) ?? Number.POSITIVE_INFINITY)
      net.run(10_000)
      expect(net.a.path.path.kind).toBe('relay')
      expect(net.a.path.why(net.nowMs)).toMatch(/^relayed: the direct path stopped answering/)
    }
    times.sort((x, y) => x - y)
    expect(times[15]).toBeLessThan(medianMs)
    expect(times[28]).toBeLessThan(worstMs)
  })

  it('comes back to the direct path when it lives again', () => {
    const net = sim('easy', 'easy')
    net.traffic(net.a)
    net.runUntil(() => net.bothDirect(), 5000)
    net.blocked = 'all'
    net.run(60_000)
    expect(net.a.path.path.kind).toBe('relay')
    net.blocked = 'none'
    expect(net.runUntil(() => net.bothDirect(), 20_000)).toBeLessThan(6000)
  })

  it.each(['a', 'b'] as const)('never calls a path direct whose packets pass one way only (%s blocked)', (blocked) => {
    const net = sim('none', 'none')
    net.blocked = blocked
    net.traffic(net.a)
    net.run(600_000)
    for (const node of [net.a, net.b]) expect(node.changes.every((one) => one.path.kind === 'relay')).toBe(true)
  })

  it('follows a peer whose NAT was restarted or whose network is another', () => {
    for (const publicIp of ['198.51.100.129', '198.51.100.200']) {
      const net = sim('easy', 'easy')
      net.traffic(net.a)
      net.runUntil(() => net.bothDirect(), 5000)
      net.run(20_000)
      net.b.rebind(publicIp)
      net.b.path.handleNetworkChange(net.nowMs, 'the network changed', true)
      net.republish(net.b)
      expect(net.runUntil(() => net.bothDirect() && net.arrives(net.a) && net.arrives(net.b), 20_000)).toBeLessThan(4000)
    }
  })

  it('uses its path beside the relay after sleep at the same place, until it answers or is dead', () => {
    const net = sim('easy', 'easy')
    net.traffic(net.a)
    net.runUntil(() => net.bothDirect(), 5000)
    net.a.path.handleNetworkChange(net.nowMs, 'slept for about 60 s', true, true)
    expect(net.a.path.path).toMatchObject({ kind: 'both', region: 1 })
    expect(net.runUntil(() => net.bothDirect(), 5000)).toBeLessThan(100)
    net.b.rebind('198.51.100.200')
    net.a.path.handleNetworkChange(net.nowMs, 'slept for about 60 s', true, true)
    net.b.path.handleNetworkChange(net.nowMs, 'slept for about 60 s', true, false)
    net.republish(net.b)
    expect(net.runUntil(() => net.bothDirect() && net.arrives(net.a) && net.arrives(net.b), 20_000)).toBeLessThan(4000)
  })

  it('is never direct to an address where nothing arrives for longer than trust lasts, whatever happens', () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = seededRandom(seed)
      const pick = (): NatKind => KINDS[Math.floor(random.unit() * KINDS.length)]!
      const net = sim(pick(), pick(), seed, { link: { loss: random.unit() * 0.1, jitterMs: 20 } })
      net.traffic(net.a)
      let strandedMs = 0
      for (let step = 0; step < 600; step++) {
        disturb(net, random.unit())
        net.run(1000)
        strandedMs = net.arrives(net.a) ? 0 : strandedMs + 1000
        expect(strandedMs, `seed ${seed} step ${step}`).toBeLessThanOrEqual(6000)
      }
    }
  })
})

function disturb(net: NatSim, chance: number): void {
  if (chance < 0.01) net.blocked = (['none', 'a', 'b', 'all'] as const)[Math.floor(chance * 400)]!
  else if (chance < 0.02) net.b.rebind()
  else if (chance < 0.03) net.republish(net.b)
  else if (chance < 0.04) net.traffic(net.b)
}

function timeOn(net: NatSim, kind: string): number {
  let total = 0
  net.a.changes.forEach((change, i) => {
    if (change.path.kind === kind && change.atMs > 10_000) total += (net.a.changes[i + 1]?.atMs ?? net.nowMs) - change.atMs
  })
  return total
}

describe('the path machine by hand', () => {
  it('is silent while nobody uses the peer', () => {
    const machines = Array.from({ length: 10_000 }, (_, i) => {
      const path = machine()
      path.handleFacts(0, { ...FACTS, endpoints: [addr(`198.51.100.${i % 250}`)] })
      return path
    })
    for (const path of machines) {
      expect(path.nextTimeout()).toBeUndefined()
      expect(path.takeOutput()).toEqual([{ kind: 'set-path', path: { kind: 'relay', region: 1 } }])
    }
  })

  it('falls silent when traffic rests, and sends both ways at the first packet after', () => {
    const net = sim('easy', 'easy')
    net.traffic(net.a)
    net.runUntil(() => net.bothDirect(), 5000)
    net.idle()
    net.run(12_000)
    expect(net.a.path.path.kind).toBe('both')
    const pings = net.a.pings
    net.run(3_600_000)
    expect(net.a.pings).toBe(pings)
    expect(net.a.path.nextTimeout()).toBeUndefined()
    net.traffic(net.a)
    expect(net.a.path.path.kind).toBe('both')
    expect(net.runUntil(() => net.bothDirect(), 5000)).toBeLessThan(1000)
  })

  it('answers no more pings of one peer than its allowance, however many addresses they come from', () => {
    const path = machine()
    path.handleFacts(0, FACTS)
    path.handleActivity(0, 'sending')
    path.takeOutput()
    for (let i = 0; i < 2000; i++) path.handlePing(i, addr(`192.0.2.${i % 200}`, 1000 + i))
    const pings = path.takeOutput().filter((one) => one.kind === 'ping')
    expect(pings.length).toBeLessThanOrEqual(120 + 40)
    expect(path.candidates(2000).length).toBeLessThanOrEqual(17)
  })

  it('calls a peer that does not answer once more within a second, then seldom: it may not have known us yet', () => {
    const path = machine()
    path.handleFacts(0, FACTS)
    path.handleActivity(0, 'sending')
    const callsMs: number[] = []
    for (let nowMs = 0; nowMs < 12_000; nowMs += 10) {
      path.handleTimeout(nowMs)
      if (path.takeOutput().some(({ kind }) => kind === 'call-me-maybe')) callsMs.push(nowMs)
    }
    expect(callsMs[0]).toBe(0)
    expect(callsMs[1]).toBeLessThan(1000)
    for (let i = 2; i < callsMs.length; i++) expect(callsMs[i]! - callsMs[i - 1]!).toBeGreaterThan(2000)
    expect(callsMs.length).toBeLessThan(6)
  })

  it('keeps at most a hundred addresses and pings them no faster for a flood of calls', () => {
    const path = machine()
    path.handleFacts(0, { ...FACTS, endpoints: Array.from({ length: 1000 }, (_, i) => addr('192.0.2.1', i + 1)) })
    let pings = 0
    for (let i = 0; i < 1000; i++) {
      path.handleCallMeMaybe(i * 10, Array.from({ length: 100 }, (_, j) => addr('192.0.2.2', 1 + ((i * 100 + j) % 60_000))))
      pings += path.takeOutput().filter((one) => one.kind === 'ping').length
    }
    expect(path.candidates(10_000).length).toBeLessThanOrEqual(100)
    expect(pings).toBeLessThan(3000)
  })

  it('refuses addresses where no peer can be', () => {
    const path = machine()
    const bad = [addr('127.0.0.1'), addr('224.0.0.1'), addr('100.64.0.9'), addr('fd7a:115c:a1e0::9'), addr('0.0.0.0'), addr('192.0.2.1', 0), addr('255.255.255.255'), addr('ff02::1'), addr('fe80::1')]
    path.handleFacts(0, { ...FACTS, endpoints: bad })
    path.handleCallMeMaybe(0, bad)
    path.handleActivity(0, 'sending')
    expect(path.takeOutput().filter((one) => one.kind === 'ping')).toEqual([])
    expect(path.takeEvents().filter((one) => one.kind === 'candidate-refused').length).toBeGreaterThan(0)
  })

  it('tries loopback when the relays are on this machine', () => {
    const path = machine()
    path.handleFacts(0, { ...FACTS, endpoints: [addr('127.0.0.1', 5)], allowLoopback: true })
    path.handleActivity(0, 'sending')
    expect(path.takeOutput()).toContainEqual({ kind: 'ping', pingId: 1, to: addr('127.0.0.1', 5), sized: false })
  })

  it('keeps to the relay when direct paths are switched off, and says so', () => {
    const path = machine()
    path.handleFacts(0, { ...FACTS, noDirect: 'switched-off' })
    path.handleActivity(0, 'sending')
    path.handlePing(1, addr('198.51.100.7'))
    path.handleCallMeMaybe(2, [addr('198.51.100.7')])
    expect(path.takeOutput()).toEqual([{ kind: 'set-path', path: { kind: 'relay', region: 1 } }])
    expect(path.why(3)).toBe('relayed: direct paths are switched off here')
  })

  it('ignores a pong that nobody waits for', () => {
    const path = machine()
    path.handleFacts(0, FACTS)
    expect(path.handlePong(1, 77)).toBe(false)
    expect(path.path.kind).toBe('relay')
  })

  it('prefers an address on the local network that answers later than one on the internet', () => {
    const path = machine()
    path.handleFacts(0, { ...FACTS, endpoints: [addr('198.51.100.7'), addr('192.168.1.7')] })
    path.handleActivity(0, 'sending')
    const [far, near] = path.takeOutput().filter((one) => one.kind === 'ping')
    path.handlePong(5, far!.pingId)
    path.handlePong(5.2, near!.pingId)
    expect(path.path).toEqual({ kind: 'direct', addr: addr('192.168.1.7') })
  })

  it('does not move for a small advantage', () => {
    const path = machine()
    path.handleFacts(0, { ...FACTS, endpoints: [addr('198.51.100.7'), addr('198.51.100.8')] })
    path.handleActivity(0, 'sending')
    const [one, two] = path.takeOutput().filter((output) => output.kind === 'ping')
    path.handlePong(20, two!.pingId)
    path.handlePong(21, one!.pingId)
    expect(path.path).toEqual({ kind: 'direct', addr: addr('198.51.100.8') })
  })

  it('leaves an address at once when the system has no way to it', () => {
    const net = sim('none', 'none')
    net.traffic(net.a)
    net.runUntil(() => net.bothDirect(), 5000)
    const { path } = net.a
    if (path.path.kind !== 'direct') throw new Error('not direct')
    path.handleUnreachable(net.nowMs, path.path.addr)
    expect(path.path).toEqual({ kind: 'relay', region: 1 })
  })

  it('uses the region where the peer was heard when its home is unknown or it is not there', () => {
    const path = machine()
    path.handleFacts(0, { ...FACTS, homeRegion: 0 })
    expect(path.path).toEqual({ kind: 'none' })
    path.handleHeard(1, 4)
    expect(path.path).toEqual({ kind: 'relay', region: 4 })
    path.handleFacts(2, { ...FACTS, homeRegion: 2 })
    expect(path.path).toEqual({ kind: 'relay', region: 2 })
    path.handlePeerGone(3, 2)
    expect(path.path).toEqual({ kind: 'relay', region: 4 })
    path.handleHeard(4, 2)
    expect(path.path).toEqual({ kind: 'relay', region: 2 })
  })
})
