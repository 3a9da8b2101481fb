/**
 * The change on trial on disk, as `trial`: written before it is made, gone when it is over. What makes no sense in it is no trial.
 */
import type { SavedTrial } from './trial.ts'
import type { WantedChange } from '../../../localapi/machine.ts'
import type { TrialStorePort } from './ports.ts'
import { isRecord, readChange } from './read-change.ts'

const FILE = 'trial'

/** On disk when it returns. Throws EngineError('io'). */
export function saveTrial(store: TrialStorePort, trial: SavedTrial): void {
  store.save(FILE, JSON.stringify({ version: 1, ...trial, losses: [] }))
}

export function forgetTrial(store: TrialStorePort): void {
  store.remove(FILE)
}

export function loadTrial(store: TrialStorePort): SavedTrial | undefined {
  return store.load(FILE, parseTrial)?.value
}

/** undefined: it is none of ours. */
export function parseTrial(text: string): SavedTrial | undefined {
  try {
    const raw: unknown = JSON.parse(text)
    if (!isRecord(raw) || raw['version'] !== 1) return undefined
    const { id, profileId, untilWallMs } = raw
    if (typeof id !== 'string' || typeof profileId !== 'string' || typeof untilWallMs !== 'number') return undefined
    const [change, back, forth] = [raw['change'], raw['back'], raw['forth']].map((one): WantedChange => readChange(one))
    return { id, profileId, untilWallMs, change: change!, back: back!, forth: forth!, losses: [] }
  } catch {
    return undefined
  }
}
