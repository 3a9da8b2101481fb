import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AddrPort } from '../../../../main/engine/base/ip.ts'
import type { PlannedProbe, ProbeTarget } from '../../../../main/engine/core/netcheck/plan.ts'
import { probePlan } from '../../../../main/engine/core/netcheck/plan.ts'
import type { NetcheckWant, OtherLatency } from '../../../../main/engine/core/netcheck/run.ts'
import { NetcheckRun } from '../../../../main/engine/core/netcheck/run.ts'

const SELF = { ip: '198.51.100.1', port: 41641 }
const SELF6 = { ip: '2001:db8:1::1', port: 41641 }
const FACTS = { osHasIpv6: true, portMap: undefined }
const ALL: readonly NetcheckWant[] = ['captive-portal', 'other-ways']
const target = (region: number, family: 4 | 6 = 4): ProbeTarget => ({ region, family, addrs: [{ ip: family === 4 ? `203.0.113.${region}` : `2001:db8::${region}`, port: 3478 }] })
const latencies = (...pairs: [number, number][]): Map<number, number> => new Map(pairs)

function planOf(targets: readonly ProbeTarget[]): PlannedProbe[] {
  return probePlan({ targets, map: { Regions: {} }, last: undefined, home: 0 })
}

interface World {
  /** Round trip of a region; without one it is silent. */
  answers?: ReadonlyMap<number, number>
  sixAnswers?: ReadonlyMap<number, number>
  isFull?: boolean
  can?: readonly NetcheckWant[]
  /** When the other ways have ended after they were asked for, and what they found. */
  other?: { afterMs: number; found: readonly OtherLatency[] }
  portal?: { afterMs: number; found: boolean | undefined }
  mapped?: (to: AddrPort) => AddrPort
}

/** Plays a run to its end, one millisecond after the other. */
function play(targets: readonly ProbeTarget[], world: World): { run: NetcheckRun; settledMs: number; doneMs: number; sent: string[]; wants: string[] } {
  const run = new NetcheckRun(0, planOf(targets), { isFull: world.isFull ?? true, can: world.can ?? [] })
  const due: { atMs: number; call: (nowMs: number) => void }[] = []
  const out = { run, settledMs: -1, doneMs: -1, sent: [] as string[], wants: [] as string[] }
  for (let nowMs = 0; nowMs <= 6000 && out.doneMs < 0; nowMs++) {
    for (const one of due.filter(({ atMs }) => atMs === nowMs)) one.call(nowMs)
    const timeout = run.nextTimeout()
    if (timeout && timeout.atMs <= nowMs) run.handleTimeout(nowMs)
    for (const { probeId, region, to } of run.takeOutput()) {
      const isSix = to.ip.includes(':')
      out.sent.push(`${nowMs} ${region}/${isSix ? 6 : 4}`)
      const latencyMs = (isSix ? world.sixAnswers : world.answers)?.get(region)
      if (latencyMs !== undefined) due.push({ atMs: nowMs + latencyMs, call: (at) => void run.handleReply(at, probeId, world.mapped?.(to) ?? (isSix ? SELF6 : SELF)) })
    }
    for (const want of run.takeWants()) {
      out.wants.push(`${nowMs} ${want}`)
      const { other = { afterMs: 0, found: [] }, portal = { afterMs: 0, found: undefined } } = world
      if (want === 'captive-portal') due.push({ atMs: nowMs + Math.max(1, portal.afterMs), call: (at) => run.handlePortal(at, portal.found) })
      else {
        due.push({ atMs: nowMs + Math.max(1, other.afterMs), call: (at) => {
          for (const one of other.found) run.handleOtherLatency(at, one)
          run.handleOtherWaysTried(at, true)
        } })
      }
    }
    for (const event of run.takeEvents()) {
      if (event.kind === 'settled') out.settledMs = nowMs
      else out.doneMs = nowMs
    }
  }
  return out
}

