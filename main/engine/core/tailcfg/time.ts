/**
 * Control's times: RFC 3339 text with up to nine digits of a second. The year 1 is the zero time: "never" or "unset".
 */
const PATTERN = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/
const DAY_MS = 86_400_000

/** Milliseconds since 1970, or undefined when the text is no such time or is the zero time. */
export function timeMs(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || !isTime(text) || text.startsWith('0001-')) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

/** Whether the text has the form of a time. */
export function isTime(text: string): boolean {
  return PATTERN.test(text)
}

/** Text of a wall time of the years 1970 to 9999. */
export function formatTime(wallMs: number): string {
  const days = Math.floor(wallMs / DAY_MS)
  const inDay = Math.floor(wallMs - days * DAY_MS)
  const [year, month, day] = civil(days)
  const pad = (value: number, width: number): string => String(value).padStart(width, '0')
  const clock = [Math.floor(inDay / 3_600_000), Math.floor(inDay / 60_000) % 60, Math.floor(inDay / 1000) % 60]
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T${clock.map((part) => pad(part, 2)).join(':')}.${pad(inDay % 1000, 3)}Z`
}

/** Gregorian date of a count of days since 1970, reckoned in years that begin in March. */
function civil(daysSince1970: number): [number, number, number] {
  const days = daysSince1970 + 719_468
  const era = Math.floor(days / 146_097)
  const dayOfEra = days - era * 146_097
  const leapDays = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096)
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day]
}
