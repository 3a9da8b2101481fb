import { expect, test } from 'vitest'
import type { Env } from '../../../main/engine/base/env.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { ClockWatch } from '../../../main/engine/health/clock-watch.ts'
import { HandClock, seededRandom } from '../../sim/clock.ts'

const HOUR = 3_600_000

function rig(): { clock: HandClock & { shiftMs: number }; watch: ClockWatch; told: string[]; journal: unknown[] } {
  const clock = Object.assign(new HandClock(), { shiftMs: 0 })
  const wallMs = clock.wallMs.bind(clock)
  clock.wallMs = () => wallMs() + clock.shiftMs
  const told: string[] = []
  const journal: unknown[] = []
  const env: Env = { clock, random: seededRandom(1), log: silentLog, journal: { add: (entry) => void journal.push(entry) } }
  const warnings = { set: (_code: string, { skew }: { skew: string }) => void told.push(skew), clear: () => void told.push('right') }
  return { clock, watch: new ClockWatch({ env, warnings }), told, journal }
}

test('a clock that is hours wrong is told once, and again when it is right', () => {
  const { clock, watch, told, journal } = rig()
  const trueMs = clock.wallMs()
  clock.shiftMs = -3 * HOUR
  watch.noteServerTime(trueMs)
  watch.noteServerTime(trueMs + 200)
  expect(told).toEqual(['3 hours behind'])
  clock.shiftMs = 0
  clock.advance(20_000)
  expect(told).toEqual(['3 hours behind', 'right'])
  expect(journal).toMatchObject([{ part: 'clock', kind: 'wrong', why: "this computer's clock is 3 hours behind by the server's" }, { kind: 'right' }])
  watch.stop()
  expect(clock.waiting).toBe(0)
})

test('a clock that is set wrong later is noticed without asking the server again', () => {
  const { clock, watch, told } = rig()
  watch.noteServerTime(clock.wallMs())
  expect(told).toEqual([])
  clock.shiftMs = 24 * HOUR
  clock.advance(600_000)
  expect(told).toEqual(['24 hours ahead'])
})

test('what is no time is not heard', () => {
  const { watch, told, clock } = rig()
  watch.noteServerTime(Number.NaN)
  expect(told).toEqual([])
  expect(clock.waiting).toBe(0)
})
