/**
 * Numbers as people read them: round trips, ages, bytes. Pure; times in ms unless the name says otherwise.
 */
import { locale, t } from './words.ts'

/** "0.6 ms", "38 ms", "1.2 s"; "" for unknown. */
export function roundTrip(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms) || ms < 0) return ''
  if (ms < 9.95) return t('unit.ms', { n: decimal(ms) })
  if (ms < 999.5) return t('unit.ms', { n: String(Math.round(ms)) })
  return t('unit.s', { n: decimal(ms / 1000) })
}

/** A format of each language, made when it is first needed: making one costs a hundred times its use. */
function inEach(make: (locale: string) => Intl.NumberFormat): (value: number) => string {
  const formats = new Map<string, Intl.NumberFormat>()
  return (value) => {
    let format = formats.get(locale())
    if (!format) formats.set(locale(), (format = make(locale())))
    return format.format(value)
  }
}

/** With one digit behind the point, as the language writes it. */
export const decimal = inEach((tag) => new Intl.NumberFormat(tag, { minimumFractionDigits: 1, maximumFractionDigits: 1 }))

/** "10,002", as the language writes it. */
export const whole = inEach((tag) => new Intl.NumberFormat(tag, { maximumFractionDigits: 0 }))

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

export type AgeUnit = 'now' | 'sec' | 'min' | 'hour' | 'day'

/** An age in its largest whole unit; undefined for unknown. A time ahead of the clock is now. */
export function ageParts(ms: number | undefined): { readonly unit: AgeUnit; readonly n: number } | undefined {
  if (ms === undefined || !Number.isFinite(ms)) return undefined
  if (ms < 1000) return { unit: 'now', n: 0 }
  if (ms < MINUTE) return { unit: 'sec', n: Math.floor(ms / 1000) }
  if (ms < HOUR) return { unit: 'min', n: Math.floor(ms / MINUTE) }
  if (ms < DAY) return { unit: 'hour', n: Math.floor(ms / HOUR) }
  return { unit: 'day', n: Math.floor(ms / DAY) }
}

/** "now", "4 s", "12 min", "3 h", "9 days"; "" for unknown. */
export function age(ms: number | undefined): string {
  const parts = ageParts(ms)
  return parts ? t(`age.${parts.unit}`, { n: parts.n }) : ''
}

/** "now", "4 s ago"; "" for unknown. */
export function ago(ms: number | undefined): string {
  const parts = ageParts(ms)
  if (!parts) return ''
  return parts.unit === 'now' ? t('age.now') : t(`ago.${parts.unit}`, { n: parts.n })
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
  return `${unit === 0 || value >= 9.95 ? Math.round(value) : decimal(value)} ${units[unit]!}`
}

/** "14:02", in the reader's own zone. */
export function clockTime(atMs: number): string {
  return new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit', hour12: false }).format(atMs)
}

/** "14:02:11", in the reader's own zone. */
export function clockTimeSec(atMs: number): string {
  return new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false }).format(atMs)
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
