/**
 * Drives one pure machine with a clock: the only timer code of the engine outside the packet threads.
 *
 * A machine has `nextTimeout()` and `handleTimeout(nowMs)`. The owner calls `kick()` after every input; the pump lets
 * the machine handle what is due, calls `flush` so that outputs and events are taken, and arms one timer for the next.
 */
import type { Clock } from './env.ts'

export interface Machine {
  handleTimeout(nowMs: number): void
  nextTimeout(): { readonly atMs: number; readonly why: string } | undefined
}

export interface Pump {
  /** Takes outputs and arms the next timer; to be called after every input. */
  kick(): void
  stop(): void
}

/** A pump over a machine; `flush` takes the machine's outputs and events and may feed it again. */
export function startPump(clock: Clock, machine: Machine, flush: () => void): Pump {
  let cancel: (() => void) | undefined
  let armedAtMs = Number.POSITIVE_INFINITY
  let stopped = false

  const disarm = (): void => {
    cancel?.()
    cancel = undefined
    armedAtMs = Number.POSITIVE_INFINITY
  }
  const fire = (): void => {
    cancel = undefined
    armedAtMs = Number.POSITIVE_INFINITY
    machine.handleTimeout(clock.nowMs())
    kick()
  }
  const kick = (): void => {
    if (stopped) return
    flush()
    const next = machine.nextTimeout()
    if (!next) return disarm()
    if (cancel && next.atMs === armedAtMs) return
    disarm()
    armedAtMs = next.atMs
    cancel = clock.after(Math.max(0, next.atMs - clock.nowMs()), fire)
  }
  return {
    kick,
    stop: () => {
      stopped = true
      disarm()
    },
  }
}
