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
    const { key, name, order } = pinned.has(device.id) ? { key: PINNED, name: t('devices.group.pinned'), order: '' } : placeOf(device, grouping)
    const group = found.get(key)
    if (group) group.devices.push(device)
    else found.set(key, { name, order, devices: [device] })
  }
  return [...found].toSorted(([, a], [, b]) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0)).map(([key, { name, devices: own }]) => ({ key, name, devices: own }))
}

interface GroupPlace {
  readonly key: string
  readonly name: string
  readonly order: string
}

function placeOf(device: Device, grouping: Exclude<Grouping, 'none'>): GroupPlace {
  const named = (name: string): GroupPlace => ({ key: `${grouping}:${name}`, name: safeText(name), order: `2${name.toLowerCase()}` })
  const without = (name: string): GroupPlace => ({ key: `${grouping}-none`, name, order: LAST })
  switch (grouping) {
    case 'kind':
      if (device.mine) return { key: 'yours', name: t('devices.group.yours'), order: '1' }
      return device.tagged ? { key: 'tagged', name: t('devices.group.tagged'), order: '3' } : { key: 'people', name: t('devices.group.people'), order: '2' }
    case 'tag':
      return device.tagged ? named(device.peer.Tags!.toSorted()[0]!) : without(t('devices.group.noTag'))
    case 'owner':
      if (device.mine) return { key: 'yours', name: t('devices.group.yours'), order: '1' }
      return device.tagged ? without(t('devices.group.tagged')) : { ...named(device.owner), key: `owner:${device.peer.UserID}` }
    case 'network': {
      const [network] = device.peer.PrimaryRoutes?.toSorted() ?? []
      return network === undefined ? without(t('devices.group.noNetwork')) : named(network)
    }
  }
}

/** What is drawn, in order. A single group without a name has no head. */
export function linesOf(groups: readonly Group[], folded: ReadonlySet<string>): readonly Line[] {
  const lines: Line[] = []
  for (const { key, name, devices } of groups) {
    const isFolded = folded.has(key)
    if (name !== '') lines.push({ kind: 'group', key: `group ${key}`, name, count: devices.length, isFolded })
    if (!isFolded || name === '') for (const device of devices) lines.push({ kind: 'device', key: device.id, device, group: `group ${key}` })
  }
  return lines
}
