/**
 * Small checkers that turn unknown JSON into typed, frozen values: the tools of the checks beside this file.
 *
 * A checker gives the value, or undefined when the JSON is not of its type. `shape` reads known fields only, so unknown
 * ones vanish; an ill-typed field vanishes too, or takes its `orElse`, or refuses the whole value when it is required.
 * `null` counts as absent unless a checker wants it. Nothing is ever looked up by a hostile key, and `__proto__` is
 * never assigned. Every drop is told to `Drops`, with field names and never with values.
 */

/** Counts what was dropped and remembers the first few places. */
export class Drops {
  count = 0
  readonly where: string[] = []

  add(place: string): void {
    this.count++
    if (this.where.length < 8) this.where.push(place)
  }
}

/** The value as T, or undefined when it is not one. */
export type Check<T> = (value: unknown, drops: Drops) => T | undefined

interface Field {
  readonly check: Check<unknown>
  readonly orElse: unknown
}

/** For every field of T a checker; `absent` fields of the JSON stay absent. */
export type Fields<T> = { readonly [K in keyof T]?: Check<T[K]> }

export interface ShapeRules<T> {
  /** The value is refused when one of these is absent or ill-typed. */
  readonly required?: readonly (keyof T & string)[]
  /** What an ill-typed field becomes; for fields where vanishing would open something. */
  readonly orElse?: Partial<T>
  /** Refuse the value when any known field is ill-typed. */
  readonly strict?: boolean
  /** Values of fields that are absent. */
  readonly defaults?: Partial<T>
}

/** A checker of an object. `name` stands in drop reports. */
export function shape<T extends object>(name: string, fields: Fields<T>, rules: ShapeRules<T> = {}): Check<T> {
  const known = new Map<string, Field>()
  for (const [key, check] of Object.entries(fields)) {
    known.set(key, { check: check as Check<unknown>, orElse: (rules.orElse as Record<string, unknown> | undefined)?.[key] })
  }
  const required = rules.required ?? []
  const defaults = Object.entries(rules.defaults ?? {})
  return (value, drops) => {
    if (!isObject(value)) return undefined
    const out: Record<string, unknown> = {}
    for (const key of Object.keys(value)) {
      const field = known.get(key)
      const raw = value[key]
      if (field === undefined || raw === undefined) continue
      let checked = field.check(raw, drops)
      if (checked === undefined) {
        if (raw === null) continue
        drops.add(`${name}.${key}`)
        if (rules.strict === true) return undefined
        checked = field.orElse
        if (checked === undefined) continue
      }
      out[key] = checked
    }
    for (const key of required) if (out[key] === undefined) return undefined
    for (const [key, fallback] of defaults) if (out[key] === undefined) out[key] = fallback
    return Object.freeze(out) as T
  }
}

/** A JSON object: not null, not an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export const bool: Check<boolean> = (value) => (typeof value === 'boolean' ? value : undefined)

/** Any text up to `maxLength` UTF-16 units. */
export function text(maxLength: number): Check<string> {
  return (value) => (typeof value === 'string' && value.length <= maxLength ? value : undefined)
}

/** A text that `test` accepts. */
export function textOf(maxLength: number, test: (value: string) => boolean): Check<string> {
  return (value) => (typeof value === 'string' && value.length <= maxLength && test(value) ? value : undefined)
}

/** A whole number within the range, both ends in. */
export function int(min: number, max: number): Check<number> {
  return (value) => (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max ? (value as number) : undefined)
}

export const anyInt = int(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
export const id = int(0, Number.MAX_SAFE_INTEGER)

/** A finite number. */
export const real: Check<number> = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined)

/** A list of at most `maxLength` entries; bad entries are dropped one by one. */
export function list<T>(name: string, entry: Check<T>, maxLength: number): Check<readonly T[]> {
  return (value, drops) => {
    if (!Array.isArray(value)) return undefined
    const out: T[] = []
    for (const raw of value as unknown[]) {
      const checked = out.length < maxLength ? entry(raw, drops) : undefined
      if (checked === undefined) drops.add(`${name}[]`)
      else out.push(checked)
    }
    return Object.freeze(out) as readonly T[]
  }
}

/** A dictionary of at most `maxSize` entries with keys that `key` accepts; bad entries are dropped one by one. */
export function dict<T>(
  name: string, entry: Check<T>, maxSize: number, key: (text: string) => boolean = anyKey,
): Check<Readonly<Record<string, T>>> {
  return (value, drops) => {
    if (!isObject(value)) return undefined
    const out: Record<string, T> = {}
    let size = 0
    for (const name_ of Object.keys(value)) {
      const checked = name_ !== '__proto__' && size < maxSize && key(name_) ? entry(value[name_], drops) : undefined
      if (checked === undefined) {
        drops.add(`${name}{}`)
        continue
      }
      out[name_] = checked
      size++
    }
    return Object.freeze(out)
  }
}

const anyKey = (text: string): boolean => text.length <= 1024
/** Keys of integer-keyed maps: decimal, no sign, no leading zero. */
export const decimalKey = (text: string): boolean => /^(0|[1-9]\d{0,15})$/.test(text)

/** Null as a value of its own. */
export function orNull<T>(check: Check<T>): Check<T | null> {
  return (value, drops) => (value === null ? null : check(value, drops))
}

/** Plain JSON of any type, at most `maxDepth` deep, frozen. */
export function anyJson(maxDepth: number): Check<unknown> {
  const copy = (value: unknown, depth: number): unknown => {
    if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
    if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
    if (depth === 0 || typeof value !== 'object') return undefined
    if (Array.isArray(value)) {
      const entries = (value as unknown[]).map((entry) => copy(entry, depth - 1))
      return entries.includes(undefined) ? undefined : Object.freeze(entries)
    }
    const out: Record<string, unknown> = {}
    for (const [key, entry] of Object.entries(value)) {
      const copied = key === '__proto__' ? undefined : copy(entry, depth - 1)
      if (copied === undefined) return undefined
      out[key] = copied
    }
    return Object.freeze(out)
  }
  return (value) => copy(value, maxDepth)
}