describe('a netcheck run', () => {
  it('is over when the only region has answered, after one request', () => {
    expect(play([target(1)], { answers: latencies([1, 12]) })).toMatchObject({ settledMs: 12, doneMs: 12, sent: ['0 1/4'] })
  })

  it('is settled soon after the nearest answer though another region is deaf', () => {
    const { settledMs, doneMs } = play([target(1), target(2)], { answers: latencies([1, 12]) })
    expect(settledMs).toBe(12 + 12 + 120)
    expect(doneMs).toBe(3000)
  })

  it('ends once three regions have answered, after their longest time again, twice that in full runs', () => {
    const targets = [1, 2, 3, 4, 5].map((one) => target(one))
    const answers = latencies([1, 10], [2, 20], [3, 30])
    expect(play(targets, { answers }).doneMs).toBe(30 + 2 * 30)
    expect(play(targets, { answers, isFull: false }).doneMs).toBe(30 + 30)
  })

  it('takes no answer that comes after its end', () => {
    const run = new NetcheckRun(0, planOf([target(1), target(2)]), { isFull: true, can: [] })
    const [one, two] = run.takeOutput()
    run.handleReply(10, one!.probeId, SELF)
    run.handleTimeout(3000)
    expect(run.isDone).toBe(true)
    expect(run.handleReply(3001, two!.probeId, SELF)).toBe(false)
    expect(run.report(0, FACTS).regionLatencyMs.size).toBe(1)
  })

  it('asks again only where an answer can tell something', () => {
    const targets = [target(1), target(1, 6), target(2), target(2, 6), target(3), target(3, 6)]
    const { sent } = play(targets, { answers: latencies([1, 10], [2, 20]), sixAnswers: latencies([3, 30]) })
    expect(sent.filter((one) => !one.startsWith('0 '))).toEqual([])
    const deaf = play([target(1), target(2), target(2, 6)], { answers: latencies([2, 20]) })
    // Region 1 is not known yet, and of IPv6 nothing is.
    expect(deaf.sent.filter((one) => !one.startsWith('0 '))).toEqual(['100 1/4', '100 2/6', '200 1/4', '200 2/6'])
  })

  it('is settled after a second and over after three when nothing answers', () => {
    const { run, settledMs, doneMs, sent } = play([target(1), target(2)], {})
    expect([settledMs, doneMs, sent.length]).toEqual([1000, 3000, 6])
    expect(run.report(0, FACTS)).toMatchObject({ udp: false, ipv4: false, ipv4CanSend: true, ipv6CanSend: false, globalV4: undefined, mappingVariesByDestIp: undefined, captivePortal: undefined, icmpV4: undefined })
  })

  it('sees a NAT that gives each destination its own port, and one that does not', () => {
    const varies = play([target(1), target(2)], { answers: latencies([1, 5], [2, 6]), mapped: (to) => ({ ...SELF, port: Number(to.ip.split('.')[3]) }) })
    expect(varies.run.report(0, FACTS)).toMatchObject({ mappingVariesByDestIp: true, globalV4: { ...SELF, port: 1 }, globalV4Counters: new Map([['198.51.100.1:1', 1], ['198.51.100.1:2', 1]]) })
    const same = play([target(1), target(2)], { answers: latencies([1, 5], [2, 6]) })
    expect(same.run.report(0, FACTS)).toMatchObject({ mappingVariesByDestIp: false, globalV4: SELF, globalV4Counters: new Map([['198.51.100.1:41641', 2]]) })
    expect(play([target(1)], { answers: latencies([1, 5]) }).run.report(0, FACTS).mappingVariesByDestIp).toBeUndefined()
  })

  it('keeps the families apart, the first address of IPv4 and the latest of IPv6', () => {
    const { run } = play([target(1), target(1, 6), target(2, 6)], { answers: latencies([1, 20]), sixAnswers: latencies([1, 10], [2, 30]), mapped: (to) => (to.ip.includes(':') ? { ...SELF6, port: to.ip.endsWith('1') ? 1 : 2 } : SELF) })
    expect(run.report(0, FACTS)).toMatchObject({
      ipv4: true, ipv6: true, globalV4: SELF, globalV6: { ...SELF6, port: 2 },
      regionLatencyMs: new Map([[1, 10], [2, 30]]), regionV4LatencyMs: new Map([[1, 20]]), regionV6LatencyMs: new Map([[1, 10], [2, 30]]),
    })
  })

  it.each(['0.0.0.0', '127.0.0.1', '224.0.0.1', '169.254.1.1', '100.64.0.1', '2001:db8::1', '198.51.100.1 port 0'])('believes no server that sees us at %s', (text) => {
    const [ip, port] = text.split(' port ')
    const { run } = play([target(1)], { answers: latencies([1, 5]), mapped: () => ({ ip: ip!, port: Number(port ?? 4242) }) })
    expect(run.report(0, FACTS)).toMatchObject({ udp: false, globalV4: undefined, globalV4Counters: new Map() })
  })

  it('waits for nobody to whom nothing can be sent', () => {
    const run = new NetcheckRun(0, planOf([target(1), target(1, 6)]), { isFull: true, can: [] })
    const outputs = run.takeOutput()
    run.handleReply(10, outputs.find((one) => !one.to.ip.includes(':'))!.probeId, SELF)
    for (let nowMs = 10; nowMs <= 200; nowMs += 10) {
      run.handleTimeout(nowMs)
      for (const { to } of [...outputs, ...run.takeOutput()]) if (to.ip.includes(':')) run.handleUnreachable(nowMs, to)
    }
    expect(run.isDone).toBe(true)
    expect(run.report(0, FACTS)).toMatchObject({ ipv4CanSend: true, ipv6CanSend: false })
  })
})

