/**
 * The JSON inside a join link: checked field by field. Whoever signed it is a stranger until a person says otherwise.
 */
import { canonicalIp, isIp4, isLoopbackIp, isPrivateIp, isTailscaleIp } from '../../base/ip.ts'
import { refused, type JoinContent, type JoinRefusal, type JoinSettings } from './link-types.ts'

const KNOWN: readonly string[] = ['server', 'org', 'contact', 'signIn', 'pins', 'set', 'until']
const KNOWN_SETTINGS: readonly string[] = ['routes', 'names', 'exitNode', 'shields']
const MAX_NAME = 60
const MAX_CONTACT = 120
const MAX_PINS = 4
const MAX_DEPTH = 4
/** Ten years after now nobody will remember such a link; 2100-01-01. */
const LAST_SECOND = 4_102_444_800

/** Names of fields in which somebody might put a key. */
const SECRET_NAME = /key|secret|token|passw|passphrase|credential|^auth|private|psk/i
/** Keys as servers of this kind give them out, key files, and anything long and random. */
const SECRET_VALUE = /tskey-|hskey-|nodekey:|privkey:|mkey:|-----BEGIN|eyJ[\w-]{10,}\./i
const LONG_RANDOM = /[\da-f]{40,}|[\w+/-]{40,}={0,2}/i
/** Control characters, those that turn the reading direction or are not seen, halves of pairs. */
const UNFIT = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/u

type Checked = { readonly kind: 'content'; readonly content: JoinContent } | JoinRefusal

class Wrong extends Error {
  readonly refusal: JoinRefusal

  constructor(refusal: JoinRefusal) {
    super(refusal.code)
    this.refusal = refusal
  }
}

/** The content when all of it is fit. */
export function checkContent(json: unknown): Checked {
  try {
    const fields = record(json, 'link')
    noSecrets(fields, 0)
    const { server, org, contact = '', signIn = '', pins = [], set = {}, until } = fields
    const untilSec = typeof until === 'number' && Number.isInteger(until) && until > 0 && until < LAST_SECOND ? until : wrong('bad-field', 'until')
    const content = {
      server: origin(server), org: shownText(org, 'org', MAX_NAME, 1), contact: shownText(contact, 'contact', MAX_CONTACT, 0), signIn: signInHost(signIn),
      pins: pinList(pins), settings: settingsOf(record(set, 'set')), untilMs: untilSec * 1000,
    }
    return { kind: 'content', content }
  } catch (error) {
    if (error instanceof Wrong) return error.refusal
    throw error
  }
}

/** The same as it stands in a link. */
export function writeContent({ server, org, contact, signIn, pins, settings, untilMs }: JoinContent): Record<string, unknown> {
  return {
    server, org, ...(contact === '' ? {} : { contact }), ...(signIn === '' ? {} : { signIn }), ...(pins.length === 0 ? {} : { pins }),
    ...(Object.keys(settings).length === 0 ? {} : { set: settings }), until: Math.floor(untilMs / 1000),
  }
}

function wrong(code: JoinRefusal['code'], detail: string): never {
  throw new Wrong(refused(code, detail))
}

function record(value: unknown, name: string): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : wrong('bad-field', name)
}

/** Refuses what looks like a secret anywhere, in known fields too. Pins are hashes and known by their place. */
function noSecrets(value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) wrong('bad-form', 'depth')
  if (typeof value === 'string' && SECRET_VALUE.test(value)) wrong('holds-secret', '')
  if (typeof value !== 'object' || value === null) return
  for (const [name, one] of Object.entries(value)) {
    const known = depth === 0 ? KNOWN.includes(name) : depth === 1 && KNOWN_SETTINGS.includes(name)
    const inList = Array.isArray(value)
    if (!known && !inList && (SECRET_NAME.test(name) || SECRET_VALUE.test(name))) wrong('holds-secret', '')
    if (!known && !inList) noLongText(one, depth)
    noSecrets(one, depth + 1)
  }
}

/** In a field of a later version nothing long and random may stand. */
function noLongText(value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) wrong('bad-form', 'depth')
  if (typeof value === 'string' && LONG_RANDOM.test(value)) wrong('holds-secret', '')
  if (typeof value === 'object' && value !== null) for (const one of Object.values(value)) noLongText(one, depth + 1)
}

function text(value: unknown, name: string): string {
  return typeof value === 'string' ? value : wrong('bad-field', name)
}

function shownText(value: unknown, name: string, most: number, least: number): string {
  const said = text(value, name)
  if (said.length > most || said.length < least || said.trim() !== said) wrong('bad-field', name)
  return UNFIT.test(said) ? wrong('bad-text', name) : said
}

/** Scheme, host and port in their one spelling. Without TLS only on this computer and in private networks by address. */
function origin(value: unknown): string {
  const said = text(value, 'server')
  const [, scheme, host, port] = /^(https?):\/\/(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::([1-9]\d{0,4}))?$/.exec(said) ?? wrong('bad-server', 'server')
  const bare = host!.replace(/^\[|\]$/g, '')
  const ip = canonicalIp(bare)
  if (ip === undefined ? host!.startsWith('[') || !isHostName(bare) : ip !== bare || isIp4(ip) === host!.startsWith('[')) wrong('bad-server', 'server')
  if (port !== undefined && (Number(port) > 65_535 || port === (scheme === 'https' ? '443' : '80'))) wrong('bad-server', 'server')
  const isNear = bare === 'localhost' || (ip !== undefined && (isLoopbackIp(ip) || isPrivateIp(ip)))
  return scheme === 'http' && !isNear ? wrong('bad-server', 'server') : said
}

/** A name in lower case; one that ends in a number would be read as an address. */
function isHostName(name: string): boolean {
  const labels = name.split('.')
  return labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label)) && !/^\d+$|^0x[0-9a-f]*$/.test(labels.at(-1)!)
}

function signInHost(value: unknown): string {
  const said = text(value, 'signIn')
  return said === '' || (said.length <= 253 && isHostName(said)) || canonicalIp(said) === said ? said : wrong('bad-field', 'signIn')
}

function pinList(value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length > MAX_PINS) return wrong('bad-field', 'pins')
  return value.map((pin) => (typeof pin === 'string' && /^[0-9a-f]{64}$/.test(pin) ? pin : wrong('bad-field', 'pins')))
}

function settingsOf({ routes, names, exitNode, shields }: Record<string, unknown>): JoinSettings {
  const flag = (value: unknown, name: string): boolean => (typeof value === 'boolean' ? value : wrong('bad-field', name))
  return {
    ...(routes === undefined ? {} : { routes: flag(routes, 'routes') }),
    ...(names === undefined ? {} : { names: flag(names, 'names') }),
    ...(exitNode === undefined ? {} : { exitNode: exitNodeOf(exitNode) }),
    ...(shields === undefined ? {} : { shields: flag(shields, 'shields') }),
  }
}

function exitNodeOf(value: unknown): string {
  const said = text(value, 'exitNode')
  return said === 'none' || said === 'auto' || (canonicalIp(said) === said && isTailscaleIp(said)) ? said : wrong('bad-field', 'exitNode')
}
