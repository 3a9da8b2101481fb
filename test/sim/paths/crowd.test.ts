import { describe, expect, it } from 'vitest'
import type { Env } from '../../../main/engine/base/env.ts'
import { discoKey, nodeKey } from '../../../main/engine/base/keys.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import type { MagicsockPeer } from '../../../main/engine/core/plan/types.ts'
import { PeerDriver } from '../../../main/engine/magicsock/peer-driver.ts'
import type { PeerEntry } from '../../../main/engine/magicsock/peer-table.ts'
import { PeerTable } from '../../../main/engine/magicsock/peer-table.ts'
import { HandClock, seededRandom } from '../clock.ts'

const PEERS = 10_000
const ADDRESSES = 3

/** Path machines of a whole network, without the cost of sealing what they send. */
class Crowd {
  readonly clock = new HandClock()
  readonly entries: PeerEntry[]
  readonly driver: PeerDriver
  /** When each ping went, and to whom. */
  readonly pings: { atMs: number; entry: PeerEntry }[] = []
  calls = 0
  /** Peers answer after so long; undefined = they do not. */
  answerAfterMs: number | undefined

  constructor(size = PEERS) {
    const env: Env = { clock: this.clock, random: seededRandom(1), log: silentLog, journal: { add: () => {} } }
    this.driver = new PeerDriver({
      env,
      paths: { setPath: () => {} },
      sendPing: (entry, _to, pingId) => {
        this.pings.push({ atMs: this.clock.nowMs(), entry })
        if (this.answerAfterMs !== undefined) this.clock.after(this.answerAfterMs, () => this.driver.drive(entry, (machine, nowMs) => machine.handlePong(nowMs, pingId)))
      },
      call: () => void this.calls++,
      findPeerRelay: () => {},
      hasPeerRelay: () => false,
      isDirectOff: () => false,
      isUdpOff: () => false,
      allowLoopback: () => false,
      isOpen: () => false,
      onPath: () => {},
    })
    const table = new PeerTable()
    this.entries = [...table.set(0, Array.from({ length: size }, (_, i) => peer(i))).added]
    for (const entry of this.entries) this.driver.tellFacts(entry)
  }

  useAll(kind: 'sending' | 'idle'): void {
    for (const entry of this.entries) this.driver.handleActivity(entry, kind)
  }

  /** Most pings in any second. */
  busiestSecond(fromMs = 0): number {
    const perSecond = new Map<number, number>()
    for (const { atMs } of this.pings) if (atMs >= fromMs) perSecond.set(Math.floor(atMs / 1000), (perSecond.get(Math.floor(atMs / 1000)) ?? 0) + 1)
    return Math.max(0, ...perSecond.values())
  }
}

function peer(i: number): MagicsockPeer {
  const bytes = new Uint8Array(32)
  bytes.set([1, i >> 8, i & 255])
  const endpoints = Array.from({ length: ADDRESSES }, (_, j) => ({ ip: `198.51.${i >> 8}.${i & 255}`, port: 40_000 + j }))
  return { id: i + 1, key: nodeKey(bytes), disco: discoKey(bytes), endpoints, homeDerp: 1, ip: `100.64.${i >> 8}.${i & 255}`, name: `p${i}`, expired: false }
}

describe('ten thousand peers', () => {
  it('cost nothing while nobody uses them', () => {
    const crowd = new Crowd()
    crowd.clock.advance(24 * 3_600_000)
    expect(crowd.pings).toEqual([])
    expect(crowd.clock.waiting).toBe(0)
  })

  it('share one pace when all are wanted at once, none is left out, and rest is silence', () => {
    const crowd = new Crowd()
    crowd.useAll('sending')
    crowd.clock.advance(120_000)
    expect(crowd.busiestSecond()).toBeLessThan(1000)
    expect(crowd.busiestSecond(5000)).toBeLessThan(350)
    const first = new Map<PeerEntry, number>()
    for (const { atMs, entry } of crowd.pings) if (!first.has(entry)) first.set(entry, atMs)
    expect(first.size).toBe(PEERS)
    expect(Math.max(...first.values())).toBeLessThan((PEERS * ADDRESSES) / 300 * 1000)
    crowd.useAll('idle')
    const before = crowd.pings.length
    crowd.clock.advance(3_600_000)
    expect(crowd.pings.length).toBe(before)
    expect(crowd.clock.waiting).toBe(0)
  })

  it('are kept on their direct paths while in use, at a bounded rate', () => {
    const crowd = new Crowd(4000)
    crowd.answerAfterMs = 20
    crowd.useAll('sending')
    crowd.clock.advance(50_000)
    expect(crowd.entries.every(({ path }) => path.kind === 'direct')).toBe(true)
    const fromMs = crowd.clock.nowMs()
    crowd.clock.advance(20_000)
    expect(crowd.entries.every(({ path }) => path.kind === 'direct')).toBe(true)
    expect(crowd.busiestSecond(fromMs)).toBeLessThan(2000)
  }, 60_000)
})
