/**
 * A policy as it was laid down, judged key by key: what is good is followed, what is wrong is left aside and told, and never costs the rest.
 * Pure.
 */
import { canonicalIp } from '../../base/ip.ts'
import { NOT_FOLLOWED, POLICY_KEYS, type PolicyKey, type PolicyKind } from './keys.ts'

export type PolicyValue = string | boolean

/** A key whose value is not followed, and why as a clause. */
export interface PolicyFault {
  readonly key: string
  readonly why: string
}

export interface Policy {
  readonly values: Readonly<Partial<Record<PolicyKey, PolicyValue>>>
  readonly faults: readonly PolicyFault[]
}

export const NO_POLICY: Policy = { values: {}, faults: [] }

/** What the computer's policy says now. */
export interface PolicyReading {
  readonly policy: Policy
  /** Places that are not followed, and why, as sentences. */
  readonly refused: readonly string[]
  /** Places that are, the one that counts most first. */
  readonly from: readonly string[]
}

export const NO_READING: PolicyReading = { policy: NO_POLICY, refused: [], from: [] }

/** More than this of one policy is not looked at. */
const MAX_KEYS = 200
const MAX_TEXT = 500
const MAX_NAME = 64

/** What of the JSON of a policy is followed. Bounded, never throws. */
export function readPolicy(raw: unknown): Policy {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return { values: {}, faults: [{ key: '', why: 'the policy must be one JSON object' }] }
  const values: Partial<Record<PolicyKey, PolicyValue>> = {}
  const faults: PolicyFault[] = []
  const entries = Object.entries(raw)
  if (entries.length > MAX_KEYS) faults.push({ key: '', why: `there are more than ${MAX_KEYS} keys; those behind are left aside` })
  for (const [name, value] of entries.slice(0, MAX_KEYS)) {
    const read = readOne(name, value)
    if (typeof read === 'object') faults.push({ key: name.slice(0, MAX_NAME), ...read })
    else values[name as PolicyKey] = read
  }
  return { values, faults }
}

/** Several policies as one: where two lay down the same key, the first one counts. */
export function mergedPolicy(policies: readonly Policy[]): Policy {
  const values = Object.assign({}, ...policies.toReversed().map((policy) => policy.values)) as Policy['values']
  return { values, faults: policies.flatMap((policy) => policy.faults) }
}

function readOne(name: string, value: unknown): PolicyValue | { readonly why: string } {
  if (!Object.hasOwn(POLICY_KEYS, name)) return { why: NOT_FOLLOWED.has(name) ? 'Bowline does not follow this key' : 'there is no such key' }
  const read = READERS[POLICY_KEYS[name as PolicyKey]](value)
  return read.ok === undefined ? { why: `the value must be ${read.wanted}` } : read.ok
}

interface Read {
  readonly ok?: PolicyValue | undefined
  readonly wanted: string
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length > 0 && value.length <= MAX_TEXT && !/\p{Cc}/u.test(value)
const oneOf = (all: readonly string[]) => (value: unknown): Read => ({
  ok: all.find((one) => typeof value === 'string' && one === value.trim().toLowerCase()), wanted: all.map((one) => JSON.stringify(one)).join(' or '),
})

const READERS: Readonly<Record<PolicyKind, (value: unknown) => Read>> = {
  text: (value) => ({ ok: isText(value) ? value : undefined, wanted: `a line of 1 to ${MAX_TEXT} characters` }),
  url: (value) => ({ ok: isText(value) && isWebAddress(value) ? value : undefined, wanted: 'a web address like https://headscale.example.com' }),
  'host-name': (value) => ({ ok: isText(value) && /^[A-Za-z0-9._-]{1,63}$/.test(value) ? value : undefined, wanted: 'at most 63 letters, digits, dots and hyphens' }),
  ip: (value) => ({ ok: isText(value) ? canonicalIp(value) : undefined, wanted: 'an IP address' }),
  flag: (value) => ({ ok: typeof value === 'boolean' ? value : undefined, wanted: 'true or false' }),
  choice: oneOf(['always', 'never', 'user-decides']),
  visibility: oneOf(['show', 'hide']),
  duration: (value) => ({ ok: isText(value) && durationMs(value) !== undefined ? value : undefined, wanted: 'a duration like 24h or 1h30m' }),
}

/** http or https, a host, and no user or password in it. */
function isWebAddress(text: string): boolean {
  return /^https?:\/\/[^\s/@?#\\]+([/?#][^\s\\]*)?$/i.test(text)
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds of a duration in Go's form, or undefined; negative ones and those beyond a hundred years are none. */
export function durationMs(text: string): number | undefined {
  if (text === '0') return 0
  if (!/^(\d{1,9}(\.\d{1,9})?(ms|s|m|h)){1,4}$/.test(text)) return undefined
  let total = 0
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) total += Number(count) * UNIT_MS[unit!]!
  return total <= 100 * 365 * 24 * UNIT_MS['h']! ? total : undefined
}
