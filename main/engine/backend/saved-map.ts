/**
 * The saved network map: lets an engine that starts while the server is away go on where it was. It is used only with
 * the node key and server that it was made for.
 */
import { isDecodeError } from '../base/errors.ts'
import { fromJson, toJson } from '../core/netmap/json.ts'
import type { NetMap } from '../core/netmap/types.ts'
import type { StorePort } from './ports.ts'

const FILE = 'netmap'

export interface MapOwner {
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
  store.saveLater(FILE, () => JSON.stringify({ version: 1, ...owner, savedAtMs: wallMs, netMap: toJson(netMap) }))
}

/** The saved map of this owner, or undefined. */
export function loadMap(store: StorePort, owner: MapOwner): SavedMap | undefined {
  return store.load(FILE, (text) => parseSavedMap(text, owner))?.value.saved
}

export function forgetMap(store: StorePort): void {
  store.remove(FILE)
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
  if (version !== 1 || typeof savedAtMs !== 'number') return undefined
  if (nodeKey !== owner.nodeKey || controlUrl !== owner.controlUrl) return { saved: undefined }
  const map = fromJson(netMap)
  return !isDecodeError(map) ? { saved: { netMap: map, savedAtMs } } : undefined
}
