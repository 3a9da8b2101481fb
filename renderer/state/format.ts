/**
 * Numbers as people read them: round trips, ages, bytes. Pure; times in ms unless the name says otherwise.
 */

/** "0.6 ms", "38 ms", "1.2 s"; "" for unknown. */
export function roundTrip(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms) || ms < 0) return ''
  if (ms < 9.95) return `${ms.toFixed(1)} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  return `${(ms / 1000).toFixed(1)} s`
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** "now", "4 s", "12 min", "3 h", "9 days"; "" for unknown. A time ahead of the clock is "now". */
export function age(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms)) return ''
  if (ms < 1000) return 'now'
  if (ms < MINUTE) return `${Math.floor(ms / 1000)} s`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`
  const days = Math.floor(ms / DAY)
  return days === 1 ? '1 day' : `${days} days`
}

/** "now", "4 s ago"; "" for unknown. */
export function ago(ms: number | undefined): string {
  const words = age(ms)
  return words === '' || words === 'now' ? words : `${words} ago`
}

/** Age of an RFC 3339 time; undefined for the zero time and for what is no time. */
export function ageOf(rfc3339: string | undefined, nowMs: number): number | undefined {
  if (rfc3339 === undefined || rfc3339.startsWith('0001-01-01')) return undefined
  const at = Date.parse(rfc3339)
  return Number.isNaN(at) ? undefined : Math.max(0, nowMs - at)
}

/** Powers of ten: "0 B", "1.2 kB", "86 MB". */
export function byteCount(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${units[unit]!}`
}

/** "14:02", in the reader's own zone. */
export function clockTime(atMs: number, locale?: string): string {
  return new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hour12: false }).format(atMs)
}

/** "14:02:11", in the reader's own zone. */
export function clockTimeSec(atMs: number, locale?: string): string {
  return new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false }).format(atMs)
}

/**
 * A name from the network as it may stand on screen: control characters and those that turn the reading direction are
 * replaced, because they could make one device look like another.
 */
export function safeText(text: string, limit = 120): string {
  // oxlint-disable-next-line no-control-regex
  const clean = text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, '\ufffd')
  return clean.length > limit ? `${clean.slice(0, limit - 1)}…` : clean
}

/** The engine's words standing alone: with a capital. */
export function capital(words: string): string {
  return words === '' ? '' : `${words[0]!.toUpperCase()}${words.slice(1)}`
}

/** The engine's reason as a sentence. */
export function sentence(why: string): string {
  const words = capital(safeText(why, 300))
  return words === '' || /[.!?…]$/.test(words) ? words : `${words}.`
}
