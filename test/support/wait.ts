/**
 * Waiting for facts: asks again and again until something is true, or fails at a deadline with the last answer.
 * Tests never sleep for a fixed time and hope.
 */

/** Resolves after `ms` milliseconds. For pacing between questions only. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

export interface WaitOptions {
  /** Give up after this long, in ms. */
  withinMs: number
  /** Pause between two questions, in ms. */
  everyMs?: number
}

/**
 * Resolves with the first answer that is neither `undefined`, `null` nor `false`. An exception counts as "not yet".
 * Rejects at the deadline with `what` and the last exception or answer.
 */
export async function waitFor<T>(
  what: string,
  ask: () => T | Promise<T>,
  options: WaitOptions,
): Promise<NonNullable<Exclude<T, false>>> {
  const endMs = performance.now() + options.withinMs
  let last: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== null && answer !== false) return answer as NonNullable<Exclude<T, false>>
      last = answer
    } catch (error) {
      last = error
    }
    if (performance.now() >= endMs) {
      const why = last instanceof Error ? last.message : String(last)
      throw new Error(`waited ${options.withinMs} ms for ${what}; last: ${why}`, { cause: last })
    }
    await pause(options.everyMs ?? 25)
  }
}

/** Rejects when `promise` takes longer than `withinMs`. */
export async function within<T>(what: string, withinMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${withinMs} ms`)), withinMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
