/**
 * What previews and trials need of the rest, in their own words.
 */
import type { PreviewFacts } from '../../core/preview/facts.ts'
import type { WantedOutcome, WantedValues } from '../../backend/wanted-changes.ts'
import type { MachineMode, MachinePage, WantedChange } from '../../../localapi/machine.ts'

/** Settings and plans, as they are and as a change would make them. */
export interface WantedPort {
  values(): WantedValues
  profileId(): string
  selfAddresses(): readonly string[]
  /** Throws EngineError('bad-prefs' | 'managed-by-policy'). */
  valuesAfter(change: WantedChange): WantedValues
  outcome(): WantedOutcome
  outcomeOf(values: WantedValues): WantedOutcome
}

/** Makes changes. */
export interface ChangePort {
  /** Throws EngineError('bad-prefs' | 'managed-by-policy'). */
  editPrefs(mask: NonNullable<WantedChange['Prefs']>): void
  setSkippedRoutes(prefixes: readonly string[]): void
  /** Rejects with EngineError when the computer cannot be taken. */
  setMode(mode: MachineMode): Promise<void>
}

export interface MachinePort {
  page(): MachinePage
}

/** What a person has on this computer now. Bounded in time; never rejects: whatever cannot be read is not there. */
export interface SurroundingsPort {
  look(): Promise<Omit<PreviewFacts, 'system'>>
  /** Ports of this computer that lead into our proxies. */
  proxyPorts(): readonly number[]
}

export interface TrialStorePort {
  load<T>(name: string, parse: (text: string) => T | undefined): { readonly value: T } | undefined
  /** On disk when it returns; throws EngineError('io'). */
  save(name: string, text: string): void
  remove(name: string): void
}
