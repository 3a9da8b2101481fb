/**
 * Checks of what the window sends: the renderer is hostile until proven otherwise, so each field is looked at before it becomes a part
 * of a request to the engine. What is not as it should be throws Refused, whose message goes back to the window.
 */
import { networkOf, parsePrefix } from '../engine/base/ip.ts'

export class Refused extends Error {}

const TEXT_LIMIT = 2048
const LIST_LIMIT = 1000

/** A plain object: what IPC can carry beside those (dates, maps, bytes) is none. */
export const isRecord = (value: unknown): value is Record<string, unknown> => Object.prototype.toString.call(value) === '[object Object]'

export function text(value: unknown, name: string, limit = TEXT_LIMIT): string {
  if (typeof value !== 'string' || value.length > limit) throw new Refused(`${name} must be a text of at most ${limit} characters`)
  return value
}

export function flag(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw new Refused(`${name} must be true or false`)
  return value
}

/** An address, in the form that it has in a URL's query or an address field. */
export function address(value: unknown, name: string): string {
  if (!/^[0-9a-f.:]{2,45}$/i.test(text(value, name))) throw new Refused(`${name} must be an address`)
  return value as string
}

/** A short name that the engine or a server made: letters, digits, dashes and underscores. */
export function shortName(value: unknown, name: string): string {
  if (!/^[0-9a-z_-]{1,64}$/i.test(text(value, name))) throw new Refused(`${name} is no name of the engine's`)
  return value as string
}

/** A network without host bits, in canonical form. */
export function prefix(value: unknown, name: string): string {
  const parsed = parsePrefix(text(value, name))
  const whole = parsed && networkOf(parsed.ip, parsed.bits)
  if (whole === undefined || whole !== value) throw new Refused(`${name} must be a network like 10.0.3.0/24`)
  return whole
}

export function prefixes(value: unknown, name: string): readonly string[] {
  if (!Array.isArray(value) || value.length > LIST_LIMIT) throw new Refused(`${name} must be a list of networks`)
  return value.map((one) => prefix(one, name))
}

export function oneOf<T extends string>(value: unknown, name: string, known: readonly T[]): T {
  if (!known.includes(value as T)) throw new Refused(`${name} must be one of ${known.join(', ')}`)
  return value as T
}

/** The version of a page that the window has; undefined: none yet. */
export function version(value: unknown, name: string): number | undefined {
  if (value !== undefined && (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)) throw new Refused(`${name} must be a version`)
  return value
}
