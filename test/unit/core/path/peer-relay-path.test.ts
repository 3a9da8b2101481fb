import { describe, expect, it } from 'vitest'
import { isBetterPath } from '../../../../main/engine/core/path/better.ts'
import { CandidateSet } from '../../../../main/engine/core/path/candidates.ts'
import { PeerPath } from '../../../../main/engine/core/path/peer-path.ts'
import { ProbePace } from '../../../../main/engine/core/path/probe-pace.ts'
import type { UdpAddr } from '../../../../main/engine/core/path/types.ts'
import { formatUdpAddr } from '../../../../main/engine/core/path/types.ts'

const direct = { ip: '198.51.100.7', port: 41641 }
const relayed = (vni: number): UdpAddr => ({ ip: '203.0.113.9', port: 7777, vni })
const FACTS = { endpoints: [direct], homeRegion: 3, noDirect: undefined, allowLoopback: false, isOpen: false, hasPeerRelay: true } as const

function started(facts: ConstructorParameters<typeof Object>[0] = {}): PeerPath {
  const path = new PeerPath(0, { heartbeatMs: () => 3000, pace: new ProbePace() })
  path.handleFacts(0, { ...FACTS, ...facts })
  path.handleActivity(0, 'sending')
  return path
}

/** Runs the machine's timers; gives what it wanted. */
function run(path: PeerPath, fromMs: number, toMs: number): { atMs: number; out: ReturnType<PeerPath['takeOutput']>[number] }[] {
  const all: { atMs: number; out: ReturnType<PeerPath['takeOutput']>[number] }[] = path.takeOutput().map((out) => ({ atMs: fromMs, out }))
  for (let next = path.nextTimeout(); next && next.atMs <= toMs; next = path.nextTimeout()) {
    path.handleTimeout(next.atMs)
    all.push(...path.takeOutput().map((out) => ({ atMs: next!.atMs, out })))
  }
  return all
}

describe('a path through a peer relay', () => {
  it('is worse than any direct address and better than none', () => {
    const slowDirect = { addr: direct, latencyMs: 300 }
    const quickRelay = { addr: relayed(1), latencyMs: 3 }
    expect(isBetterPath(slowDirect, quickRelay)).toBe(true)
    expect(isBetterPath(quickRelay, slowDirect)).toBe(false)
    expect(isBetterPath({ addr: relayed(2), latencyMs: 10 }, { addr: relayed(1), latencyMs: 90 })).toBe(true)
    expect(isBetterPath({ addr: relayed(1), latencyMs: 1 }, { addr: relayed(1), latencyMs: 90 })).toBe(false)
  })

  it('is asked for after the quickest rounds, again every 30 s, and never where nobody relays', () => {
    const asks = run(started(), 0, 100_000).filter(({ out }) => out.kind === 'find-peer-relay').map(({ atMs }) => atMs)
    expect(asks[0]).toBe(350)
    expect(asks.length).toBeGreaterThanOrEqual(3)
    for (let i = 1; i < asks.length; i++) expect(asks[i]! - asks[i - 1]!).toBeGreaterThanOrEqual(30_000)
    expect(run(started({ hasPeerRelay: false }), 0, 100_000).some(({ out }) => out.kind === 'find-peer-relay')).toBe(false)
  })

  it('carries the traffic once it is proven, while a direct address goes on being looked for and takes over at once', () => {
    const path = started()
    path.handlePeerRelay(400, relayed(9), 12)
    expect(path.path).toEqual({ kind: 'peer-relay', addr: { ip: '203.0.113.9', port: 7777 }, vni: 9 })
    expect(path.why(400)).toBe('through a peer relay: answered in 12 ms; no reply yet from its only address')
    const wanted = run(path, 400, 6000)
    const toDirect = wanted.filter(({ out }) => out.kind === 'ping' && formatUdpAddr(out.to) === '198.51.100.7:41641')
    expect(toDirect.length).toBeGreaterThan(2)
    const last = toDirect.at(-1)!
    expect(path.handlePong(last.atMs + 50, (last.out as { pingId: number }).pingId)).toBe(true)
    expect(path.path).toEqual({ kind: 'direct', addr: direct })
    path.handlePeerRelay(last.atMs + 60, relayed(10), 1)
    expect(path.path.kind).toBe('direct')
  })

  it('is left for both ways and then for the relay when its session dies, and another is asked for at once', () => {
    const path = started()
    path.handlePeerRelay(400, relayed(9), 12)
    const wanted = run(path, 400, 20_000)
    const kinds = wanted.flatMap(({ out }) => (out.kind === 'set-path' ? [out.path] : []))
    expect(kinds[0]).toEqual({ kind: 'relay', region: 3 })
    expect(kinds[1]?.kind).toBe('peer-relay')
    expect(kinds).toContainEqual({ kind: 'both', addr: { ip: '203.0.113.9', port: 7777 }, vni: 9, region: 3 })
    expect(kinds.at(-1)).toEqual({ kind: 'relay', region: 3 })
    const lostMs = wanted.find(({ out }) => out.kind === 'set-path' && out.path === kinds.at(-1))!.atMs
    const asked = wanted.find(({ atMs, out }) => out.kind === 'find-peer-relay' && atMs >= lostMs)
    expect(asked!.atMs - lostMs).toBeLessThan(1000)
  })

  it('is the only UDP path where direct ones are switched off', () => {
    const path = started({ peerRelayOnly: true })
    path.handlePing(10, direct)
    path.handleCallMeMaybe(20, [direct])
    path.handlePeerRelay(400, relayed(9), 12)
    const wanted = run(path, 0, 30_000)
    expect(wanted.some(({ out }) => out.kind === 'call-me-maybe')).toBe(false)
    expect(wanted.every(({ out }) => out.kind !== 'ping' || out.to.vni === 9)).toBe(true)
    expect(wanted.some(({ out }) => out.kind === 'find-peer-relay')).toBe(true)
  })

  it('keeps few sessions, and none over a change of network', () => {
    const set = new CandidateSet()
    for (let vni = 1; vni <= 50; vni++) set.addRelayed(relayed(vni), undefined)!.lastPongMs = vni
    expect([...set.values()].map(({ addr }) => addr.vni)).toEqual([47, 48, 49, 50])
    set.expire(290_048, undefined)
    expect([...set.values()].map(({ addr }) => addr.vni)).toEqual([49, 50])
    set.reset()
    expect(set.size).toBe(0)
  })

  it('refuses sessions at addresses where no node can be', () => {
    const path = started()
    for (const ip of ['127.0.0.1', '0.0.0.0', '224.0.0.1', '100.64.0.9']) path.handlePeerRelay(400, { ip, port: 7777, vni: 9 }, 12)
    path.handlePeerRelay(400, { ip: '203.0.113.9', port: 0, vni: 9 }, 12)
    expect(path.path.kind).toBe('relay')
  })
})
