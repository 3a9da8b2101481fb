import { describe, expect, it } from 'vitest'
import { AfterMove } from '../../../main/engine/magicsock/after-move.ts'
import type { PeerEntry } from '../../../main/engine/magicsock/peer-table.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { HandClock, seededRandom } from '../../sim/clock.ts'

function world() {
  const clock = new HandClock()
  const state = { addrs: ['192.0.2.1:1', '10.0.0.1:1'] }
  const peer = (region: number) => ({ config: { disco: 'd', homeDerp: region }, heardRegion: 0 }) as unknown as PeerEntry
  const peers = [peer(1), peer(2), peer(0)]
  const calls: string[] = []
  const looks: string[] = []
  const moves = new AfterMove({
    env: { clock, random: seededRandom(1), log: silentLog, journal: { add: () => {} } },
    activePeers: () => peers,
    endpoints: () => state.addrs.map((addr) => ({ addr, type: 1 as const })),
    call: (_entry, region, endpoints) => calls.push(`${region}: ${endpoints.map(({ addr }) => addr).join(' ')}`),
    lookAgain: () => looks.push('look'),
  })
  return { clock, state, calls, moves }
}

describe('after a move', () => {
  it('names where we were once more, and then leaves it out', async () => {
    const { clock, state, calls, moves } = world()
    moves.handleMove()
    state.addrs = ['198.51.100.7:1', '10.0.0.1:1']
    moves.handleAddresses()
    expect(calls).toEqual(['1: 198.51.100.7:1 10.0.0.1:1 192.0.2.1:1', '2: 198.51.100.7:1 10.0.0.1:1 192.0.2.1:1'])
    await clock.run(60)
    expect(calls.slice(2)).toEqual(['1: 198.51.100.7:1 10.0.0.1:1', '2: 198.51.100.7:1 10.0.0.1:1'])
    await clock.run(60_000)
    moves.handleAddresses()
    expect(calls).toHaveLength(4)
  })

  it('remembers where we were over several moves in a row, and not over a quiet time', async () => {
    const { clock, state, calls, moves } = world()
    moves.handleMove()
    state.addrs = []
    moves.handleAddresses()
    moves.handleMove()
    state.addrs = ['198.51.100.7:1']
    moves.handleAddresses()
    expect(calls.at(-1)).toBe('2: 198.51.100.7:1 192.0.2.1:1 10.0.0.1:1')
    await clock.run(31_000)
    moves.handleMove()
    state.addrs = ['203.0.113.9:1']
    moves.handleAddresses()
    expect(calls.at(-1)).toBe('2: 203.0.113.9:1 198.51.100.7:1')
  })

  it('calls the peers of a relay again when its connection opens soon after', async () => {
    const { clock, state, calls, moves } = world()
    moves.handleRelayOpened(1)
    moves.handleMove()
    moves.handleRelayOpened(1)
    expect(calls).toEqual([])
    state.addrs = ['198.51.100.7:1']
    moves.handleAddresses()
    await clock.run(100)
    moves.handleRelayOpened(2)
    await clock.run(100)
    expect(calls.slice(4)).toEqual(['2: 198.51.100.7:1 192.0.2.1:1 10.0.0.1:1', '2: 198.51.100.7:1'])
    moves.stop()
  })
})
