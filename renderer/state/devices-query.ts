/**
 * What is typed into the search of the list: plain words, and tokens such as `path:relayed` or `owner:"Mateo Ruiz"`. Pure.
 *
 * A word with a colon whose start is no known key is a plain word: addresses have colons too. A token without a value yet asks
 * for nothing. All must hold.
 */
import type { Device } from './devices.ts'
import { fold } from './devices.ts'
import { holdsRoute } from './devices-route.ts'
import { mayReceive } from './targets.ts'

export const TOKEN_KEYS = ['path', 'tag', 'owner', 'os', 'is', 'route', 'can', 'version'] as const
export type TokenKey = (typeof TOKEN_KEYS)[number]

export const IS_VALUES = ['mine', 'people', 'tagged', 'online', 'pinned', 'hidden', 'blocked'] as const

/** What people call the kinds of paths here. */
export const PATH_VALUES = { direct: 'direct', relayed: 'relay', through: 'peer-relay', trying: 'trying', idle: 'idle', offline: 'offline', unknown: 'unknown' } as const

export interface Word {
  /** Undefined: a plain word. */
  readonly key: TokenKey | undefined
  /** Folded, without quotes. */
  readonly value: string
  /** As it stands in the text. */
  readonly raw: string
  readonly start: number
}

/** What a query may ask besides the devices themselves. */
export interface Marks {
  readonly pinned: ReadonlySet<string>
  readonly hidden: ReadonlySet<string>
  readonly nicknames: Readonly<Record<string, string>>
  /** Node keys of devices with which something was blocked today. */
  readonly blocked: ReadonlySet<string>
}

export const NO_MARKS: Marks = { pinned: new Set(), hidden: new Set(), nicknames: {}, blocked: new Set() }

