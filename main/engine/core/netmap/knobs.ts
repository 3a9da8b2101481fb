/**
 * What the server asks of this node by capabilities of its own node ("node attributes"), as far as it is ours to do.
 */
import type { Node } from '../tailcfg/types.ts'

export interface Knobs {
  /** Any UDP port, not the usual one: several nodes behind one router must not meet on it. */
  readonly randomPort: boolean
  /** Which ways there may be of asking the router for a port. */
  readonly portMapping: 'all' | 'no-upnp' | 'off'
}

export const NO_KNOBS: Knobs = { randomPort: false, portMapping: 'all' }

export function knobsOf(self: Node): Knobs {
  const has = (name: string): boolean => Object.hasOwn(self.CapMap ?? {}, name)
  return {
    randomPort: has('randomize-client-port'),
    // Without UDP to the outside a port is of no use.
    portMapping: has('only-tcp-443') ? 'off' : has('debug-disable-upnp') ? 'no-upnp' : 'all',
  }
}
