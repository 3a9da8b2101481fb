/**
 * Brings a request's body into what receives it, as fast as that takes it, with an eye on senders that all but stop.
 */
import type { Readable } from 'node:stream'
import type { Clock } from '../../../base/env.ts'
import type { Receiving } from '../ports.ts'

/** Less than this much in this time is as good as nothing. */
const LEAST_BYTES = 16 * 1024
const LEAST_WITHIN_MS = 120_000

/** `long`: more came than was said. */
export type PourEnd = 'whole' | 'gone' | 'slow' | 'long' | 'aborted'

export interface PourWatch {
  readonly clock: Clock
  /** Bytes of the whole, with what was there before; -1 unknown. */
  readonly size: number
  readonly signal: AbortSignal
  /** What was received until now. */
  readonly onBytes: (received: number) => void
}

/** Resolves at the end of the body, or when there is no sense in going on. Rejects with what the receiving end rejects with. */
export async function pour(body: Readable, into: Receiving, watch: PourWatch): Promise<PourEnd> {
  let end: PourEnd | undefined
  let wake: (() => void) | undefined
  const stop = (why: PourEnd): void => {
    end ??= why
    wake?.()
  }
  const onEnd = (): void => stop('whole')
  const onGone = (): void => stop('gone')
  const onAbort = (): void => stop('aborted')
  const onReadable = (): void => wake?.()
  const cancelSlow = watchPace(into, watch.clock, () => stop('slow'))
  body.on('end', onEnd).on('error', onGone).on('close', onGone).on('readable', onReadable)
  watch.signal.addEventListener('abort', onAbort)
  if (watch.signal.aborted) onAbort()
  else if (body.readableEnded) onEnd()
  else if (body.destroyed) onGone()
  try {
    for (;;) {
      // What came before the sender went counts, so that it need not come again.
      const bytes = end === undefined || end === 'gone' ? (body.read() as Uint8Array | null) : null
      if (bytes) {
        if (watch.size >= 0 && into.received + bytes.length > watch.size) return 'long'
        await into.write(bytes)
        watch.onBytes(into.received)
      } else if (end !== undefined) {
        return end
      } else {
        await new Promise<void>((resolve) => (wake = resolve))
        wake = undefined
      }
    }
  } finally {
    cancelSlow()
    watch.signal.removeEventListener('abort', onAbort)
    body.off('end', onEnd).off('error', onGone).off('close', onGone).off('readable', onReadable)
  }
}

function watchPace(into: Receiving, clock: Clock, tooSlow: () => void): () => void {
  let before = into.received
  const look = (): void => {
    if (into.received - before < LEAST_BYTES) return tooSlow()
    before = into.received
    cancel = clock.after(LEAST_WITHIN_MS, look)
  }
  let cancel = clock.after(LEAST_WITHIN_MS, look)
  return () => cancel()
}
