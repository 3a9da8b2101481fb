/**
 * Opens the sealed store for the backend: finds the key of the state, or says why the state stays plain or closed.
 */
import type { Random } from '../base/env.ts'
import type { KeyKeeper } from './key-keeper.ts'
import type { SealedStore } from './sealed-store.ts'
import { findStateKey } from './state-key.ts'
import type { Store } from './store.ts'

export interface StateKeysOptions {
  readonly store: Store
  readonly sealed: SealedStore
  readonly random: Random
  readonly keepers: readonly KeyKeeper[]
  /** Whether the state is to be sealed: undefined = where a keeper is at hand, true = or not at all. */
  readonly wanted: boolean | undefined
}

export type StateOpening =
  /** `plainWhy`: it is not sealed, for this reason. `rewrite`: to be called once all is loaded; saves it in its new form. */
  | { readonly kind: 'open'; readonly isSealed?: true; readonly plainWhy: string | undefined; readonly rewrite: ((save: () => boolean) => Promise<void>) | undefined }
  | { readonly kind: 'locked'; readonly why: string }

export class StateKeys {
  readonly #options: StateKeysOptions
  #kept: { readonly by: 'secret-service' | 'host' | 'file' | 'closed'; readonly why?: string } = { by: 'closed' }

  constructor(options: StateKeysOptions) {
    this.#options = options
  }

  /** Who keeps the key of the state: `file` = it is not sealed, `closed` = it cannot be read now. */
  get kept(): { readonly by: 'secret-service' | 'host' | 'file' | 'closed'; readonly why?: string } {
    return this.#kept
  }

  /** Bounded in time. Throws EngineError('io') for a file that cannot be read. */
  async open(): Promise<StateOpening> {
    const { sealed, wanted } = this.#options
    const found = await findStateKey({ ...this.#options, file: 'state', wanted: wanted !== false })
    this.#kept = keptBy(found, wanted)
    switch (found.kind) {
      case 'locked':
        return found
      case 'plain':
        sealed.setKey(undefined)
        if (wanted === true) return { kind: 'locked', why: `it is to be sealed, but ${found.why}` }
        return { kind: 'open', plainWhy: wanted === false ? undefined : found.why, rewrite: undefined }
      case 'sealed':
        sealed.setKey(found.key)
        return { kind: 'open', isSealed: true, plainWhy: undefined, rewrite: found.isNew ? async (save) => void save() : undefined }
      case 'unseal': {
        sealed.setKey(found.key)
        const rewrite = async (save: () => boolean): Promise<void> => {
          sealed.setKey(undefined)
          if (save()) await found.done()
        }
        return { kind: 'open', plainWhy: undefined, rewrite }
      }
    }
  }
}

function keptBy(found: Awaited<ReturnType<typeof findStateKey>>, wanted: boolean | undefined): StateKeys['kept'] {
  if (found.kind === 'locked' || (found.kind === 'plain' && wanted === true)) return { by: 'closed', why: found.why }
  if (found.kind === 'plain') return wanted === false ? { by: 'file' } : { by: 'file', why: found.why }
  return { by: found.kind === 'unseal' ? 'file' : found.key.keeper === 'host' ? 'host' : 'secret-service' }
}
