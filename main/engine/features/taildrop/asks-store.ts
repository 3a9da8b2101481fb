/**
 * What people answered when they were asked, as `asks-ID` of a profile: how often they accepted from a device, and what they let in
 * that has not come yet. A file that makes no sense is kept aside by the store, and people are asked again.
 */
import type { AsksKept } from '../../core/taildrop/asks.ts'
import type { OfferItem } from '../../core/taildrop/wire.ts'
import type { TransfersStorePort } from './transfers-store.ts'

const MAX_BATCHES = 1_000
const MAX_ITEMS = 10_000
const MAX_TEXT = 4_096

const fileOf = (profileId: string): string => `asks-${profileId}`

export function loadAsks(store: TransfersStorePort, profileId: string): AsksKept | undefined {
  return store.load(fileOf(profileId), parseAsks)?.value
}

/** On disk when it returns. Throws EngineError('io'). */
export function saveAsks(store: TransfersStorePort, profileId: string, kept: AsksKept): void {
  store.save(fileOf(profileId), JSON.stringify({ version: 1, ...kept }))
}

/** undefined: it is none of ours. What makes no sense in it is left out. */
export function parseAsks(text: string): AsksKept | undefined {
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(raw) || raw['version'] !== 1 || !isRecord(raw['accepted']) || !Array.isArray(raw['batches'])) return undefined
  const accepted = Object.entries(raw['accepted']).filter((pair): pair is [string, number] => isCount(pair[1]))
  return { accepted: Object.fromEntries(accepted), batches: (raw['batches'] as unknown[]).slice(0, MAX_BATCHES).flatMap((one) => batchOf(one) ?? []) }
}

function batchOf(raw: unknown): AsksKept['batches'][number] | undefined {
  if (!isRecord(raw)) return undefined
  const { id, sender, wire, sinceMs, decidedMs, folder, items } = raw
  if (!isText(id) || !isText(sender) || !isTime(sinceMs) || !isTime(decidedMs) || !Array.isArray(items) || items.length > MAX_ITEMS || !items.every(isItem)) return undefined
  if (![wire, folder].every((text) => text === undefined || isText(text))) return undefined
  return { id, sender, sinceMs, decidedMs, items, ...(isText(wire) ? { wire } : {}), ...(isText(folder) ? { folder } : {}) }
}

function isItem(raw: unknown): raw is OfferItem {
  return isRecord(raw) && isText(raw['name']) && typeof raw['isFolder'] === 'boolean' && isCount(raw['files']) && Number.isSafeInteger(raw['size']) && (raw['size'] as number) >= -1
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= MAX_TEXT
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isTime = (value: unknown): value is number => typeof value === 'number' && Math.abs(value) <= 8.64e15

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
