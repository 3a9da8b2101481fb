/**
 * All that the backend knows, in one record. The backend alone writes it; views read it.
 */
import type { NodePublicKey } from '../base/keys.ts'
import { nodeKey } from '../base/keys.ts'
import type { NetInfo } from '../core/tailcfg/types.ts'
import type { NetMap } from '../core/netmap/types.ts'
import { EMPTY_PLAN } from '../core/plan/plan.ts'
import type { Plan } from '../core/plan/plan.ts'
import { NO_READING } from '../core/policy/read-policy.ts'
import type { PolicyReading } from '../core/policy/read-policy.ts'
import { NO_SYSTEM } from '../core/plan/system-facts.ts'
import type { SystemFacts } from '../core/plan/system-facts.ts'
import type { ControlState, Endpoint } from './ports.ts'
import { INITIAL } from './state.ts'
import type { Lifecycle } from './state.ts'
import type { SavedState } from './saved-state.ts'

export interface Model {
  saved: SavedState
  life: Lifecycle
  control: ControlState
  /** Why the server could not be reached, kept while it is tried again, so that nothing flickers. */
  loss: Extract<ControlState, { kind: 'lost' }> | undefined
  netMap: NetMap | undefined
  /** Wall time at which the map in use was saved, while it came from disk. */
  mapSavedAtMs: number | undefined
  plan: Plan
  /** The machine's own networks. */
  system: SystemFacts
  endpoints: readonly Endpoint[]
  netInfo: NetInfo | undefined
  homeRegion: number
  authUrl: string
  /** Peers that packets were exchanged with lately. */
  readonly active: Set<NodePublicKey>
  /** Monotonic time at which the engine began to run from a saved map, else undefined. */
  savedMapSinceMs: number | undefined
  /** The packet thread is dead: why. */
  dataplaneFailure: string | undefined
  /** The state file could not be written: why. */
  saveFailure: string | undefined
  /** The settings file could not be applied again: why. */
  configFailure: string | undefined
  /** The saved state cannot be opened for now: why, as a clause. */
  closedWhy: string | undefined
  /** The saved state is not sealed although it was to be: why, as a clause. */
  plainWhy: string | undefined
  /** What the administrator of this computer laid down. */
  policy: PolicyReading
  /** The saved state is sealed with a key that lies elsewhere. */
  isSealed: boolean
  /** Damaged files met at start, in sentences. */
  storeProblems: readonly string[]
}

export function newModel(saved: SavedState): Model {
  return {
    saved,
    life: INITIAL,
    control: { kind: 'idle' },
    loss: undefined,
    netMap: undefined,
    mapSavedAtMs: undefined,
    plan: EMPTY_PLAN,
    system: NO_SYSTEM,
    endpoints: [],
    netInfo: undefined,
    homeRegion: 0,
    authUrl: '',
    active: new Set(),
    savedMapSinceMs: undefined,
    dataplaneFailure: undefined,
    saveFailure: undefined,
    configFailure: undefined,
    closedWhy: undefined,
    plainWhy: undefined,
    policy: NO_READING,
    isSealed: false,
    storeProblems: [],
  }
}

/** Forgets all that was learnt from one server; what is known of this machine stays. */
export function forgetNetwork(model: Model): void {
  model.netMap = undefined
  model.mapSavedAtMs = undefined
  model.savedMapSinceMs = undefined
  model.loss = undefined
  model.homeRegion = 0
  model.authUrl = ''
  model.active.clear()
}

/** Our public node key, "" without one. */
export function publicNodeKey(model: Model): NodePublicKey | undefined {
  return model.saved.nodeKey && nodeKey(model.saved.nodeKey.publicBytes())
}
