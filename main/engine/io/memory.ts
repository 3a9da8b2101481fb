/**
 * Keeps the memory of an engine that idles small. A start touches tens of megabytes of Node's program and of heap that the
 * hours after it never need: they are given back a little after the start, and again at long intervals.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock } from '../base/env.ts'

/** When the work of a start is over, and when that of meeting the first peers is. */
const FIRST_MS = 10_000
const SECOND_MS = 20_000
const AGAIN_MS = 600_000

/**
 * Keeps V8's young generation at its first size, 1 MiB a half: an engine allocates little, and a burst of messages at the start
 * would leave it at 16. To be called before anything large is loaded.
 */
export function limitYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}

/** Bytes of files in buffers after which those that nobody holds any more are freed. */
const PASSED_BYTES = 4 << 20

/**
 * Is told of bytes of files that passed in buffers, and frees those buffers by collecting the young generation alone, in less than a
 * millisecond. Left to itself V8 sees memory grow outside of its heap, and marks all of that again and again.
 */
export function makeBufferSweeper(): (bytes: number) => void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void
  setFlagsFromString('--no-expose-gc')
  let passed = 0
  return (bytes) => {
    passed += bytes
    if (passed < PASSED_BYTES) return
    passed = 0
    collect({ type: 'minor' })
  }
}

/** Calls `giveBack` from time to time; gives the way to stop. */
export function keepMemorySmall(clock: Clock, giveBack: () => void): () => void {
  const again = (): void => {
    giveBack()
    cancel = clock.after(AGAIN_MS, again)
  }
  let cancel = clock.after(FIRST_MS, () => {
    giveBack()
    cancel = clock.after(SECOND_MS, again)
  })
  return () => cancel()
}
