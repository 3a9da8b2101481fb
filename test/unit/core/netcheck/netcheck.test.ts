import { describe, expect, it } from 'vitest'
import type { HomeEvidence } from '../../../../main/engine/core/netcheck/home.ts'
import { chooseHome } from '../../../../main/engine/core/netcheck/home.ts'
import type { ProbeTarget } from '../../../../main/engine/core/netcheck/plan.ts'
import { probePlan, stunPort } from '../../../../main/engine/core/netcheck/plan.ts'
import { differsMaterially, toNetInfo } from '../../../../main/engine/core/netcheck/report.ts'
import { NetcheckRun } from '../../../../main/engine/core/netcheck/run.ts'
import type { DerpMap, DerpRegion } from '../../../../main/engine/core/tailcfg/types.ts'

function map(regions: readonly (number | DerpRegion)[], scores?: Record<string, number>): DerpMap {
  const made = regions.map((one): DerpRegion => (typeof one === 'number' ? { RegionID: one, RegionCode: '', RegionName: '', Nodes: [{ Name: `${one}a`, RegionID: one, HostName: '' }] } : one))
  return { Regions: Object.fromEntries(made.map((one) => [one.RegionID, one])), ...(scores ? { HomeParams: { RegionScore: scores } } : {}) }
}

const target = (region: number, family: 4 | 6 = 4, nodes = 1): ProbeTarget => ({
  region,
  family,
  addrs: Array.from({ length: nodes }, (_, i) => ({ ip: family === 4 ? `203.0.113.${region}` : `2001:db8::${region}`, port: 3478 + i })),
})
const evidence = (more: Partial<HomeEvidence>): HomeEvidence => {
  const current = more.current ?? new Map()
  return { current, recent: current, map: map([1, 2, 3]), oldHome: 0, oldHomeConnected: false, nodeSeed: 'nodekey:1', ...more }
}
const latencies = (...pairs: [number, number][]): Map<number, number> => new Map(pairs)
const SELF = { ip: '198.51.100.1', port: 41641 }

describe('the home relay', () => {
  it('is the fastest region at first', () => {
    expect(chooseHome(evidence({ current: latencies([1, 50], [2, 20], [3, 30]) })).region).toBe(2)
  })

  it.each([
    ['less than 10 ms is gained', 24, 15, 1],
    ['less than a third is gained', 100, 70, 1],
    ['much is gained', 100, 60, 2],
  ])('stays or moves: %s', (_name, old, other, region) => {
    expect(chooseHome(evidence({ oldHome: 1, current: latencies([1, old], [2, other]) })).region).toBe(region)
  })

  it('is judged by the best of the last minutes, so one slow answer moves nothing', () => {
    expect(chooseHome(evidence({ oldHome: 1, current: latencies([1, 300], [2, 60]), recent: latencies([1, 40], [2, 60]) })).region).toBe(1)
  })

  it('stays while its relay is connected though it answers no probe, and goes when it is not', () => {
    expect(chooseHome(evidence({ oldHome: 1, oldHomeConnected: true, current: latencies([2, 5]) })).region).toBe(1)
    expect(chooseHome(evidence({ oldHome: 1, current: latencies([2, 5]) })).region).toBe(2)
  })

  it('weighs regions as the map says and leaves out those that may not be home', () => {
    expect(chooseHome(evidence({ map: map([1, 2], { '1': 0.5 }), current: latencies([1, 30], [2, 20]) })).region).toBe(1)
    const closed = map([{ ...map([1]).Regions['1']!, NoMeasureNoHome: true }, 2])
    expect(chooseHome(evidence({ map: closed, current: latencies([1, 1], [2, 20]) })).region).toBe(2)
    expect(chooseHome(evidence({ map: closed })).region).toBe(2)
  })

  it('is picked by the node\'s key when nothing was measured, always the same one, not the same for all', () => {
    const pick = (seed: string): number => chooseHome(evidence({ nodeSeed: seed })).region
    expect(pick('nodekey:7')).toBe(pick('nodekey:7'))
    expect(new Set(Array.from({ length: 50 }, (_, i) => pick(`nodekey:${i}`)))).toEqual(new Set([1, 2, 3]))
    expect(chooseHome(evidence({ oldHome: 3 })).region).toBe(3)
    expect(chooseHome(evidence({ map: map([]) })).region).toBe(0)
  })
})

