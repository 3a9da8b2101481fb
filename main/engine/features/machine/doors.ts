/**
 * What the LocalAPI asks of the whole-computer mode.
 */
import type { MachinePage } from '../../../localapi/machine.ts'

export interface MachineDoors {
  page(): MachinePage
  /** The same, after a look at what is missing for taking the computer. */
  look(): Promise<MachinePage>
  /** Resolves once traffic is kept in, where it is to be; bounded in time. */
  guarded(): Promise<void>
  /** Does a MachineAction; answers once it is known what became of it. Rejects with EngineError. */
  act(body: unknown): Promise<MachinePage>
}
