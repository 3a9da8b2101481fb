/**
 * The devices as the window shows them: one of each peer of the status, with its path. Pure.
 *
 * A device that did not change keeps its identity from one look to the next, so that rows are drawn anew only for news.
 */
import type { PathRow, PathsPage, PeerStatus, Status } from '../../preload/contract.ts'
import { safeText } from '../../main/words/format.ts'
import { pathWords, type PathWords } from '../../main/words/states.ts'
import { locale, t } from '../../main/words/words.ts'

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

type Users = Status['User']

/** What a device is made of besides its peer and path. */
interface Around {
  readonly running: boolean
  readonly me: number
  readonly users: Users
  readonly language: string
}

/** Makes devices of looks at the engine, each as cheap as what changed since the last. */
export class DeviceTable {
  #around: Around = { running: false, me: 0, users: null, language: '' }
  #made = new Map<string, Device>()
  #all: readonly Device[] = []

  /** Every device of the network, this one first, the rest by name; the same array when nothing is new. */
  look(status: Status | undefined, paths: readonly PathRow[] | undefined, running: boolean): readonly Device[] {
    if (!status) return (this.#all = [])
    const around: Around = { running, me: status.Self.UserID, users: status.User, language: locale() }
    const same = (['running', 'me', 'users', 'language'] as const).every((key) => around[key] === this.#around[key])
    const rows = new Map(paths?.map((row) => [row.peer, row]))
    const made = new Map<string, Device>()
    let [changed, moved] = [false, false]
    const take = (peer: PeerStatus, isSelf: boolean): void => {
      const old = this.#made.get(peer.ID)
      const row = rows.get(peer.PublicKey)
      const kept = same && old?.peer === peer && old.row === row && old.isSelf === isSelf
      const device = kept ? old : toDevice(peer, row, isSelf, around)
      if (!kept) changed = true
      if (old?.name !== device.name || old.isSelf !== isSelf) moved = true
      made.set(device.id, device)
    }
    if (status.Self.ID !== '') take(status.Self, true)
    for (const peer of Object.values(status.Peer ?? {})) take(peer, false)
    if (made.size !== this.#made.size) [changed, moved] = [true, true]
    // Of the old order nothing is left to move when each name is where it was.
    if (moved) this.#all = [...made.values()].toSorted(byName)
    else if (changed) this.#all = this.#all.map((device) => made.get(device.id)!)
    this.#around = around
    this.#made = made
    return this.#all
  }
}

export function devicesOf(status: Status | undefined, paths: PathsPage | undefined, running: boolean): readonly Device[] {
  return new DeviceTable().look(status, paths?.paths, running)
}

const peerCounts = new WeakMap<object, number>()

/** How many devices the network has, this one among them. The peers are counted once: it is asked with each news of anything. */
export function deviceCount(status: Status | undefined): number {
  if (status === undefined) return 0
  let peers = status.Peer ? peerCounts.get(status.Peer) : 0
  if (peers === undefined) peerCounts.set(status.Peer!, (peers = Object.keys(status.Peer!).length))
  return peers + (status.Self.ID === '' ? 0 : 1)
}

function toDevice(peer: PeerStatus, row: PathRow | undefined, isSelf: boolean, { running, me, users }: Around): Device {
  const tagged = (peer.Tags?.length ?? 0) > 0
  const mine = !tagged && peer.UserID === me
  const user = users?.[String(peer.UserID)]
  return {
    id: peer.ID,
    name: safeText(deviceName(peer)),
    owner: tagged ? safeText(peer.Tags!.join(' ')) : mine ? t('devices.you') : safeText(user?.DisplayName || user?.LoginName || t('devices.ownerUnknown')),
    address: peer.TailscaleIPs?.[0] ?? '',
    path: isSelf ? { kind: 'self', words: t('devices.thisDevice'), latencyMs: undefined } : pathWords(peer, row, running),
    mine, tagged, isSelf, peer, row,
  }
}

/** The first label of the network name, else the machine's own name for itself. */
export function deviceName(peer: PeerStatus): string {
  const label = peer.DNSName.split('.')[0]!
  return label === '' ? peer.HostName || peer.ID : label
}

/** As people compare text: without case and accents. */
export function fold(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return /^[\u0000-\u007f]*$/.test(text) ? text.toLowerCase() : text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase()
}

/** What names are ordered by: numbers in them by their value, web-2 before web-10. */
export const orderKey = (name: string): string => fold(name).replaceAll(/\d{1,9}/g, (digits) => digits.padStart(10, '0'))

const keys = new WeakMap<Device, string>()

/** Made once for a device. */
export function nameKey(device: Device): string {
  let key = keys.get(device)
  if (key === undefined) {
    key = orderKey(device.name)
    keys.set(device, key)
  }
  return key
}

/** This device, then by name, then by ID. */
export function byName(a: Device, b: Device): number {
  if (a.isSelf !== b.isSelf) return a.isSelf ? -1 : 1
  const [one, other] = [nameKey(a), nameKey(b)]
  return one < other ? -1 : one > other ? 1 : a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}
