import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HomeEvidence } from '../../../../main/engine/core/netcheck/home.ts'
import { chooseHome } from '../../../../main/engine/core/netcheck/home.ts'
import type { DerpMap, DerpRegion } from '../../../../main/engine/core/tailcfg/types.ts'

function map(regions: readonly (number | DerpRegion)[], scores?: Record<string, number>): DerpMap {
  const made = regions.map((one): DerpRegion => (typeof one === 'number' ? { RegionID: one, RegionCode: '', RegionName: '', Nodes: [{ Name: `${one}a`, RegionID: one, HostName: '' }] } : one))
  return { Regions: Object.fromEntries(made.map((one) => [one.RegionID, one])), ...(scores ? { HomeParams: { RegionScore: scores } } : {}) }
}

const evidence = (more: Partial<HomeEvidence> & { heard?: Record<number, number> }): HomeEvidence => {
  const current = more.current ?? new Map()
  const { heard = {} } = more
  return { current, recent: current, map: map([1, 2, 3]), oldHome: 0, runForMs: 100, heardAgoMs: (region) => heard[region], forced: 0, canTellPeers: true, nodeSeed: 'nodekey:1', ...more }
}
const latencies = (...pairs: [number, number][]): Map<number, number> => new Map(pairs)

describe('the home relay', () => {
  it('is the fastest region at first', () => {
    expect(chooseHome(evidence({ current: latencies([1, 50], [2, 20], [3, 30]) })).region).toBe(2)
  })

  it.each([
    ['less than 10 ms is gained', 24, 15, 1],
    ['10 ms and a third are gained', 30, 20, 2],
    ['less than a third is gained', 100, 70, 1],
    ['much is gained', 100, 60, 2],
  ])('stays or moves: %s', (_name, old, other, region) => {
    expect(chooseHome(evidence({ oldHome: 1, current: latencies([1, old], [2, other]) })).region).toBe(region)
  })

  it('is judged by the best of the last minutes, so one slow answer moves nothing', () => {
    expect(chooseHome(evidence({ oldHome: 1, current: latencies([1, 300], [2, 60]), recent: latencies([1, 40], [2, 60]) })).region).toBe(1)
  })

  it('is only a region that answered now, whatever was measured before', () => {
    expect(chooseHome(evidence({ current: latencies([2, 80]), recent: latencies([1, 5], [2, 80]) })).region).toBe(2)
  })

  it('stays without an answer while its relay was heard since the run began or in the last 8 seconds', () => {
    const silent = { oldHome: 1, current: latencies([2, 5]) }
    expect(chooseHome(evidence({ ...silent, heard: { 1: 7999 } })).region).toBe(1)
    expect(chooseHome(evidence({ ...silent, heard: { 1: 8000 } })).region).toBe(2)
    expect(chooseHome(evidence({ ...silent, heard: { 1: 9000 }, runForMs: 9500 })).region).toBe(1)
    expect(chooseHome(evidence(silent)).region).toBe(2)
  })

  it('weighs regions as the map says and leaves out those that may not be home', () => {
    expect(chooseHome(evidence({ map: map([1, 2], { '1': 0.5 }), current: latencies([1, 30], [2, 20]) })).region).toBe(1)
    expect(chooseHome(evidence({ map: map([1, 2], { '1': 0 }), current: latencies([1, 30], [2, 20]) })).region).toBe(2)
    const closed = map([{ ...map([1]).Regions['1']!, NoMeasureNoHome: true }, 2])
    expect(chooseHome(evidence({ map: closed, current: latencies([1, 1], [2, 20]) })).region).toBe(2)
    expect(chooseHome(evidence({ map: closed })).region).toBe(2)
    const avoided = map([{ ...map([1]).Regions['1']!, Avoid: true }, 2])
    expect(chooseHome(evidence({ map: avoided, current: latencies([1, 1], [2, 20]) })).region).toBe(2)
  })

  it('is the one that a person forces while that one answers or was heard, even with the server out of reach', () => {
    const forced = { oldHome: 1, forced: 3, canTellPeers: false }
    expect(chooseHome(evidence({ ...forced, current: latencies([1, 5], [3, 900]) })).region).toBe(3)
    expect(chooseHome(evidence({ ...forced, current: latencies([1, 5]), heard: { 3: 100 } })).region).toBe(3)
    expect(chooseHome(evidence({ ...forced, current: latencies([1, 5]) })).region).toBe(1)
    expect(chooseHome(evidence({ forced: 99, current: latencies([1, 5]) })).region).toBe(1)
  })

  it('does not move while peers cannot be told, unless there is none yet', () => {
    const better = { current: latencies([1, 200], [2, 5]), canTellPeers: false }
    expect(chooseHome(evidence({ ...better, oldHome: 1 }))).toMatchObject({ region: 1, held: true })
    expect(chooseHome(evidence({ ...better, oldHome: 0 })).region).toBe(2)
    expect(chooseHome(evidence({ ...better, oldHome: 77 })).region).toBe(2)
    expect(chooseHome(evidence({ current: latencies([1, 5]), oldHome: 1, canTellPeers: false })).held).toBeUndefined()
  })

  it('is picked by the node\'s key when nothing was measured, always the same one, not the same for all', () => {
    const pick = (seed: string): number => chooseHome(evidence({ nodeSeed: seed })).region
    expect(pick('nodekey:7')).toBe(pick('nodekey:7'))
    expect(new Set(Array.from({ length: 50 }, (_, i) => pick(`nodekey:${i}`)))).toEqual(new Set([1, 2, 3]))
    expect(chooseHome(evidence({ map: map([]) })).region).toBe(0)
  })

  it('stays when nothing was measured, and says whether its relay was heard in the last two minutes', () => {
    expect(chooseHome(evidence({ oldHome: 3, heard: { 3: 119_000 } }))).toEqual({ region: 3, why: 'nothing was measured, and its relay was heard of late' })
    expect(chooseHome(evidence({ oldHome: 3, heard: { 3: 121_000 } }))).toEqual({ region: 3, why: 'nothing was measured, so the home region stays' })
  })
})

