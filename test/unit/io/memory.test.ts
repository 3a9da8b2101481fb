import { expect, test } from 'vitest'
import { keepMemorySmall } from '../../../main/engine/io/memory.ts'
import { loadNative } from '../../../main/engine/io/native.ts'
import { HandClock } from '../../sim/clock.ts'

test('memory is given back after the start and at long intervals until it is stopped', () => {
  const clock = new HandClock()
  const calls: number[] = []
  const stop = keepMemorySmall(clock, () => calls.push(clock.nowMs()))
  clock.advance(9_999)
  expect(calls).toEqual([])
  clock.advance(1_200_001)
  expect(calls).toEqual([10_000, 30_000, 630_000])
  stop()
  clock.advance(10_000_000)
  expect(calls).toHaveLength(3)
})

test.runIf(process.platform === 'linux')('program pages leave memory and the program goes on', () => {
  const native = loadNative()
  expect(native.giveBackMemory()).toBeGreaterThan(1e6)
  expect(native.giveBackMemory()).toBeGreaterThanOrEqual(0)
})
