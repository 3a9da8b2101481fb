/**
 * Tells peers that we are somewhere else. A peer goes on sending to where we were while its proof of that path is fresh, some
 * seconds long; a call over its relay that leaves out an address which the call before had ends that at once.
 *
 *   major change → (our addresses are looked up again) → call every peer with traffic: where we were and where we are,
 *                  60 ms later where we are alone
 *                → (its relay's connection opens, within 30 s) → call again: the first may have gone into a dead connection
 */
import type { Env } from '../base/env.ts'
import type { AddrPort } from '../base/ip.ts'
import type { PeerEntry } from './peer-table.ts'
import type { Endpoint } from './ports.ts'
import { SeenAs } from './seen-as.ts'

const AGAIN_WITHIN_MS = 30_000
/** Peers take calls that come together in any order. */
const APART_MS = 60

export interface AfterMoveDeps {
  readonly env: Env
  /** Peers with traffic. */
  readonly activePeers: () => Iterable<PeerEntry>
  /** Our addresses as they are known now. */
  readonly endpoints: () => readonly Endpoint[]
  readonly call: (entry: PeerEntry, region: number, endpoints: readonly Endpoint[], why: string) => void
  /** Looks our addresses up anew; `handleAddresses` follows. */
  readonly lookAgain: (why: string) => void
}

export class AfterMove {
  readonly #deps: AfterMoveDeps
  #movedMs = Number.NEGATIVE_INFINITY
  #addressesAreOld = false
  /** Where we were before the first of several moves. */
  #before: readonly Endpoint[] = []
  #cancel: () => void = () => {}
  readonly #seenAs = new SeenAs()

  constructor(deps: AfterMoveDeps) {
    this.#deps = deps
  }

  /** Nothing that was proven holds: our addresses may be others. */
  handleMove(): void {
    const nowMs = this.#deps.env.clock.nowMs()
    if (nowMs - this.#movedMs > AGAIN_WITHIN_MS) this.#before = []
    this.#movedMs = nowMs
    this.#addressesAreOld = true
    this.#before = unionOf(this.#deps.endpoints(), this.#before)
  }

  /** A peer at `to` says that our ping came from `src`: when that is another place than before, we were moved without being told. */
  handlePong(entry: PeerEntry, to: AddrPort, src: AddrPort): void {
    const { env, lookAgain } = this.#deps
    if (!this.#seenAs.note(env.clock.nowMs(), entry, to, src)) return
    const why = 'a peer sees us at another address: a router gave us another'
    env.journal.add({ part: 'magicsock', kind: 'seen-elsewhere', why, peer: entry.config.key, addr: src })
    this.handleMove()
    lookAgain(why)
  }

  /** Our addresses were looked up. */
  handleAddresses(): void {
    if (!this.#addressesAreOld) return
    this.#addressesAreOld = false
    this.#callAll(() => true)
  }

  handleRelayOpened(region: number): void {
    if (this.#addressesAreOld || this.#deps.env.clock.nowMs() - this.#movedMs > AGAIN_WITHIN_MS) return
    this.#callAll((entry) => regionOf(entry) === region)
  }

  stop(): void {
    this.#cancel()
  }

  #callAll(which: (entry: PeerEntry) => boolean): void {
    const { env, endpoints } = this.#deps
    this.#cancel()
    this.#call(unionOf(endpoints(), this.#before), which)
    this.#cancel = env.clock.after(APART_MS, () => this.#call(endpoints(), which))
  }

  #call(endpoints: readonly Endpoint[], which: (entry: PeerEntry) => boolean): void {
    if (endpoints.length === 0) return
    for (const entry of this.#deps.activePeers()) {
      const region = regionOf(entry)
      if (region !== 0 && entry.config.disco !== undefined && which(entry)) this.#deps.call(entry, region, endpoints, 'our network is another')
    }
  }
}

/** Where a peer is called; 0 = nowhere. */
function regionOf({ config, heardRegion }: PeerEntry): number {
  return config.homeDerp === 0 ? heardRegion : config.homeDerp
}

function unionOf(first: readonly Endpoint[], second: readonly Endpoint[]): readonly Endpoint[] {
  return [...first, ...second.filter(({ addr }) => first.every((one) => one.addr !== addr))]
}
