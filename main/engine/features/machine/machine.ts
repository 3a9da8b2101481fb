/**
 * The whole-computer mode: a tunnel device with routes, firewall and names, so that every program of the computer is on the network.
 */
import type { FeaturePort } from '../../backend/ports.ts'
import { EngineError } from '../../base/errors.ts'
import type { MachineMode, MachinePage, MachineWhy } from '../../../localapi/machine.ts'
import type { Notify } from '../../../localapi/types.ts'
import { WATCH } from '../../../localapi/watch-mask.ts'
import type { MachineDoors } from './doors.ts'

export interface MachineDeps {
  readonly isService: boolean
  /** What is missing here for taking the whole computer. */
  readonly cannot: MachineWhy
}

export class Machine implements FeaturePort, MachineDoors {
  readonly #deps: MachineDeps

  constructor(deps: MachineDeps) {
    this.#deps = deps
  }

  initial(mask: number): Partial<Notify> {
    return (mask & WATCH.machine) === 0 ? {} : { Machine: this.page() }
  }

  standing(): Partial<Notify> {
    return {}
  }

  changed(): void {}

  page(): MachinePage {
    const { cannot, isService } = this.#deps
    return {
      Mode: 'apps', State: 'off', Cannot: cannot, IsService: isService, Device: '', Mtu: 0, Addresses: [], Routes: [], Bypass: [], Internet: 'direct', Firewall: 'none',
      Names: { Through: 'none', All: false, Domains: [], Search: [], Own: [] }, Forwarding: { By: 'none', SourceNat: false }, Problems: [],
    }
  }

  async act(body: unknown): Promise<MachinePage> {
    if (modeOf(body) === 'whole') throw new EngineError('not-supported', this.#deps.cannot.Text)
    return this.page()
  }
}

/** Throws EngineError('bad-argument'). */
function modeOf(body: unknown): MachineMode {
  const mode = typeof body === 'object' && body !== null ? (body as { Mode?: unknown }).Mode : undefined
  if (mode !== 'apps' && mode !== 'whole') throw new EngineError('bad-argument', 'Mode is "apps" or "whole".')
  return mode
}
