/**
 * The settings that are Bowline's own, as pure functions: what was saved, and how a change is taken.
 *
 * What was saved is taken field by field: a field that is not as it should be has its default, so that a fault in one never
 * costs the others. A change is refused whole, in words for a person. Forwards are changed one by one, not here.
 */
import { canonicalIp, formatAddrPort, isLoopbackIp, networkOf, parseAddrPort, parsePrefix } from '../base/ip.ts'
import { EngineError } from '../base/errors.ts'
import { DEFAULT_EXTRAS } from '../../localapi/extras.ts'
import { DEFAULT_TAILDROP } from '../../localapi/transfers.ts'
import type { IncomingRule, TaildropSettings } from '../../localapi/transfers.ts'
import { isTarget } from './forward-address.ts'
import type { ExitNodeFailure, Extras, Forward } from '../../localapi/extras.ts'

const MAX_ITEMS = 1000
const MAX_TEXT = 300
const MAX_PATH = 4_000
const FAILURES: readonly string[] = ['block', 'next', 'direct'] satisfies ExitNodeFailure[]

/** Settings of the saved text's JSON; never fails. */
export function readExtras(raw: unknown): Extras {
  if (!isRecord(raw)) return DEFAULT_EXTRAS
  const forwards = Array.isArray(raw['Forwards']) ? raw['Forwards'].slice(0, MAX_ITEMS).map(readForward).filter((one) => one !== undefined) : []
  return {
    SkippedRoutes: prefixesOf(raw['SkippedRoutes']) ?? [],
    ExitNodeFailure: failureOf(raw['ExitNodeFailure']) ?? 'block',
    ExitNodeOrder: textsOf(raw['ExitNodeOrder']) ?? [],
    Forwards: forwards.filter((one, i) => forwards.findIndex((other) => other.ID === one.ID) === i),
    Taildrop: readTaildrop(raw['Taildrop']),
  }
}

/** The settings after a change of some fields; throws EngineError('bad-prefs'). */
export function changeExtras(before: Extras, change: unknown): Extras {
  if (!isRecord(change)) throw refused('Send a JSON object.')
  const out: { -readonly [F in keyof Extras]: Extras[F] } = { ...before }
  for (const [field, value] of Object.entries(change)) {
    if (field === 'SkippedRoutes') out.SkippedRoutes = prefixesOf(value) ?? fail('SkippedRoutes wants a list of networks like 10.0.3.0/24, without host bits.')
    else if (field === 'ExitNodeFailure') out.ExitNodeFailure = failureOf(value) ?? fail(`ExitNodeFailure is one of ${FAILURES.join(', ')}.`)
    else if (field === 'ExitNodeOrder') out.ExitNodeOrder = textsOf(value) ?? fail('ExitNodeOrder wants a list of stable IDs.')
    else if (field === 'Taildrop') out.Taildrop = changeTaildrop(before.Taildrop, value)
    else throw refused(`There is no setting ${JSON.stringify(field.slice(0, 50))} to change here.`)
  }
  return out
}

const RULES: readonly string[] = ['ask', 'accept', 'refuse'] satisfies IncomingRule[]
const ruleOf = (value: unknown): IncomingRule | undefined => (RULES.includes(value as string) ? (value as IncomingRule) : undefined)

/** Absolute and without "..", or empty; whether it is there is asked when something comes. */
function folderOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > MAX_PATH || /[\0\n\r]/.test(value)) return undefined
  const isAbsolute = value.startsWith('/') || /^[A-Za-z]:[\\/]/.test(value) || value.startsWith('\\\\')
  return value === '' || (isAbsolute && !value.split(/[\\/]/).includes('..')) ? value : undefined
}

function sendersOf(value: unknown): TaildropSettings['Senders'] | undefined {
  if (!isRecord(value)) return undefined
  const pairs = Object.entries(value)
  const isFine = pairs.length <= MAX_ITEMS && pairs.every(([id, rule]) => /^[\w.-]{1,64}$/.test(id) && ruleOf(rule) !== undefined)
  return isFine ? Object.fromEntries(pairs as [string, IncomingRule][]) : undefined
}

function readTaildrop(raw: unknown): TaildropSettings {
  if (!isRecord(raw)) return DEFAULT_TAILDROP
  const { Folder, Own, Others } = DEFAULT_TAILDROP
  return { Folder: folderOf(raw['Folder']) ?? Folder, Own: ruleOf(raw['Own']) ?? Own, Others: ruleOf(raw['Others']) ?? Others, Senders: sendersOf(raw['Senders']) ?? {} }
}

/** The fields that are named; `Senders` whole. */
function changeTaildrop(before: TaildropSettings, change: unknown): TaildropSettings {
  if (!isRecord(change)) throw refused('Taildrop wants an object.')
  const out: { -readonly [F in keyof TaildropSettings]: TaildropSettings[F] } = { ...before }
  for (const [field, value] of Object.entries(change)) {
    if (field === 'Folder') out.Folder = folderOf(value) ?? fail('Folder wants an absolute path, or nothing.')
    else if (field === 'Own' || field === 'Others') out[field] = ruleOf(value) ?? fail(`${field} is one of ${RULES.join(', ')}.`)
    else if (field === 'Senders') out.Senders = sendersOf(value) ?? fail(`Senders wants a rule (${RULES.join(', ')}) by stable ID.`)
    else throw refused(`Taildrop has no setting ${JSON.stringify(field.slice(0, 50))}.`)
  }
  return out
}

function fail(text: string): never {
  throw refused(text)
}

function refused(text: string): EngineError {
  return new EngineError('bad-prefs', text)
}

function readForward(raw: unknown): Forward | undefined {
  if (!isRecord(raw)) return undefined
  const { ID, Proto, Listen, To, Created } = raw
  const at = typeof Listen === 'string' ? parseAddrPort(Listen) : undefined
  const isWhole = typeof ID === 'string' && /^[a-z0-9]{1,16}$/.test(ID) && (Proto === 'tcp' || Proto === 'udp') && at !== undefined && isLoopbackIp(at.ip) && at.port > 0
  if (!isWhole || typeof To !== 'string' || !isTarget(To) || typeof Created !== 'string' || Created.length > MAX_TEXT) return undefined
  return { ID, Proto, Listen: formatAddrPort(at), To, Created }
}

function failureOf(value: unknown): ExitNodeFailure | undefined {
  return FAILURES.includes(value as string) ? (value as ExitNodeFailure) : undefined
}

function textsOf(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_ITEMS) return undefined
  return value.every((item): item is string => typeof item === 'string' && item.length <= MAX_TEXT) ? [...new Set(value)] : undefined
}

/** Canonical, sorted, each once. */
function prefixesOf(value: unknown): readonly string[] | undefined {
  const found = textsOf(value)?.map((text) => {
    const prefix = parsePrefix(text)
    return prefix && networkOf(prefix.ip, prefix.bits) === `${prefix.ip}/${prefix.bits}` && canonicalIp(prefix.ip) !== undefined ? `${prefix.ip}/${prefix.bits}` : undefined
  })
  return found?.every((prefix) => prefix !== undefined) ? [...new Set(found)].sort() : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
