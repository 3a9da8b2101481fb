/**
 * Keeps the memory of an engine that idles small. A start touches tens of megabytes of Node's program and of heap that the
 * hours after it never need: they are given back a little after the start, and again at long intervals.
 */
import { setFlagsFromString } from 'node:v8'
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

/**
 * Keeps what streams bring in buffers from being taken for growth of the heap: V8 13 else marks the whole heap for every seven
 * megabytes that pass, which costs more processor time than everything else that is done with them. Other versions do not know the flag.
 */
export function countBuffersOnce(): void {
  if (process.versions.v8.startsWith('13.')) setFlagsFromString('--external-memory-accounted-in-global-limit')
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