describe('the probe plan', () => {
  it('asks every region three times a family when it is full, nodes in turn', () => {
    const plan = probePlan({ targets: [target(1, 4, 2), target(2), target(2, 6)], map: map([1, 2]), last: undefined, home: 0 })
    expect(plan).toHaveLength(9)
    expect(plan.filter((one) => one.region === 1).map((one) => [one.delayMs, one.to.port])).toEqual([[0, 3478], [100, 3479], [200, 3478]])
  })

  it('asks home and the three fastest when it is incremental', () => {
    const plan = probePlan({ targets: [1, 2, 3, 4, 5, 6].map((one) => target(one)), map: map([1, 2, 3, 4, 5, 6]), last: latencies([1, 10], [2, 20], [3, 30], [4, 40], [5, 50]), home: 5 })
    expect(new Set(plan.map((one) => one.region))).toEqual(new Set([5, 1, 2, 3]))
    expect(plan.filter((one) => one.region === 5)).toHaveLength(4)
    expect(plan.filter((one) => one.region === 1).map((one) => one.delayMs)).toEqual([0, 12])
    expect(plan.filter((one) => one.region === 3)).toHaveLength(1)
  })

  it('knows the default port and the sign for no service', () => {
    expect([stunPort(undefined), stunPort(0), stunPort(-1), stunPort(99), stunPort(70_000)]).toEqual([3478, 3478, undefined, 99, undefined])
  })
})

/** Runs to the end with answers at the given round trips; regions without one are silent. */
function play(targets: ProbeTarget[], answers: ReadonlyMap<number, number>, isFull = true): { run: NetcheckRun; settledMs: number; doneMs: number; probes: number } {
  const run = new NetcheckRun(0, probePlan({ targets, map: map(targets.map((one) => one.region)), last: isFull ? undefined : answers, home: 1 }), isFull)
  const due: { atMs: number; probeId: number }[] = []
  let settledMs = -1
  let doneMs = -1
  let probes = 0
  for (let nowMs = 0; nowMs <= 6000 && doneMs < 0; nowMs++) {
    for (const one of due.filter((reply) => reply.atMs === nowMs)) run.handleReply(nowMs, one.probeId, SELF)
    const timeout = run.nextTimeout()
    if (timeout && timeout.atMs <= nowMs) run.handleTimeout(nowMs)
    for (const output of run.takeOutput()) {
      probes++
      const latencyMs = answers.get(output.region)
      if (latencyMs !== undefined) due.push({ atMs: nowMs + latencyMs, probeId: output.probeId })
    }
    for (const event of run.takeEvents()) {
      if (event.kind === 'settled') settledMs = nowMs
      else doneMs = nowMs
    }
  }
  return { run, settledMs, doneMs, probes }
}

describe('a netcheck run', () => {
  it('is over when the only region has answered, after one request', () => {
    expect(play([target(1)], latencies([1, 12]))).toMatchObject({ settledMs: 12, doneMs: 12, probes: 1 })
  })

  it('is settled soon after the nearest answer though another region is deaf', () => {
    const { settledMs, doneMs } = play([target(1), target(2)], latencies([1, 12]))
    expect(settledMs).toBe(12 + 12 + 120)
    expect(doneMs).toBe(3000)
  })

  it('ends early once three regions have answered', () => {
    const { doneMs, settledMs } = play([1, 2, 3, 4, 5].map((one) => target(one)), latencies([1, 10], [2, 20], [3, 30]))
    expect(doneMs).toBe(2 * 30 + 20)
    expect(settledMs).toBeLessThanOrEqual(doneMs)
  })

  it('is settled after a second and over after three when nothing answers', () => {
    const { run, settledMs, doneMs, probes } = play([target(1), target(2)], new Map())
    expect([settledMs, doneMs, probes]).toEqual([1000, 3000, 6])
    expect(run.report(0, { hasV4: true, hasV6: false })).toMatchObject({ udp: false, ipv4: false, globalV4: undefined, mappingVariesByDestIp: undefined })
  })

  it('sees a NAT that gives each destination its own port', () => {
    const run = new NetcheckRun(0, probePlan({ targets: [target(1), target(2)], map: map([1, 2]), last: undefined, home: 0 }), true)
    const [one, two] = run.takeOutput()
    run.handleReply(5, one!.probeId, SELF)
    run.handleReply(6, two!.probeId, { ...SELF, port: 9 })
    expect(run.report(0, { hasV4: true, hasV6: false })).toMatchObject({ mappingVariesByDestIp: true, globalV4: SELF })
    expect(run.handleReply(7, 999, SELF)).toBe(false)
  })

  it('tells control in seconds, and only of what matters', () => {
    const report = play([target(1)], latencies([1, 12])).run.report(0, { hasV4: true, hasV6: false })
    const info = toNetInfo({ ...report, preferredDerp: 1 })
    expect(info).toMatchObject({ PreferredDERP: 1, WorkingUDP: true, DERPLatency: { '1-v4': 0.012 } })
    expect(differsMaterially(info, { ...info, DERPLatency: {} })).toBe(false)
    expect(differsMaterially(info, { ...info, PreferredDERP: 2 })).toBe(true)
  })
})
