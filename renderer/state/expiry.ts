/**
 * How long the sign-in still lasts, once the engine says that it ends soon. Pure.
 */
import type { HealthState } from '../../main/localapi/types.ts'
import { clockTime } from '../../main/words/format.ts'
import { locale, t } from '../../main/words/words.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

export interface Expiry {
  readonly atMs: number
  readonly leftMs: number
}

/** undefined = it does not end soon, or has ended. */
export function expiryOf(warnings: HealthState['Warnings'], nowMs: number): Expiry | undefined {
  const atMs = Date.parse(warnings?.['key-expires-soon']?.Args?.['expiry'] ?? '')
  return Number.isNaN(atMs) || atMs <= nowMs ? undefined : { atMs, leftMs: atMs - nowMs }
}

/** "At 14:02." today, "On 24 November, 14:02." later; in the reader's own zone. */
export function endWords(atMs: number, leftMs: number): string {
  const time = clockTime(atMs)
  if (leftMs < 20 * HOUR) return t('join.ends.at', { time })
  return t('join.ends.on', { date: new Intl.DateTimeFormat(locale(), { day: 'numeric', month: 'long' }).format(atMs), time })
}

/** "Sign-in ends in 2 days.": rounded down, so that nobody is late. */
export function leftWords(ms: number): string {
  const units = [[DAY, 'day'], [HOUR, 'hour'], [MINUTE, 'minute']] as const
  for (const [unitMs, unit] of units) {
    const n = Math.floor(ms / unitMs)
    if (n >= 1) return t(`join.ends.in.${unit}`, { n })
  }
  return t('join.ends.in.moment')
}
