/**
 * The slice put together: previews, and trials that are made by the backend and the whole-computer mode.
 */
import type { Env } from '../../base/env.ts'
import type { Extras } from '../../../localapi/extras.ts'
import type { MachineAction, MachinePage } from '../../../localapi/machine.ts'
import type { MaskedPrefs, Notify } from '../../../localapi/types.ts'
import type { SurroundingsPort, TrialStorePort, WantedPort } from './ports.ts'
import { Previews } from './previews.ts'
import { Trials } from './trials.ts'

export interface TrialSlice {
  readonly previews: Previews
  readonly trials: Trials
}

export interface TrialSliceDeps {
  readonly env: Env
  readonly store: TrialStorePort
  readonly wanted: WantedPort
  readonly surroundings: SurroundingsPort
  readonly machine: { page(): MachinePage; act(action: MachineAction): Promise<unknown> }
  readonly backend: { editPrefs(mask: MaskedPrefs): unknown; editExtras(change: Partial<Extras>): unknown; sendNotify(part: Partial<Notify>): void }
}

export function trialSlice({ env, store, wanted, surroundings, machine, backend }: TrialSliceDeps): TrialSlice {
  const previews = new Previews({ wanted, machine, surroundings })
  const trials = new Trials({
    env, store, wanted, machine, losses: async (change) => (await previews.of(change, false)).Losses, emit: (part) => backend.sendNotify(part),
    changes: {
      editPrefs: (mask) => void backend.editPrefs(mask),
      setSkippedRoutes: (prefixes) => void backend.editExtras({ SkippedRoutes: prefixes }),
      setMode: async (mode) => void (await machine.act({ Mode: mode })),
    },
  })
  return { previews, trials }
}
