/**
 * How wrong this computer's clock is, and in which words that is told. Pure.
 */

/** A clock that differs by less harms nothing. */
export const CLOCK_WRONG_MS = 5 * 60_000
/** This program was made later than this: a clock before it is wrong, whatever anybody says. */
export const MADE_AT_MS = Date.UTC(2026, 10, 1)

const MINUTE_MS = 60_000
const UNITS: readonly (readonly [limitMs: number, unitMs: number, word: string])[] = [
  [90 * MINUTE_MS, MINUTE_MS, 'minute'],
  [36 * 60 * MINUTE_MS, 60 * MINUTE_MS, 'hour'],
  [400 * 86_400_000, 86_400_000, 'day'],
  [Infinity, 365.25 * 86_400_000, 'year'],
]

/** "3 hours behind", "10 years ahead". `skewMs` = this clock less the true one. */
export function skewWords(skewMs: number): string {
  const size = Math.abs(skewMs)
  const [, unitMs, word] = UNITS.find(([limitMs]) => size < limitMs) ?? UNITS.at(-1)!
  const count = Math.max(1, Math.round(size / unitMs))
  return `${count} ${word}${count === 1 ? '' : 's'} ${skewMs < 0 ? 'behind' : 'ahead'}`
}

export function isClockWrong(skewMs: number): boolean {
  return Math.abs(skewMs) >= CLOCK_WRONG_MS
}