const WORD = /(?:[^\s"]|"[^"]*"?)+/g

export function wordsOf(query: string): readonly Word[] {
  return [...query.matchAll(WORD)].map((match) => {
    const raw = match[0]
    const colon = raw.indexOf(':')
    const key = TOKEN_KEYS.find((one) => one === raw.slice(0, colon).toLowerCase())
    return { key, value: fold((key === undefined ? raw : raw.slice(colon + 1)).replaceAll('"', '')), raw, start: match.index }
  })
}

const texts = new WeakMap<Device, string>()

/** All that plain words look in, folded. */
function textOf(device: Device): string {
  let text = texts.get(device)
  if (text === undefined) {
    const { peer } = device
    text = fold([device.name, peer.HostName, device.owner, peer.OS, ...(peer.Tags ?? []), ...(peer.TailscaleIPs ?? [])].join('\n'))
    texts.set(device, text)
  }
  return text
}

const textsOfAll = new WeakMap<readonly Device[], readonly string[]>()

/** The same of each device of a list: while somebody types, the list stays the same. */
function textsOf(devices: readonly Device[]): readonly string[] {
  let all = textsOfAll.get(devices)
  if (all === undefined) textsOfAll.set(devices, (all = devices.map(textOf)))
  return all
}

/** Devices that match; hidden ones only where the query asks for them. The same array when all do. */
export function filterDevices(devices: readonly Device[], query: string, marks: Marks = NO_MARKS): readonly Device[] {
  const words = wordsOf(query).filter((word) => word.value !== '')
  const showsHidden = words.some((word) => word.key === 'is' && word.value === 'hidden')
  const tests = words.map((word) => testOf(word, marks, devices))
  if (!showsHidden && marks.hidden.size > 0) tests.unshift((device) => !marks.hidden.has(device.id))
  if (tests.length === 0) return devices
  // One function each, not a list of them for every device: it is called ten thousand times for a key.
  const test = tests.reduceRight((rest, first) => (device, at) => first(device, at) && rest(device, at))
  return devices.filter(test)
}

/** `at` is its place in the list that is searched. */
type Test = (device: Device, at: number) => boolean

/** Whether a text holds a value; each text that comes is looked at once, for many devices have the same. */
function holding(value: string): (text: string) => boolean {
  const known = new Map<string, boolean>()
  return (text) => {
    let holds = known.get(text)
    if (holds === undefined) known.set(text, (holds = fold(text).includes(value)))
    return holds
  }
}

function testOf({ key, value }: Word, marks: Marks, devices: readonly Device[]): Test {
  const holds = holding(value)
  switch (key) {
    case undefined:
      return plain(value, marks, devices)
    case 'path':
      return pathTest(value)
    case 'owner':
      return (device) => holds(device.owner)
    case 'tag':
      return (device) => device.peer.Tags?.some(holds) ?? false
    case 'os':
      return (device) => holds(device.peer.OS)
    case 'is':
      return isTest(value, marks)
    case 'route':
      return (device) => holdsRoute([...(device.peer.PrimaryRoutes ?? []), ...routed(device)], value)
    case 'can':
      return value === 'files' ? mayReceive : (device) => value === 'exit' && device.peer.ExitNodeOption
    case 'version':
      return versionTest(value)
  }
}

function plain(value: string, { nicknames }: Marks, devices: readonly Device[]): Test {
  const all = textsOf(devices)
  const named = new Set(Object.entries(nicknames).flatMap(([id, name]) => (fold(name).includes(value) ? [id] : [])))
  return (device, at) => all[at]!.includes(value) || named.has(device.id)
}

function pathTest(value: string): Test {
  const kind = Object.hasOwn(PATH_VALUES, value) ? PATH_VALUES[value as keyof typeof PATH_VALUES] : undefined
  if (kind !== undefined) return ({ path }) => path.kind === kind
  const holds = holding(value)
  return ({ path }) => path.kind === value || holds(path.words)
}

function isTest(value: string, { pinned, hidden, blocked }: Marks): Test {
  switch (value) {
    case 'mine':
      return (device) => device.mine
    case 'people':
      return (device) => !device.mine && !device.tagged
    case 'tagged':
      return (device) => device.tagged
    case 'online':
      return (device) => device.isSelf || device.peer.Online
    case 'pinned':
      return (device) => pinned.has(device.id)
    case 'hidden':
      return (device) => hidden.has(device.id)
    case 'blocked':
      return (device) => blocked.has(device.peer.PublicKey)
    default:
      return () => false
  }
}

/** Networks that the server let it carry, without its own addresses. */
function routed({ peer }: Device): readonly string[] {
  const own = new Set(peer.TailscaleIPs?.map((ip) => `${ip}/${ip.includes(':') ? 128 : 32}`))
  return (peer.AllowedIPs ?? []).filter((prefix) => !own.has(prefix))
}

function versionTest(value: string): Test {
  const [, sign = '', wanted = ''] = /^([<>]?=?)(.*)$/.exec(value)!
  return ({ peer }) => {
    const version = peer.IPNVersion ?? ''
    if (version === '' || wanted === '') return false
    if (sign === '' || sign === '=') return version === wanted || version.startsWith(`${wanted}.`) || version.startsWith(`${wanted}-`)
    const order = compareVersions(version, wanted)
    return order === 0 ? sign.endsWith('=') : (order < 0) === sign.startsWith('<')
  }
}

/** By their numbers, as many as `b` has. */
function compareVersions(a: string, b: string): number {
  const numbers = (text: string): number[] => text.split('-')[0]!.split('.').map(Number)
  const [ours, theirs] = [numbers(a), numbers(b)]
  for (const [i, their] of theirs.entries()) {
    const difference = (ours[i] ?? 0) - their
    if (difference !== 0 && !Number.isNaN(difference)) return difference
  }
  return 0
}

/** The query with a word more, or without it where it has it already. */
export function toggled(query: string, raw: string): string {
  const words = wordsOf(query)
  const rest = words.filter((word) => word.raw.toLowerCase() !== raw.toLowerCase())
  return (rest.length === words.length ? [...rest.map((word) => word.raw), raw] : rest.map((word) => word.raw)).join(' ')
}

export function hasWord(query: string, raw: string): boolean {
  return wordsOf(query).some((word) => word.raw.toLowerCase() === raw.toLowerCase())
}

/** A value as it is typed: in quotes where it has spaces. */
export function quoted(value: string): string {
  const clean = value.replaceAll('"', '')
  return /\s/.test(clean) ? `"${clean}"` : clean
}
