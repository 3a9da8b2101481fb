/**
 * The list in groups, as the person wants them, and as lines that are drawn: a head for each group, then its devices. Pure.
 */
import { safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { Device } from './devices.ts'

export const GROUPINGS = ['kind', 'tag', 'owner', 'network', 'none'] as const
export type Grouping = (typeof GROUPINGS)[number]

/** What an account's view says, else the usual one. */
export function groupingOf(text: string): Grouping {
  return GROUPINGS.find((one) => one === text) ?? 'kind'
}

export interface Group {
  /** Stays the same while names and languages change. */
  readonly key: string
  readonly name: string
  readonly devices: readonly Device[]
}

export type Line =
  | { readonly kind: 'group'; readonly key: string; readonly name: string; readonly count: number; readonly isFolded: boolean }
  | { readonly kind: 'device'; readonly key: string; readonly device: Device; readonly group: string }

const PINNED = 'pinned'
/** Groups without a name of their own come last. */
const LAST = '\uffff'

/** Groups that have a device; the devices of each stay in the order they came in. Pinned ones are in their own group alone. */
export function groupsOf(devices: readonly Device[], grouping: Grouping = 'kind', pinned: ReadonlySet<string> = new Set()): readonly Group[] {
  if (grouping === 'none') return devices.length === 0 ? [] : [{ key: 'all', name: '', devices }]
  const found = new Map<string, { name: string; order: string; devices: Device[] }>()
  for (const device of devices) {
    const key = pinned.size > 0 && pinned.has(device.id) ? PINNED : keyOf(device, grouping)
    let group = found.get(key)
    if (!group) found.set(key, (group = { ...headOf(key, device), devices: [] }))
    group.devices.push(device)
  }
  return [...found].toSorted(([, a], [, b]) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0)).map(([key, { name, devices: own }]) => ({ key, name, devices: own }))
}

function keyOf(device: Device, grouping: Exclude<Grouping, 'none'>): string {
  switch (grouping) {
    case 'kind':
      return device.mine ? 'yours' : device.tagged ? 'tagged' : 'people'
    case 'tag':
      return device.tagged ? `tag:${device.peer.Tags!.toSorted()[0]!}` : 'tag-none'
    case 'owner':
      return device.mine ? 'yours' : device.tagged ? 'owner-none' : `owner:${device.peer.UserID}`
    case 'network': {
      const [network] = device.peer.PrimaryRoutes?.toSorted() ?? []
      return network === undefined ? 'network-none' : `network:${network}`
    }
  }
}

/** How the group of a device is called, and what it is ordered by. */
function headOf(key: string, device: Device): { readonly name: string; readonly order: string } {
  switch (key) {
    case PINNED:
      return { name: t('devices.group.pinned'), order: '' }
    case 'yours':
      return { name: t('devices.group.yours'), order: '1' }
    case 'people':
      return { name: t('devices.group.people'), order: '2' }
    case 'tagged':
      return { name: t('devices.group.tagged'), order: '3' }
    case 'tag-none':
      return { name: t('devices.group.noTag'), order: LAST }
    case 'owner-none':
      return { name: t('devices.group.tagged'), order: LAST }
    case 'network-none':
      return { name: t('devices.group.noNetwork'), order: LAST }
    default: {
      const name = key.startsWith('owner:') ? device.owner : key.slice(key.indexOf(':') + 1)
      return { name: safeText(name), order: `2${name.toLowerCase()}` }
    }
  }
}

interface Part {
  readonly group: Group
  readonly isFolded: boolean
  /** Where its head is, or would be: one before its first device. */
  readonly start: number
}

/**
 * What is drawn, in order: a table of where each group begins. A line is made when it is asked for: of ten thousand, some tens are in view.
 */
export class Lines {
  readonly length: number
  /** Where the heads of groups are. */
  readonly heads: readonly number[]
  readonly #parts: readonly Part[]
  #places: ReadonlyMap<string, number> | undefined

  /** A single group without a name has no head. */
  constructor(groups: readonly Group[], folded: ReadonlySet<string>) {
    const parts: Part[] = []
    let end = 0
    for (const group of groups) {
      const isFolded = group.name !== '' && folded.has(group.key)
      const start = group.name === '' ? end - 1 : end
      parts.push({ group, isFolded, start })
      end = start + 1 + (isFolded ? 0 : group.devices.length)
    }
    this.length = end
    this.heads = parts.filter(({ group }) => group.name !== '').map(({ start }) => start)
    this.#parts = parts
  }

  /** Undefined while all groups are folded. */
  get firstDevice(): string | undefined {
    return this.#parts.find(({ isFolded }) => !isFolded)?.group.devices[0]?.id
  }

  at(index: number): Line | undefined {
    if (index < 0 || index >= this.length) return undefined
    let [low, high] = [0, this.#parts.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#parts[middle]!.start <= index) low = middle
      else high = middle - 1
    }
    const { group, isFolded, start } = this.#parts[low]!
    if (index === start) return { kind: 'group', key: `group ${group.key}`, name: group.name, count: group.devices.length, isFolded }
    const device = group.devices[index - start - 1]!
    return { kind: 'device', key: device.id, device, group: `group ${group.key}` }
  }

  /** The place of a line by its key; undefined when there is none. */
  indexOf(key: string): number | undefined {
    if (this.#places) return this.#places.get(key)
    for (const { group, isFolded, start } of this.#parts) {
      if (group.name !== '' && key === `group ${group.key}`) return start
      const at = isFolded ? -1 : group.devices.findIndex((device) => device.id === key)
      if (at >= 0) return start + 1 + at
    }
    return undefined
  }

  /** All places by key, for who asks for many. */
  places(): ReadonlyMap<string, number> {
    return (this.#places ??= new Map(Array.from(this, (line, index) => [line.key, index])))
  }

  /** IDs of the devices among the lines from `start` to before `end`. */
  devicesOf(start = 0, end = this.length): readonly string[] {
    return Array.from({ length: Math.max(0, Math.min(end, this.length) - start) }, (_, i) => this.at(start + i)!).flatMap((line) => (line.kind === 'device' ? [line.key] : []))
  }

  *[Symbol.iterator](): Generator<Line> {
    for (let i = 0; i < this.length; i++) yield this.at(i)!
  }
}

/** Places of lines: from `start` to before `end`, as far as there are lines, and some besides; each once, in order. */
export function placesOf(start: number, end: number, count: number, besides: readonly number[]): readonly number[] {
  const [from, to] = [Math.max(0, start), Math.min(end, count)]
  const range = Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)
  const more = new Set(besides.filter((place) => place >= 0 && place < count && (place < from || place >= to)))
  return more.size === 0 ? range : [...range, ...more].toSorted((a, b) => a - b)
}