/** The rules once more, as plainly as they can be written: every region is tried in turn. */
function oracle(e: { current: Map<number, number>; recent: Map<number, number>; scores: Record<string, number>; oldHome: number; heardAgoMs: number | undefined; runForMs: number }): number[] {
  const weigh = (region: number, ms: number): number => ms * (e.scores[region] ?? 1)
  const all = [...e.current.keys()]
  if (all.length === 0) return e.oldHome === 0 ? [1, 2, 3, 4] : [e.oldHome]
  const least = Math.min(...all.map((one) => weigh(one, e.recent.get(one)!)))
  const best = all.filter((one) => weigh(one, e.recent.get(one)!) === least)
  if (e.oldHome === 0 || best.includes(e.oldHome)) return best
  const heard = e.heardAgoMs !== undefined && (e.heardAgoMs < e.runForMs || e.heardAgoMs < 8000)
  if (!e.current.has(e.oldHome)) return heard ? [e.oldHome] : best
  const old = weigh(e.oldHome, e.current.get(e.oldHome)!)
  return old - least < 10 || least > (old * 2) / 3 ? [e.oldHome] : best
}

describe('the home relay and an oracle', () => {
  it('agree on whatever is measured, heard and weighed', () => {
    const ms = fc.integer({ min: 1, max: 300 })
    const region = fc.integer({ min: 1, max: 4 })
    const scores = fc.dictionary(fc.constantFrom('1', '2', '3', '4'), fc.constantFrom(0.5, 1, 2))
    fc.assert(
      fc.property(fc.array(fc.tuple(region, ms, ms), { maxLength: 6 }), fc.integer({ min: 0, max: 4 }), scores, fc.option(fc.integer({ min: 0, max: 20_000 }), { nil: undefined }), fc.integer({ min: 0, max: 5000 }), (found, oldHome, weights, heardAgoMs, runForMs) => {
        const current = new Map(found.map(([id, now]) => [id, now]))
        const recent = new Map([...current].map(([id, now]) => [id, Math.min(now, ...found.filter(([one]) => one === id).map(([, , before]) => before))]))
        const choice = chooseHome(evidence({ map: map([1, 2, 3, 4], weights), current, recent, oldHome, runForMs, heardAgoMs: (id) => (id === oldHome ? heardAgoMs : undefined) }))
        expect(oracle({ current, recent, scores: weights, oldHome, heardAgoMs, runForMs })).toContain(choice.region)
      }),
      { numRuns: 2000 },
    )
  })

  it('settles: a choice is kept when the same is measured again', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 300 })), { minLength: 1, maxLength: 4 }), fc.integer({ min: 0, max: 4 }), (found, oldHome) => {
        const current = new Map(found)
        const first = chooseHome(evidence({ map: map([1, 2, 3, 4]), current, oldHome })).region
        expect(chooseHome(evidence({ map: map([1, 2, 3, 4]), current, oldHome: first })).region).toBe(first)
      }),
    )
  })
})
