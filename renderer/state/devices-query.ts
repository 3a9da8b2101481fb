/**
 * What is typed into the search of the list: plain words, and tokens such as `path:relayed` or `owner:"Mateo Ruiz"`. Pure.
 *
 * A word with a colon whose start is no known key is a plain word: addresses have colons too. A token without a value yet asks
 * for nothing. All must hold.
 */
import type { Device } from './devices.ts'
import { fold } from './devices.ts'
import { holdsRoute } from './devices-route.ts'

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

/** Devices that match; hidden ones only where the query asks for them. The same array when all do. */
export function filterDevices(devices: readonly Device[], query: string, marks: Marks = NO_MARKS): readonly Device[] {
  const words = wordsOf(query).filter((word) => word.value !== '')
  const showsHidden = words.some((word) => word.key === 'is' && word.value === 'hidden')
  const tests = words.map((word) => testOf(word, marks))
  if (tests.length === 0 && marks.hidden.size === 0) return devices
  return devices.filter((device) => (showsHidden || !marks.hidden.has(device.id)) && tests.every((test) => test(device)))
}

type Test = (device: Device) => boolean

function testOf({ key, value }: Word, marks: Marks): Test {
  switch (key) {
    case undefined:
      return plain(value, marks)
    case 'path':
      return pathTest(value)
    case 'owner':
      return (device) => fold(device.owner).includes(value)
    case 'tag':
      return (device) => device.peer.Tags?.some((tag) => fold(tag).includes(value)) ?? false
    case 'os':
      return (device) => fold(device.peer.OS).includes(value)
    case 'is':
      return isTest(value, marks)
    case 'route':
      return (device) => holdsRoute([...(device.peer.PrimaryRoutes ?? []), ...routed(device)], value)
    case 'can':
      return (device) => value === 'exit' && device.peer.ExitNodeOption
    case 'version':
      return versionTest(value)
  }
}

function plain(value: string, { nicknames }: Marks): Test {
  const named = new Set(Object.entries(nicknames).flatMap(([id, name]) => (fold(name).includes(value) ? [id] : [])))
  return (device) => textOf(device).includes(value) || named.has(device.id)
}

function pathTest(value: string): Test {
  const kind = Object.hasOwn(PATH_VALUES, value) ? PATH_VALUES[value as keyof typeof PATH_VALUES] : undefined
  return kind === undefined ? ({ path }) => path.kind === value || fold(path.words).includes(value) : ({ path }) => path.kind === kind
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
