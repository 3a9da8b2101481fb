/**
 * Puts the parts of Taildrop together: what is on its way (transfers.ts), what others send (receiving.ts), what waits to be fetched
 * (waiting.ts), who can be sent to (targets-page.ts).
 *
 * Backend news → `changed` → queue      tries → courier      LocalAPI → doors      all of it → the notify bus
 */
import type { FeaturePort } from '../../backend/ports.ts'
import type { Env } from '../../base/env.ts'
import { EngineError, errorText } from '../../base/errors.ts'
import { nodeByKey } from '../../core/netmap/find-node.ts'
import { refusalOf } from '../../core/taildrop/targets.ts'
import { whyOf } from '../../core/taildrop/whys.ts'
import type { Node } from '../../core/tailcfg/types.ts'
import type { IncomingRule, TaildropSettings } from '../../../localapi/transfers.ts'
import type { Notify } from '../../../localapi/types.ts'
import { WATCH } from '../../../localapi/watch-mask.ts'
import type { SpoolPort, TaildropDoors } from './doors.ts'
import type { Courier, Inbox, Sources, TaildropNetwork } from './ports.ts'
import { Receiving } from './receiving.ts'
import { FilePut, type FilePutDeps } from './send/file-put.ts'
import { Sweeper } from './sweeper.ts'
import { TargetPages } from './targets-page.ts'
import { Transfers } from './transfers.ts'
import { spooledBy, type TransfersStorePort } from './transfers-store.ts'
import { makeWaiting, type Waiting, type WaitingDeps } from './waiting.ts'

export interface TaildropDeps {
  readonly env: Env
  readonly store: TransfersStorePort
  readonly network: TaildropNetwork
  readonly settings: () => TaildropSettings
  /** undefined: not known yet. */
  readonly profileId: () => string | undefined
  readonly emit: (part: Partial<Notify>) => void
  readonly sources: Sources
  /** Brings things to devices. */
  readonly courier: Courier & FilePutDeps['courier']
  readonly spool: SpoolPort
  readonly profileIds: () => readonly string[]
  /** Where files go that come in. */
  readonly inbox: Inbox
  readonly owner: WaitingDeps['owner']
  readonly stagedFolder: WaitingDeps['stagedFolder']
  /** Sets what is done from now on with what a device sends. Throws EngineError. */
  readonly setRule: (stableId: string, rule: IncomingRule) => void
}

export class Taildrop implements FeaturePort, TaildropDoors {
  readonly targets: TargetPages
  readonly transfers: Transfers
  readonly files: Waiting
  readonly spool: SpoolPort
  readonly filePut: FilePut
  readonly #receiving: Receiving
  readonly #sweeper: Sweeper
  readonly #deps: TaildropDeps

  constructor(deps: TaildropDeps) {
    this.#deps = deps
    const { network } = deps
    this.spool = deps.spool
    this.files = makeWaiting({ ...deps, clock: deps.env.clock, changed: () => this.transfers.inboxChanged() })
    this.targets = new TargetPages({ netMap: () => network.netMap(), used: (peer) => this.transfers.used(peer) })
    this.transfers = new Transfers({
      ...deps,
      dropSpool: (id) => void deps.spool.remove(id).catch((error: unknown) => deps.env.log.warn('what was sent could not be taken out of the spool', { error: errorText(error) })),
      asks: () => this.#receiving,
      isStaged: (folder) => this.files.isStaged(folder),
      onProfile: (id) => this.#receiving.open(id),
      inbox: () => this.files.state(),
      assertTarget: (node) => this.#assertTarget(node),
      onIncoming: () => void this.files.refresh(),
    })
    this.#receiving = new Receiving({ ...deps, folder: () => this.files.folder(), book: this.transfers.incoming })
    this.filePut = new FilePut({ env: deps.env, courier: deps.courier, book: this.transfers.elsewhere })
    this.#sweeper = new Sweeper({
      env: deps.env, spool: deps.spool, spooled: () => this.#spooled(),
      sweepPartials: async (olderMs) => {
        await this.files.sweep(olderMs)
        this.transfers.forgetBroken(deps.env.clock.wallMs() - olderMs)
      },
    })
  }

  /** Readers have the bit taken from their mask before it comes here. */
  initial(mask: number): Partial<Notify> {
    return (mask & WATCH.transfers) === 0 ? {} : { Transfers: { Whole: this.transfers.page() } }
  }

  standing(): Partial<Notify> {
    return this.files.standing()
  }

  changed(): void {
    this.files.changed()
    this.transfers.changed()
    this.#receiving.changed()
    // Before the profiles are known, everything would look as if nobody wanted it.
    if (this.#deps.profileId() !== undefined) this.#sweeper.start()
  }

  /** What the PeerAPI serves of it. */
  get routes(): Receiving['routes'] {
    return this.#receiving.routes
  }

  counters(): Readonly<Record<string, number>> {
    return this.#receiving.counters()
  }

  targetOf(node: Node): { readonly TaildropTarget: number; readonly NoFileSharingReason: string } {
    return this.targets.statusOf(node)
  }

  /** A packet came from the device with this node key. */
  heard(nodeKey: string): void {
    const netMap = this.#deps.network.netMap()
    const node = netMap && nodeByKey(netMap, nodeKey)
    if (node) this.transfers.heard(node.StableID)
  }

  /** What was known of ways to devices may hold no longer. */
  moved(): void {
    this.transfers.moved()
  }

  stop(): void {
    this.#sweeper.stop()
    this.files.stop()
    this.#receiving.stop()
    this.transfers.stop()
  }

  /** Also of profiles that are not in use. */
  #spooled(): ReadonlySet<string> {
    const { store, profileId, profileIds } = this.#deps
    const others = profileIds().filter((id) => id !== profileId())
    return new Set([...this.transfers.spooled(), ...others.flatMap((id) => spooledBy(store, id))])
  }

  #assertTarget(node: Node): void {
    const netMap = this.#deps.network.netMap()
    const reason = netMap && refusalOf(netMap, node)
    if (reason !== undefined) throw new EngineError('not-supported', `Nothing can be sent to ${node.ComputedName ?? node.Name}: ${whyOf(reason).Text}.`)
  }
}
