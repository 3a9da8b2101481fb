import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ProbePace } from '../../../../main/engine/core/path/probe-pace.ts'

it('serves in the order of asking, and never more than the burst and the pace allow', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ waitMs: fc.nat(500), count: fc.integer({ min: 1, max: 24 }) }), { maxLength: 200 }), (asks) => {
      const pace = new ProbePace(100, 50)
      let nowMs = 0
      const sent: { atMs: number; count: number }[] = []
      for (const { waitMs, count } of asks) {
        nowMs += waitMs
        const atMs = pace.reserve(nowMs, count)
        expect(atMs).toBeGreaterThanOrEqual(nowMs)
        if (sent.length > 0) expect(atMs).toBeGreaterThanOrEqual(sent.at(-1)!.atMs)
        sent.push({ atMs, count })
      }
      for (const [i, { atMs }] of sent.entries()) {
        let total = 0
        for (const later of sent.slice(i)) {
          total += later.count
          expect(total).toBeLessThanOrEqual(100 + ((later.atMs - atMs) / 1000) * 50 + 2 * 24)
        }
      }
    }),
    { numRuns: 50 },
  )
})

it('holds nobody up while few ask', () => {
  const pace = new ProbePace()
  for (let second = 0; second < 60; second++) expect(pace.reserve(second * 1000, 20)).toBe(second * 1000)
})
