/**
 * Tells peers that we are somewhere else. A peer goes on sending to where we were while its proof of that path is fresh, some
 * seconds long; a call over its relay with our new addresses, the old one not among them, ends that at once.
 *
 *   major change → (our addresses are looked up again) → call every peer with traffic
 *                → (its relay's connection opens, within 30 s) → call again: the first may have gone into a dead connection
 */
import type { Clock } from '../base/env.ts'
import type { PeerEntry } from './peer-table.ts'

const AGAIN_WITHIN_MS = 30_000

export interface AfterMoveDeps {
  readonly clock: Clock
  /** Peers with traffic. */
  readonly activePeers: () => Iterable<PeerEntry>
  /** Where the peer is called; 0 = nowhere. */
  readonly regionOf: (entry: PeerEntry) => number
  readonly call: (entry: PeerEntry, region: number, why: string) => void
}

export class AfterMove {
  readonly #deps: AfterMoveDeps
  #movedMs = Number.NEGATIVE_INFINITY
  #addressesAreOld = false

  constructor(deps: AfterMoveDeps) {
    this.#deps = deps
  }

  /** Nothing that was proven holds: our addresses may be others. */
  handleMove(): void {
    this.#movedMs = this.#deps.clock.nowMs()
    this.#addressesAreOld = true
  }

  /** Our addresses were looked up. */
  handleAddresses(): void {
    if (!this.#addressesAreOld) return
    this.#addressesAreOld = false
    for (const entry of this.#deps.activePeers()) this.#call(entry)
  }

  handleRelayOpened(region: number): void {
    if (this.#addressesAreOld || this.#deps.clock.nowMs() - this.#movedMs > AGAIN_WITHIN_MS) return
    for (const entry of this.#deps.activePeers()) if (this.#deps.regionOf(entry) === region) this.#call(entry)
  }

  #call(entry: PeerEntry): void {
    const region = this.#deps.regionOf(entry)
    if (region !== 0 && entry.config.disco !== undefined) this.#deps.call(entry, region, 'our network is another')
  }
}
