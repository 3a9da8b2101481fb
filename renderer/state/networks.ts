/**
 * Networks behind devices, and services of devices brought to this computer, as the device page shows them. Pure.
 */
import type { BlockedPage, ForwardRow, ForwardsPage, OfferedRoute, RouteRow, RoutesPage } from '../../preload/contract.ts'
import type { Device } from './devices.ts'
import { ago, safeText, sentence } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'

export interface RouteLine {
  readonly prefix: string
  readonly state: RouteRow['State']
  readonly words: string
  /** Why it is so, as the engine says it; that none at all is used is said once, above. */
  readonly why: string
  /** The person may let it be used, or leave it out; undefined where that changes nothing now. */
  readonly use: boolean | undefined
}

/** The networks that a device offers, carried by it or not. */
export function routesBehind(page: RoutesPage | undefined, device: string): readonly RouteLine[] {
  const rows = page?.Routes.filter((row) => row.Via?.ID === device || row.Standby.some((other) => other.ID === device)) ?? []
  return rows.map((row) => lineOf(row, device))
}

function lineOf(row: RouteRow, device: string): RouteLine {
  const others = row.State === 'used' ? [] : row.Standby.filter((one) => one.ID !== device)
  const also = others.length === 0 ? '' : ` ${t('device.networks.also', { devices: others.map((one) => safeText(one.Name, 60)).join(', ') })}`
  return {
    prefix: row.Prefix,
    state: row.State,
    words: row.State === 'used' && row.Via !== undefined && row.Via.ID !== device ? t('device.networks.other') : t(`device.network.${row.State}`),
    why: `${row.State === 'not-accepted' ? '' : sentence(row.Why)}${also}`.trim(),
    use: row.State === 'used' ? true : row.State === 'skipped' || row.State === 'not-accepted' ? false : undefined,
  }
}

/** "Approved, in use by 3 connections" */
export function offeredWords(route: OfferedRoute): string {
  if (!route.Approved) return t('device.offer.waiting')
  if (!route.Primary) return t('device.offer.standby')
  return route.Flows === 0 ? t('device.offer.unused') : t('device.offer.used', { n: route.Flows })
}

/** Routes of a device that are networks: what an exit node offers is told elsewhere. */
export const isNetwork = (prefix: string): boolean => prefix !== '0.0.0.0/0' && prefix !== '::/0'

export interface BlockedLine {
  readonly why: string
  /** "3 times, last 12 s ago" */
  readonly when: string
}

/** What did not get through between this device and another, the latest first. */
export function blockedWith(page: BlockedPage | undefined, nodeKey: string, nowMs: number, limit: number): readonly BlockedLine[] {
  const rows = page?.Rows.filter((row) => row.PeerKey === nodeKey).slice(0, limit) ?? []
  return rows.map((row) => {
    const last = ago(nowMs - Date.parse(row.Last))
    // It begins with a name, which stays as it is; its code is for the command line.
    const why = safeText(row.Why.replace(/ \([a-z-]+\)$/, ''), 300)
    return { why: `${why}.`, when: row.Count === 1 ? last : t('device.blocked.times', { n: row.Count, when: last }) }
  })
}

/** Forwards that lead to a device, by name or address; all of them without one. */
export function forwardsTo(page: ForwardsPage | undefined, device: Device | undefined): readonly ForwardRow[] {
  if (!page || !device) return page?.Forwards ?? []
  const full = device.peer.DNSName.replace(/\.$/, '').toLowerCase()
  const names = new Set([full, full.split('.')[0]!, ...(device.peer.TailscaleIPs ?? [])])
  return page.Forwards.filter((forward) => names.has(hostOf(forward.To)))
}

/** Of "db:5432", "[fd7a::1]:53". */
function hostOf(to: string): string {
  const colon = to.lastIndexOf(':')
  return to.slice(0, colon < 0 ? to.length : colon).replace(/^\[|\]$/g, '').replace(/\.$/, '').toLowerCase()
}

/** Name and port of a forward's far end: with the device's whole name, which is its alone. */
export function forwardTarget(device: Device, port: number): string {
  const name = device.peer.DNSName.replace(/\.$/, '')
  return name === '' ? (device.address.includes(':') ? `[${device.address}]:${port}` : `${device.address}:${port}`) : `${name}:${port}`
}

/** Its name is a word, or the same in every language; `isWeb`: a browser shows it. */
export type Service = { readonly port: number; readonly isWeb: boolean } & ({ readonly name: string } | { readonly word: 'web' | 'https' | 'rdp' | 'vnc' })

/** What devices most often offer. */
export const SERVICES: readonly Service[] = [
  { port: 80, word: 'web', isWeb: true },
  { port: 443, word: 'https', isWeb: true },
  { port: 22, name: 'SSH', isWeb: false },
  { port: 3389, word: 'rdp', isWeb: false },
  { port: 5900, word: 'vnc', isWeb: false },
  { port: 5432, name: 'PostgreSQL', isWeb: false },
  { port: 3306, name: 'MySQL', isWeb: false },
]

/** The command that uses a door, where there is a usual one. */
export function commandFor(port: number, door: string): string {
  const [host, doorPort] = [door.slice(0, door.lastIndexOf(':')), door.slice(door.lastIndexOf(':') + 1)]
  return port === 22 ? `ssh -p ${doorPort} ${host}` : ''
}
