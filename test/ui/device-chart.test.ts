/**
 * The round trip of a device: what is kept of it, how it is summed up, and what is drawn of it.
 */
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { PingResult } from '../../main/localapi/types.ts'
import { chartOf } from '../../renderer/state/chart.ts'
import { addSample, costMs, KEPT_MS, sampleOf, sumsOf, useSamples, type Sample } from '../../renderer/state/samples.ts'

const NOW = 1_800_000_000_000
const SIZE = { width: 600, height: 80 }
const at = (secAgo: number, ms: number | undefined, kind: Sample['kind'] = 'relay'): Sample => ({ atMs: NOW - secAgo * 1000, ms, kind, via: kind === 'relay' ? 'fra' : '' })
const ANSWER: PingResult = { IP: '100.64.0.2', NodeIP: '100.64.0.2', NodeName: 'db', Err: '', LatencySeconds: 0.038, Endpoint: '', PeerRelay: '', DERPRegionID: 1, DERPRegionCode: 'fra' }

describe('samples', () => {
  beforeEach(() => useSamples.setState(new Map(), true))

  it('are kept for a quarter of an hour, and for the devices looked at last', () => {
    addSample('a', at(KEPT_MS / 1000, 5))
    addSample('a', at(0, 7))
    expect(useSamples.getState().get('a')).toEqual([at(0, 7)])
    for (let i = 0; i < 40; i++) addSample(`b${i}`, at(0, 1))
    expect(useSamples.getState().size).toBe(30)
    expect(useSamples.getState().has('a')).toBe(false)
  })

  it('are of the path that the reply came by; one without a reply is of the path before', () => {
    expect(sampleOf(NOW, ANSWER, undefined)).toEqual({ atMs: NOW, ms: 38, kind: 'relay', via: 'fra' })
    expect(sampleOf(NOW, { ...ANSWER, Endpoint: '192.0.2.1:41641' }, undefined)).toMatchObject({ kind: 'direct', via: '' })
    expect(sampleOf(NOW, { ...ANSWER, PeerRelay: '192.0.2.1:1:vni:2' }, undefined)).toMatchObject({ kind: 'peer-relay' })
    expect(sampleOf(NOW, { ...ANSWER, Err: 'no reply', ErrCode: 'timeout' }, at(5, 3, 'direct'))).toEqual({ atMs: NOW, ms: undefined, kind: 'direct', via: '' })
  })

  it('sum up to the last one, the mean step and what was lost', () => {
    expect(sumsOf([at(3, 10), at(2, 14), at(1, undefined), at(0, 12)])).toEqual({ nowMs: 12, spreadMs: 3, lost: 0.25 })
    expect(sumsOf([])).toEqual({ nowMs: undefined, spreadMs: undefined, lost: 0 })
  })

  it('tell what a relay costs only where both ways were measured', () => {
    expect(costMs([at(3, 38), at(2, 40)])).toBeUndefined()
    expect(costMs([at(9, 14, 'direct'), at(3, 38), at(2, 38)])).toBe(24)
    expect(costMs([at(9, 50, 'direct'), at(3, 38)])).toBeUndefined()
  })
})

describe('the chart', () => {
  it('draws a line for each kind of path, and none over a gap or a loss', () => {
    const { runs, losses } = chartOf([at(60, 14, 'direct'), at(55, 15, 'direct'), at(50, undefined, 'direct'), at(45, 38), at(40, 39), at(10, 38), at(5, 38)], NOW, SIZE)
    expect(runs.map((run) => [run.kind, run.points.length])).toEqual([['direct', 2], ['relay', 2], ['relay', 2]])
    expect(losses).toHaveLength(1)
  })

  it('cuts what is far above the rest and says its number', () => {
    const calm = Array.from({ length: 40 }, (_, i) => at(200 - i * 5, 20))
    const { spikes, topMs } = chartOf([...calm, at(0, 900)], NOW, SIZE)
    expect(spikes).toMatchObject([{ ms: 900 }])
    expect(topMs).toBe(20)
  })

  it('labels a line that is long enough for it, and no other', () => {
    const { runs } = chartOf([...Array.from({ length: 20 }, (_, i) => at(120 - i * 5, 14, 'direct')), at(10, 38), at(5, 38)], NOW, SIZE)
    expect(runs.map((run) => run.label !== undefined)).toEqual([true, false])
  })

  it('stays within its frame, whatever was measured', () => {
    const sample = fc.record({ atMs: fc.integer({ min: NOW - 2 * KEPT_MS, max: NOW }), ms: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }), { nil: undefined }), kind: fc.constantFrom<Sample['kind']>('direct', 'relay', 'peer-relay'), via: fc.constant('') })
    fc.assert(fc.property(fc.array(sample, { maxLength: 60 }), (unordered) => {
      const samples = unordered.toSorted((a, b) => a.atMs - b.atMs)
      const { runs, points, losses, spikes } = chartOf(samples, NOW, SIZE)
      for (const { x, y } of [...points, ...runs.flatMap((run) => run.points)]) {
        expect(x).toBeGreaterThanOrEqual(0)
        expect(x).toBeLessThanOrEqual(SIZE.width)
        expect(y).toBeGreaterThanOrEqual(0)
        expect(y).toBeLessThanOrEqual(SIZE.height)
      }
      const inView = samples.filter((one) => NOW - one.atMs < KEPT_MS)
      expect(points).toHaveLength(inView.length)
      expect(runs.reduce((sum, run) => sum + run.points.length, 0) + losses.length).toBe(inView.length)
      expect(spikes.length).toBeLessThanOrEqual(inView.length)
    }))
  })
})
