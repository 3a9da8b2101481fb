/**
 * The saved network map of a profile: lets an engine that starts while the server is away go on where it was. It is used
 * only with the node key and server that it was made for.
 */
import { isDecodeError } from '../base/errors.ts'
import { fromJson, toJson } from '../core/netmap/json.ts'
import type { NetMap } from '../core/netmap/types.ts'
import type { StorePort } from './ports.ts'

/** Before there were profiles. */
const OLD_FILE = 'netmap'

const MAX_DATE_MS = 8.64e15

const fileOf = (profileId: string): string => `netmap-${profileId}`

export interface MapOwner {
  readonly profileId: string
  /** Public node key. */
  readonly nodeKey: string
  readonly controlUrl: string
}

export interface SavedMap {
  readonly netMap: NetMap
  readonly savedAtMs: number
}

/** Puts the map on disk soon; the text is made only when it is written. */
export function saveMap(store: StorePort, netMap: NetMap, owner: MapOwner, wallMs: number): void {
  const { profileId, ...marks } = owner
  store.saveLater(fileOf(profileId), () => JSON.stringify({ version: 1, ...marks, savedAtMs: wallMs, netMap: toJson(netMap) }))
}

/** The saved map of this owner, or undefined. */
export function loadMap(store: StorePort, owner: MapOwner): SavedMap | undefined {
  return store.load(fileOf(owner.profileId), (text) => parseSavedMap(text, owner))?.value.saved
}

/** Takes away all that is kept for one profile beside the state itself. */
export function forgetFiles(store: StorePort, profileId: string): void {
  forgetMap(store, profileId)
  for (const kind of ['transfers', 'asks']) store.remove(`${kind}-${profileId}`)
}

export function forgetMap(store: StorePort, profileId: string): void {
  store.remove(fileOf(profileId))
}

/** Gives the map of the time before profiles to this one. */
export function renameOldMap(store: StorePort, profileId: string): void {
  const old = store.load(OLD_FILE, (text) => text)
  if (!old) return
  store.save(fileOf(profileId), old.value)
  store.remove(OLD_FILE)
}

/** A good file of another owner is no damage: `saved` is undefined then. */
function parseSavedMap(text: string, owner: MapOwner): { saved: SavedMap | undefined } | undefined {
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof raw !== 'object' || raw === null) return undefined
  const { version, nodeKey, controlUrl, savedAtMs, netMap } = raw as Record<string, unknown>
  // Other numbers have no date.
  if (version !== 1 || typeof savedAtMs !== 'number' || !(Math.abs(savedAtMs) <= MAX_DATE_MS)) return undefined
  if (nodeKey !== owner.nodeKey || controlUrl !== owner.controlUrl) return { saved: undefined }
  const map = fromJson(netMap)
  return !isDecodeError(map) ? { saved: { netMap: map, savedAtMs } } : undefined
}
