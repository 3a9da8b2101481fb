import { PerformanceObserver } from 'node:perf_hooks'
import { expect, test } from 'vitest'
import { keepMemorySmall, makeBufferSweeper } from '../../../main/engine/io/memory.ts'
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

test('buffers that pass are freed without the whole heap being marked for them', async () => {
  const sweep = makeBufferSweeper()
  const kinds: number[] = []
  const observer = new PerformanceObserver((list) => kinds.push(...list.getEntries().map((entry) => (entry as unknown as { detail: { kind: number } }).detail.kind)))
  observer.observe({ entryTypes: ['gc'] })
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  for (let i = 0; i < 4_096; i++) {
    Buffer.allocUnsafeSlow(64 << 10)[0] = 1
    sweep(64 << 10)
    most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    if (i % 64 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await new Promise((resolve) => setTimeout(resolve, 10))
  observer.disconnect()
  expect(most).toBeLessThan(24 << 20)
  // A quarter of a gigabyte passed: one collection of the young for every 4 MiB, and next to none of all (kind 4).
  expect(kinds.filter((kind) => kind === 1).length).toBeGreaterThan(32)
  expect(kinds.filter((kind) => kind === 4).length).toBeLessThan(4)
})
