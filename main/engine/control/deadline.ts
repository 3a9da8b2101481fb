/**
 * A signal that aborts after a time by the engine's clock, or with its parent; unlike AbortSignal.timeout it counts sleep
 * and obeys a simulated clock.
 */
import type { Clock } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'

/** `signal` aborts with the parent or, with EngineError 'timeout', after `delayMs`; `done` ends the watch. */
export function deadline(clock: Clock, delayMs: number, parent?: AbortSignal): { readonly signal: AbortSignal; done(): void } {
  const controller = new AbortController()
  const onParent = (): void => controller.abort(new EngineError('aborted', 'it was called off'))
  const cancel = clock.after(delayMs, () => controller.abort(new EngineError('timeout', 'no answer in time')))
  if (parent?.aborted === true) onParent()
  parent?.addEventListener('abort', onParent, { once: true })
  return {
    signal: controller.signal,
    done: () => {
      cancel()
      parent?.removeEventListener('abort', onParent)
    },
  }
}
