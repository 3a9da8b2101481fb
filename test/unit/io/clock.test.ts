import { expect, test } from 'vitest'
import { SystemClock, type TimeSources } from '../../../main/engine/io/clock.ts'
import { systemRandom } from '../../../main/engine/io/random.ts'

/** A machine that can sleep and whose wall clock can be set. */
class Machine implements TimeSources {
  mono = 1000
  wall = 1_700_000_000_000
  up = 50_000
  readonly timers = new Set<{ atMs: number; call: () => void }>()

  monotonicMs = (): number => this.mono
  wallMs = (): number => this.wall
  uptimeMs = (): number => this.up

  setTimer(call: () => void, delayMs: number): { unref: () => void; cancel: () => void } {
    const timer = { atMs: this.mono + delayMs, call }
    this.timers.add(timer)
    return { unref: () => {}, cancel: () => void this.timers.delete(timer) }
  }

  awake(ms: number): void {
    const endMs = this.mono + ms
    for (;;) {
      const due = [...this.timers].filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      const stepMs = Math.max(0, (due?.atMs ?? endMs) - this.mono)
      this.mono += stepMs
      this.wall += stepMs
      this.up += stepMs
      if (!due) return
      this.timers.delete(due)
      due.call()
    }
  }

  /** Time goes by and nothing of this process runs. */
  frozen(ms: number): void {
    this.mono += ms
    this.wall += ms
    this.up += ms
  }

  asleep(ms: number): void {
    this.wall += ms
    this.up += ms
  }
}

test('time asleep counts, a wall clock that is set does not', () => {
  const machine = new Machine()
  const clock = new SystemClock(machine)
  const startMs = clock.nowMs()
  machine.awake(500)
  expect(clock.nowMs() - startMs).toBe(500)
  machine.asleep(3_600_000)
  expect(clock.nowMs() - startMs).toBe(3_600_500)
  machine.wall += 86_400_000
  expect(clock.nowMs() - startMs).toBe(3_600_500)
  machine.wall -= 10 * 86_400_000
  machine.asleep(60_000)
  expect(clock.nowMs() - startMs).toBe(3_660_500)
})

test('timers fire once, in time, and not when they were taken back', () => {
  const machine = new Machine()
  const clock = new SystemClock(machine)
  const fired: string[] = []
  clock.after(100, () => fired.push('a'))
  const cancel = clock.after(200, () => fired.push('b'))
  machine.awake(150)
  cancel()
  machine.awake(1000)
  expect(fired).toEqual(['a'])
})

test('a timer that fell due during sleep fires soon after waking', () => {
  const machine = new Machine()
  const clock = new SystemClock(machine)
  let firedMs = 0
  clock.after(600_000, () => (firedMs = machine.mono))
  machine.awake(1000)
  machine.asleep(3_600_000)
  const wokeMs = machine.mono
  machine.awake(30_000)
  expect(firedMs - wokeMs).toBeLessThanOrEqual(10_200)
  expect(firedMs).toBeGreaterThan(0)
})

test('after a freeze what is overdue lets the sockets go first, once', () => {
  const machine = new Machine()
  const clock = new SystemClock(machine)
  const fired: string[] = []
  clock.after(1000, () => fired.push('overdue'))
  clock.after(61_000, () => fired.push('soon'))
  const cancel = clock.after(2000, () => fired.push('taken back'))
  machine.frozen(60_000)
  machine.awake(20)
  expect(fired).toEqual([])
  cancel()
  machine.awake(200)
  expect(fired).toEqual(['overdue'])
  machine.awake(1000)
  expect(fired).toEqual(['overdue', 'soon'])
})

test('a delay beyond what a system timer takes is waited for in parts', () => {
  const machine = new Machine()
  const clock = new SystemClock(machine)
  let fired = false
  clock.after(2 ** 32, () => (fired = true))
  machine.awake(2 ** 31 + 1000)
  expect(fired).toBe(false)
  machine.awake(2 ** 31)
  expect(fired).toBe(true)
})

test('random bytes are fresh and the unit lies in its range', () => {
  expect(systemRandom.bytes(32)).not.toEqual(systemRandom.bytes(32))
  expect(systemRandom.bytes(16).buffer.byteLength).toBe(16)
  for (let i = 0; i < 100; i++) expect(systemRandom.unit()).toBeLessThan(1)
})
