/**
 * The devices as the list shows them: rows from status and paths, in groups, filtered by words and tokens. Pure.
 */
import type { PathRow, PathsPage, PeerStatus, Status } from '../../preload/contract.ts'
import { safeText } from '../../main/words/format.ts'
import { pathWords, type PathWords } from '../../main/words/states.ts'

export interface Device {
  /** Stable ID: the row's key. */
  readonly id: string
  readonly name: string
  /** Owner's name, "You", or the tags. */
  readonly owner: string
  readonly address: string
  readonly path: PathWords
  readonly mine: boolean
  readonly tagged: boolean
  readonly isSelf: boolean
  readonly peer: PeerStatus
  readonly row: PathRow | undefined
}

export type GroupName = 'Yours' | 'People' | 'Tagged'

export interface Group {
  readonly name: GroupName
  readonly devices: readonly Device[]
}

/** Every device of the network, this one first among yours. */
export function devicesOf(status: Status | undefined, paths: PathsPage | undefined, engineRunning: boolean): readonly Device[] {
  if (!status) return []
  const rows = new Map(paths?.paths.map((row) => [row.peer, row]))
  const me = status.Self.UserID
  const toDevice = (peer: PeerStatus, isSelf: boolean): Device => {
    const tagged = (peer.Tags?.length ?? 0) > 0
    const mine = !tagged && peer.UserID === me
    const user = status.User?.[String(peer.UserID)]
    const row = rows.get(peer.PublicKey)
    return {
      id: peer.ID,
      name: safeText(deviceName(peer)),
      owner: tagged ? safeText(peer.Tags!.join(' ')) : mine ? 'You' : safeText(user?.DisplayName || user?.LoginName || 'Unknown'),
      address: peer.TailscaleIPs?.[0] ?? '',
      path: isSelf ? { kind: 'self', words: 'This device', latencyMs: undefined } : pathWords(peer, row, engineRunning),
      mine, tagged, isSelf, peer, row,
    }
  }
  const peers = Object.values(status.Peer ?? {}).map((peer) => toDevice(peer, false))
  peers.sort((a, b) => a.name.localeCompare(b.name, 'en') || a.id.localeCompare(b.id))
  return status.Self.ID === '' ? peers : [toDevice(status.Self, true), ...peers]
}

/** The first label of the network name, else the machine's own name for itself. */
export function deviceName(peer: PeerStatus): string {
  const label = peer.DNSName.split('.')[0]!
  return label === '' ? peer.HostName || peer.ID : label
}

/** Groups that have a device, in their fixed order. */
export function groupsOf(devices: readonly Device[]): readonly Group[] {
  const groups: Group[] = [
    { name: 'Yours', devices: devices.filter((device) => device.mine) },
    { name: 'People', devices: devices.filter((device) => !device.mine && !device.tagged) },
    { name: 'Tagged', devices: devices.filter((device) => device.tagged) },
  ]
  return groups.filter((group) => group.devices.length > 0)
}

/** Keeps devices that match every word; tokens: path:direct, owner:name, tag:x, os:linux, is:mine, is:online. */
export function filterDevices(devices: readonly Device[], query: string): readonly Device[] {
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== '')
  return words.length === 0 ? devices : devices.filter((device) => words.every((word) => matches(device, word)))
}

function matches(device: Device, word: string): boolean {
  const colon = word.indexOf(':')
  const key = colon > 0 ? word.slice(0, colon) : ''
  const value = word.slice(colon + 1)
  switch (key) {
    case 'path':
      return device.path.words.toLowerCase().includes(value) || device.path.kind === value
    case 'owner':
      return device.owner.toLowerCase().includes(value)
    case 'tag':
      return device.peer.Tags?.some((tag) => tag.toLowerCase().includes(value)) ?? false
    case 'os':
      return device.peer.OS.toLowerCase().includes(value)
    case 'is':
      return value === 'mine' ? device.mine : value === 'online' ? device.peer.Online || device.isSelf : false
    default:
      return [device.name, device.owner, device.peer.OS, ...(device.peer.TailscaleIPs ?? [])].some((text) => text.toLowerCase().includes(word))
  }
}

/** "5 devices. Talking to 2: 1 direct, 1 relayed" */
export function talkSummary(devices: readonly Device[]): string {
  const others = devices.filter((device) => !device.isSelf)
  const count = (kind: string): number => others.filter((device) => device.path.kind === kind).length
  const parts = ([['direct', 'direct'], ['peer-relay', 'through a device'], ['relay', 'relayed'], ['trying', 'trying']] as const)
    .map(([kind, words]) => [count(kind), words] as const)
    .filter(([n]) => n > 0)
  const total = parts.reduce((sum, [n]) => sum + n, 0)
  const head = `${devices.length} ${devices.length === 1 ? 'device' : 'devices'}.`
  return total === 0 ? `${head} Talking to none.` : `${head} Talking to ${total}: ${parts.map(([n, words]) => `${n} ${words}`).join(', ')}`
}
