import { describe, expect, it } from 'vitest'
import { CandidateSet, noteLatency } from '../../../../main/engine/core/path/candidates.ts'
import { Watch } from '../../../../main/engine/core/path/watch.ts'

function watch(latencyMs: number): Watch {
  const set = new CandidateSet()
  set.replace('map', [{ ip: '198.51.100.7', port: 41641 }], undefined)
  const [candidate] = [...set.values()]
  noteLatency(candidate!, latencyMs)
  return new Watch(0, candidate!)
}

/** When each verdict fell while nothing answers. */
function silence(one: Watch, untilMs: number): Map<string, number> {
  const first = new Map<string, number>()
  one.beatAt(0)
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 10) {
    const verdict = one.judge(nowMs, 1000)
    if (verdict === 'wait') continue
    if (!first.has(verdict)) first.set(verdict, nowMs)
    one.notePing(nowMs)
  }
  return first
}

describe('the watch over the path in use', () => {
  it('suspects a silent path within half a second of its heartbeat, and gives it up when trust is over', () => {
    const when = silence(watch(40), 10_000)
    expect(when.get('suspect')).toBeLessThan(420)
    expect(when.get('dead')).toBeGreaterThanOrEqual(6500)
    expect(when.get('dead')).toBeLessThan(7600)
  })

  it('gives slow paths the time that they take', () => {
    expect(silence(watch(800), 10_000).get('suspect')).toBeGreaterThan(1.5 * 800)
    const slow = watch(2500)
    slow.beatAt(0)
    expect(slow.judge(0, 1000)).toBe('beat')
    slow.notePing(0)
    expect(slow.judge(2600, 1000)).not.toBe('miss')
  })

  it('is content with a pong, whatever was missed before', () => {
    const one = watch(40)
    silence(one, 600)
    expect(one.isProven(600)).toBe(false)
    one.notePong(610)
    expect([one.misses, one.isProven(610), one.isProven(610 + 6500)]).toEqual([0, true, false])
  })

  it('wants nothing at rest', () => {
    const one = watch(40)
    silence(one, 300)
    one.rest()
    expect([one.isResting, one.dueMs, one.misses]).toEqual([true, Number.POSITIVE_INFINITY, 0])
  })
})