describe('a netcheck run without a STUN answer', () => {
  const https = (region: number, ms: number): OtherLatency => ({ region, way: 'https', family: 4, ms })

  it('asks for a portal after 200 ms and for other ways after 600 ms, and settles with what they found', () => {
    const { run, settledMs, doneMs, wants } = play([target(1), target(2)], { can: ALL, portal: { afterMs: 50, found: true }, other: { afterMs: 700, found: [https(2, 40), { region: 2, way: 'icmp', family: 4, ms: 30 }, https(1, 90)] } })
    expect(wants).toEqual(['200 captive-portal', '600 other-ways'])
    expect([settledMs, doneMs]).toEqual([1300, 3000])
    expect(run.report(0, FACTS)).toMatchObject({ udp: false, ipv4: true, icmpV4: true, captivePortal: true, regionLatencyMs: new Map([[2, 30], [1, 90]]), httpsLatencyMs: new Map([[2, 40], [1, 90]]), regionV4LatencyMs: new Map() })
  })

  it('settles after two seconds and ends after five when the other ways hang', () => {
    const { settledMs, doneMs } = play([target(1)], { can: ALL, other: { afterMs: 99_999, found: [] } })
    expect([settledMs, doneMs]).toEqual([2000, 5000])
  })

  it('asks nobody else once a STUN answer came, and forgets what others said', () => {
    expect(play([target(1), target(2)], { can: ALL, answers: latencies([1, 50]) }).wants).toEqual([])
    const { run, wants } = play([target(1)], { can: ALL, answers: latencies([1, 900]), portal: { afterMs: 1, found: true }, other: { afterMs: 50, found: [https(1, 5)] } })
    expect(wants).toHaveLength(2)
    expect(run.report(0, FACTS)).toMatchObject({ udp: true, captivePortal: undefined, icmpV4: undefined, regionLatencyMs: new Map([[1, 900]]), httpsLatencyMs: new Map() })
  })

  it('looks for a portal in full runs alone', () => {
    expect(play([target(1)], { can: ALL, isFull: false }).wants).toEqual(['600 other-ways'])
  })

  it('goes other ways at once where there is nobody to ask by STUN', () => {
    const { run, wants, settledMs, doneMs } = play([], { can: ALL, other: { afterMs: 20, found: [https(7, 12)] } })
    expect(wants[1]).toBe('0 other-ways')
    expect(settledMs).toBe(doneMs)
    expect(doneMs).toBe(20)
    expect(run.report(0, FACTS)).toMatchObject({ udp: false, regionLatencyMs: new Map([[7, 12]]) })
  })

  it('says nothing of ICMP where the system lets nobody ask', () => {
    const run = new NetcheckRun(0, planOf([target(1)]), { isFull: true, can: ALL })
    run.handleTimeout(700)
    run.handleOtherWaysTried(800, false)
    expect(run.report(0, FACTS).icmpV4).toBeUndefined()
  })
})

describe('a netcheck run and chance', () => {
  it('always settles, then ends, within five seconds, and sends no more than was planned', () => {
    const answers = fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4000 })))
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 0 }), answers, answers, fc.boolean(), fc.integer({ min: 0, max: 6000 }), fc.integer({ min: 0, max: 6000 }), (regions, v4, v6, isFull, otherMs, portalMs) => {
        const targets = regions.flatMap((one) => [target(one), target(one, 6)])
        const { settledMs, doneMs, sent } = play(targets, { answers: new Map(v4), sixAnswers: new Map(v6), isFull, can: ALL, other: { afterMs: otherMs, found: [] }, portal: { afterMs: portalMs, found: false } })
        expect(settledMs).toBeGreaterThanOrEqual(0)
        expect(doneMs).toBeGreaterThanOrEqual(settledMs)
        expect(doneMs).toBeLessThanOrEqual(5000)
        expect(sent.length).toBeLessThanOrEqual(targets.length * 3)
      }),
      { numRuns: 60 },
    )
  })
})
