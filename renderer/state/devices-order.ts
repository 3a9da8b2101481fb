/**
 * The order inside a group: by name, or by a column that the person chose. Pure.
 *
 * A column whose values change by themselves would move rows under the pointer: while somebody is in the list the order is held,
 * and the list says that it is no longer the one of the column.
 */
import { byName, fold, type Device } from './devices.ts'
import type { Column } from './devices-columns.ts'

export interface Sort {
  readonly column: Column
  readonly isDown: boolean
}

export const BY_NAME: Sort = { column: 'name', isDown: false }

/** What a press on a column's head makes of the order: it, then turned round, then by name again. */
export function nextSort(sort: Sort, column: Column): Sort {
  if (sort.column !== column) return { column, isDown: false }
  return sort.isDown ? BY_NAME : { column, isDown: true }
}

const PATHS: readonly string[] = ['self', 'direct', 'peer-relay', 'relay', 'trying', 'idle', 'blocked', 'unknown', 'offline']

/** What a device is ordered by; undefined comes last in both directions. */
type Key = (device: Device) => string | number | undefined

const KEYS: Readonly<Record<Exclude<Column, 'name'>, Key>> = {
  owner: (device) => fold(device.owner),
  address: (device) => addressKey(device.address),
  path: (device) => PATHS.indexOf(device.path.kind),
  roundTrip: (device) => device.path.latencyMs,
  // The later, the smaller its age.
  heard: ({ peer }) => negative(time(peer.LastHandshake) ?? (peer.Online ? undefined : time(peer.LastSeen))),
  since: ({ row }) => negative(time(row?.since)),
  server: ({ peer, isSelf }) => (isSelf || peer.Online ? 0 : 1),
  os: (device) => (device.peer.OS === '' ? undefined : fold(device.peer.OS)),
}

const negative = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : -ms)

function time(rfc3339: string | undefined): number | undefined {
  if (rfc3339 === undefined || rfc3339.startsWith('0001-')) return undefined
  const ms = Date.parse(rfc3339)
  return Number.isNaN(ms) ? undefined : ms
}

/** IPv4 by its numbers, before IPv6 as text. */
function addressKey(address: string): string | undefined {
  if (address === '') return undefined
  return address.includes(':') ? `~${address}` : address.split('.').map((part) => part.padStart(3, '0')).join('.')
}

/** In the order of the column; equal ones keep the order by name. `devices` come by name. */
export function sorted(devices: readonly Device[], { column, isDown }: Sort): readonly Device[] {
  if (column === 'name') return isDown ? devices.toSorted((a, b) => byName(b, a)) : devices
  const key = KEYS[column]
  const keyed = devices.map((device) => ({ device, key: key(device) }))
  const sign = isDown ? -1 : 1
  keyed.sort((a, b) => {
    if (a.key === b.key) return 0
    if (a.key === undefined || b.key === undefined) return a.key === undefined ? 1 : -1
    return a.key < b.key ? -sign : sign
  })
  return keyed.map(({ device }) => device)
}

/** The wanted devices in the order they had; new ones behind. `isStale` when that is no longer the wanted order. */
export function held(order: readonly string[], wanted: readonly Device[]): { readonly devices: readonly Device[]; readonly isStale: boolean } {
  const place = new Map(order.map((id, index) => [id, index]))
  const devices = wanted.toSorted((a, b) => (place.get(a.id) ?? Infinity) - (place.get(b.id) ?? Infinity) || 0)
  return { devices, isStale: devices.some((device, index) => device !== wanted[index]) }
}
