import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LastLatencies, PlannedProbe, ProbeTarget } from '../../../../main/engine/core/netcheck/plan.ts'
import { probePlan, stunPort } from '../../../../main/engine/core/netcheck/plan.ts'
import type { DerpMap, DerpRegion } from '../../../../main/engine/core/tailcfg/types.ts'

const region = (id: number, more: Partial<DerpRegion> = {}): DerpRegion => ({ RegionID: id, RegionCode: '', RegionName: '', Nodes: [{ Name: `${id}a`, RegionID: id, HostName: '' }], ...more })
const map = (...regions: DerpRegion[]): DerpMap => ({ Regions: Object.fromEntries(regions.map((one) => [one.RegionID, one])) })
const target = (id: number, family: 4 | 6 = 4, nodes = 1): ProbeTarget => ({
  region: id,
  family,
  addrs: Array.from({ length: nodes }, (_, i) => ({ ip: family === 4 ? `203.0.113.${id}` : `2001:db8::${id}`, port: 3478 + i })),
})
const last = (v4: [number, number][], v6: [number, number][] = []): LastLatencies => ({ regionLatencyMs: new Map([...v4, ...v6]), regionV4LatencyMs: new Map(v4), regionV6LatencyMs: new Map(v6) })
/** "region/family" → how many requests. */
const counts = (plan: readonly PlannedProbe[]): Record<string, number> => {
  const out: Record<string, number> = {}
  for (const one of plan) out[`${one.region}/${one.family}`] = (out[`${one.region}/${one.family}`] ?? 0) + 1
  return out
}

describe('a full plan', () => {
  it('asks every region three times a family, 100 ms apart, nodes in turn', () => {
    const plan = probePlan({ targets: [target(1, 4, 2), target(2), target(2, 6)], map: map(region(1), region(2)), last: undefined, home: 0 })
    expect(counts(plan)).toEqual({ '1/4': 3, '2/4': 3, '2/6': 3 })
    expect(plan.filter((one) => one.region === 1).map((one) => [one.delayMs, one.to.port])).toEqual([[0, 3478], [100, 3479], [200, 3478]])
    expect(plan.map((one) => one.delayMs)).toEqual([0, 0, 0, 100, 100, 100, 200, 200, 200])
  })

  it('leaves out regions that may not be measured, and follows a report without a round trip', () => {
    const plan = probePlan({ targets: [target(1), target(2)], map: map(region(1, { NoMeasureNoHome: true }), region(2, { Avoid: true })), last: last([]), home: 0 })
    expect(counts(plan)).toEqual({ '2/4': 3 })
  })
})

describe('an incremental plan', () => {
  const six = [1, 2, 3, 4, 5, 6]
  const six4 = six.map((id) => target(id))
  const regions = map(...six.map((id) => region(id)))

  it('asks home four times, the two fastest twice, the third once, and nobody else', () => {
    const plan = probePlan({ targets: six4, map: regions, last: last([[1, 10], [2, 20], [3, 30], [4, 40], [5, 50]]), home: 5 })
    expect(counts(plan)).toEqual({ '1/4': 2, '2/4': 2, '3/4': 1, '5/4': 4 })
    expect(plan.filter((one) => one.region === 5).map((one) => one.delayMs)).toEqual([0, 60, 220, 330])
    expect(plan.filter((one) => one.region === 1).map((one) => one.delayMs)).toEqual([0, 12])
  })

  it('asks no more regions when home is among the fastest', () => {
    expect(counts(probePlan({ targets: six4, map: regions, last: last([[1, 10], [2, 20], [3, 30], [4, 40]]), home: 2 }))).toEqual({ '1/4': 2, '2/4': 4, '3/4': 1 })
  })

  it('waits 200 ms between tries of a region without a round trip, and asks it when there are too few others', () => {
    const plan = probePlan({ targets: six4, map: regions, last: last([[4, 10]]), home: 6 })
    expect(counts(plan)).toEqual({ '4/4': 2, '1/4': 2, '2/4': 1, '6/4': 4 })
    expect(plan.filter((one) => one.region === 6).map((one) => one.delayMs)).toEqual([0, 200, 500, 750])
  })

  it('avoids what the map wants avoided, unless that is home', () => {
    const avoided = map(region(1, { Avoid: true }), region(2), region(3))
    const input = { targets: [target(1), target(2), target(3)], map: avoided, last: last([[1, 1], [2, 2], [3, 3]]) }
    expect(Object.keys(counts(probePlan({ ...input, home: 2 })))).toEqual(['2/4', '3/4'])
    expect(counts(probePlan({ ...input, home: 1 }))['1/4']).toBe(4)
  })

  it('asks one family alone of the third fastest when both answered last time', () => {
    const both = six.flatMap((id) => [target(id), target(id, 6)])
    const seen: [number, number][] = [[1, 10], [2, 20], [3, 30], [4, 40]]
    expect(counts(probePlan({ targets: both, map: regions, last: last(seen, seen), home: 4 }))).toEqual({ '1/4': 2, '1/6': 2, '2/4': 2, '2/6': 2, '3/4': 1, '4/4': 4, '4/6': 4 })
  })

  it('asks for IPv6 once at the fastest and at home where none answered last time', () => {
    const both = six.flatMap((id) => [target(id), target(id, 6)])
    expect(counts(probePlan({ targets: both, map: regions, last: last([[1, 10], [2, 20], [3, 30], [4, 40]]), home: 4 }))).toEqual({ '1/4': 2, '1/6': 1, '2/4': 2, '2/6': 1, '3/4': 1, '4/4': 4, '4/6': 1 })
  })

  it('is bounded and in order of time whatever the map and the last report', () => {
    const id = fc.integer({ min: 1, max: 50 })
    fc.assert(
      fc.property(fc.uniqueArray(id, { maxLength: 50 }), fc.array(fc.tuple(id, fc.integer({ min: 0, max: 900 }))), fc.boolean(), fc.integer({ min: 0, max: 50 }), (ids, v4, hasSix, home) => {
        const targets = ids.flatMap((one) => [target(one), target(one, 6)])
        const before = last(v4, hasSix ? v4 : [])
        const plan = probePlan({ targets, map: map(...ids.map((one) => region(one))), last: before, home })
        expect(plan.map((one) => one.delayMs)).toEqual(plan.map((one) => one.delayMs).toSorted((a, b) => a - b))
        if (before.regionLatencyMs.size > 0) expect(plan.length).toBeLessThanOrEqual(2 * (4 + 2 + 2 + 1))
        else expect(plan).toHaveLength(ids.length * 6)
        if (ids.includes(home)) expect(plan.some((one) => one.region === home)).toBe(true)
      }),
    )
  })
})

describe('the STUN port', () => {
  it('has a default and a sign for no service', () => {
    expect([stunPort(undefined), stunPort(0), stunPort(-1), stunPort(99), stunPort(70_000)]).toEqual([3478, 3478, undefined, 99, undefined])
  })
})
