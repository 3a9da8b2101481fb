/**
 * What the server asks of this node by capabilities of its own node ("node attributes"), as far as it is ours to do.
 */
import type { Node } from '../tailcfg/types.ts'

export interface Knobs {
  /** Any UDP port, not the usual one: several nodes behind one router must not meet on it. */
  readonly randomPort: boolean
}

export const NO_KNOBS: Knobs = { randomPort: false }

export function knobsOf(self: Node): Knobs {
  return { randomPort: Object.hasOwn(self.CapMap ?? {}, 'randomize-client-port') }
}
