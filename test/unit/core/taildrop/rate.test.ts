import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RateMeter } from '../../../../main/engine/core/taildrop/rate.ts'

/** A meter that had `perSecond` bytes a second for `seconds`, told four times a second. */
function after(seconds: number, perSecond: number, from = 0): RateMeter {
  const meter = new RateMeter()
  for (let n = 0; n <= seconds * 4; n++) meter.note(from + (perSecond * n) / 4, n * 250)
  return meter
}

describe('how fast bytes go', () => {
  test('is what came in the last seconds, to three digits', () => {
    expect(after(20, 1_234_567).rate(20_000)).toBe(1_230_000)
    expect(after(20, 999).rate(20_000)).toBe(999)
  })

  test('what was there before does not count', () => {
    expect(after(2, 1_000, 5_000_000_000).rate(2_000)).toBe(1_000)
  })

  test('nothing is said at the very start, and a stop is seen within the window', () => {
    const meter = new RateMeter()
    meter.note(0, 0)
    expect(meter.rate(50)).toBeUndefined()
    const stopped = after(10, 1_000_000)
    expect(stopped.rate(12_500)).toBeLessThan(750_000)
    expect(stopped.rate(15_000)).toBe(0)
    expect(stopped.leftMs(1e12, 15_000)).toBeUndefined()
  })

  test('a new start from further back is no negative rate', () => {
    const meter = after(5, 1_000_000)
    meter.note(0, 5_250)
    meter.note(1_000, 6_250)
    expect(meter.rate(6_250)).toBe(1_000)
  })
})

describe('how long the rest takes', () => {
  test('is said after three seconds, and not of what has no known size', () => {
    expect(after(2.75, 1_000).leftMs(100_000, 2_750)).toBeUndefined()
    expect(after(3, 1_000).leftMs(100_000, 3_000)).toBe(100_000)
    expect(after(10, 1_000).leftMs(-1, 10_000)).toBeUndefined()
  })

  test('is rounded more coarsely the longer it is, and never nothing', () => {
    const left = (ms: number): number => after(4, 1_000).leftMs(4_000 + ms, 4_000)!
    expect([left(0), left(3_400), left(33_000), left(144_000), left(1_234_567), left(9_999_999)]).toEqual([1_000, 3_000, 35_000, 140_000, 1_260_000, 9_900_000])
  })

  test('stays as it was told, less the time gone by, while the rate wavers a little', () => {
    const meter = new RateMeter()
    const told: number[] = []
    let done = 0
    for (let second = 0; second <= 40; second++) {
      done += second % 2 === 0 ? 1_040_000 : 960_000
      meter.note(done, second * 1_000)
      const left = meter.leftMs(120_000_000, second * 1_000)
      if (left !== undefined) told.push(left)
    }
    const rises = told.filter((ms, at) => at > 0 && ms > told[at - 1]!)
    expect(told.length).toBeGreaterThan(30)
    expect(rises).toEqual([])
  })

  test('of what would take longer than a year nothing is told', () => {
    const meter = new RateMeter()
    meter.note(0, 0)
    meter.note(3, 3_000)
    expect(meter.leftMs(1_000, 3_000)).toBeGreaterThan(0)
    expect(meter.leftMs(9_007_199_254_653, 3_000)).toBeUndefined()
  })

  test('whatever is noted, numbers are whole and not below zero', () => {
    const notes = fc.array(fc.tuple(fc.nat(5_000), fc.nat(2 ** 40)), { minLength: 1, maxLength: 60 })
    fc.assert(fc.property(notes, fc.integer({ min: -1, max: 2 ** 45 }), (list, size) => {
      const meter = new RateMeter()
      let nowMs = 0
      for (const [stepMs, done] of list) {
        nowMs += stepMs
        meter.note(done, nowMs)
        const rate = meter.rate(nowMs)
        const left = meter.leftMs(size, nowMs)
        if (rate !== undefined) expect(Number.isSafeInteger(rate) && rate >= 0).toBe(true)
        if (left !== undefined) expect(Number.isSafeInteger(left) && left >= 1_000).toBe(true)
      }
    }))
  })
})
