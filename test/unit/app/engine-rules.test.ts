import { describe, expect, it } from 'vitest'
import { endAtMs, HANG_GRACE_MS, START_GRACE_MS, toldLife, waitMs } from '../../../main/app/engine-rules.ts'
import type { EngineLife } from '../../../main/localapi/app-state.ts'

const life = (engine: EngineLife['engine'], more: Partial<EngineLife> = {}): EngineLife => ({ engine, sinceMs: 5, restarts: 0, ...more })

describe('an engine that does not answer', () => {
  it('is given a while to start, and less once it has answered', () => {
    expect(endAtMs({ startedMs: 1000, answered: false, lostMs: 2000 })).toBe(1000 + START_GRACE_MS)
    expect(endAtMs({ startedMs: 1000, answered: true, lostMs: 9000 })).toBe(9000 + HANG_GRACE_MS)
    expect(endAtMs({ startedMs: 1000, answered: true, lostMs: undefined })).toBeUndefined()
  })
})

describe('the wait before the next start', () => {
  it('doubles with each end, up to half a minute, and is short again after two calm minutes', () => {
    const ends = Array.from({ length: 12 }, (_, i) => i * 100)
    expect([1, 2, 3, 4].map((n) => waitMs(ends.slice(0, n), 1200))).toEqual([200, 400, 800, 1600])
    expect(waitMs(ends, 1200)).toBe(30_000)
    expect(waitMs([...ends, 500_000], 500_000)).toBe(200)
  })
})

describe('what is told of the engine', () => {
  const host = { everAnswered: true, endsMs: [] as number[], restarts: 3, fault: undefined }

  it('is what the feed sees while it runs', () => {
    expect(toldLife(life('running', { restarts: 7 }), { ...host, endsMs: [1, 2, 3, 4, 5] }, 10)).toEqual(life('running', { restarts: 3 }))
  })

  it('is that it starts, until it answered or ended for the first time', () => {
    expect(toldLife(life('stopped', { message: 'no socket', code: 'x' }), { ...host, everAnswered: false, restarts: 0 }, 10)).toEqual(life('starting'))
    expect(toldLife(life('starting'), { ...host, everAnswered: false, endsMs: [9] }, 10).engine).toBe('stopped')
  })

  it('is that it keeps stopping after four ends in two minutes, with what it said of the reason', () => {
    const fault = { code: 'already-running', message: 'Another engine uses the state directory.' }
    expect(toldLife(life('stopped'), { everAnswered: false, endsMs: [1, 2, 3, 4], restarts: 3, fault }, 10)).toEqual(life('keeps-stopping', { ...fault, restarts: 3 }))
    expect(toldLife(life('stopped'), { ...host, endsMs: [1, 2, 3] }, 10).engine).toBe('stopped')
    expect(toldLife(life('stopped'), { ...host, endsMs: [1, 2, 3, 4] }, 500_000).engine).toBe('stopped')
  })
})
