/**
 * The network map's way: from control or from disk into the model, onto disk, to the watchers; and the clock that wakes
 * us when a key in it ends.
 */
import type { Clock, Env } from '../base/env.ts'
import type { NetMap, NetMapDelta } from '../core/netmap/types.ts'
import { addressesOf, magicDnsSuffix } from '../core/plan/names.ts'
import { expiryOf } from '../core/plan/plan-peer.ts'
import { WATCH } from '../../localapi/watch-mask.ts'
import type { Bus } from './bus.ts'
import { settleAutoUpdate, settleExitNode } from './exit-node.ts'
import type { Knot } from './knot.ts'
import { publicNodeKey } from './model.ts'
import type { Model } from './model.ts'
import { forgetNetwork } from './model.ts'
import { changesOf, wholeMap } from './peer-changes.ts'
import type { StorePort } from './ports.ts'
import { publicConfig } from './prefs.ts'
import type { Profiles } from './profiles.ts'
import { forgetMap, loadMap, saveMap } from './saved-map.ts'
import type { MapOwner } from './saved-map.ts'
import { carries } from './state.ts'
import { expiryNoticeMs, SAVED_MAP_GRACE_MS } from './warnings.ts'

/** Longest single wait for a key to end; re-armed until then. */
const MAX_WAIT_MS = 3_600_000

export interface MapFlowDeps {
  readonly env: Env
  readonly store: StorePort
  readonly model: Model
  readonly bus: Bus
  readonly knot: Knot
  readonly profiles: Profiles
}

/** Wall time by the server's clock. */
export function serverNowMs(clock: Clock, model: Model): number {
  return clock.wallMs() + (model.netMap?.clockSkewMs ?? 0)
}

export class MapFlow {
  readonly #deps: MapFlowDeps
  #expiryTimer: (() => void) | undefined
  #warningTimer: (() => void) | undefined

  constructor(deps: MapFlowDeps) {
    this.#deps = deps
  }

  /** Takes in what control sent: saved, told, applied. */
  handleNetMap(delta: NetMapDelta): void {
    const { env, store, model, bus } = this.#deps
    const before = model.netMap
    const owner = publicNodeKey(model)
    // Of a stream that ended meanwhile: nobody is signed in for it any more.
    if (owner === undefined) return
    model.netMap = delta.netMap
    model.mapSavedAtMs = undefined
    this.#keepIdentity(delta.netMap)
    saveMap(store, delta.netMap, this.#owner(owner), env.clock.wallMs())
    if (bus.size > 0) {
      // Thousands of nodes are put into JSON only for somebody who wants to read them.
      const listening = bus.wants(WATCH.peerChanges | WATCH.peerPatches)
      const { whole, patched } = changesOf(listening ? delta : { ...delta, upserted: [], removed: [] }, before)
      bus.emit(whole, patched)
    }
    this.#take('control')
    const { self } = delta.netMap
    if (delta.selfChanged) env.journal.add({ part: 'backend', kind: 'self', name: self.Name, addresses: addressesOf(self), keyExpiry: self.KeyExpiry })
  }

  /** Goes on with the saved map of this node key and server, if there is one and no newer. */
  useSaved(): void {
    const { env, store, model, bus, knot } = this.#deps
    const owner = publicNodeKey(model)
    if (owner === undefined || model.netMap) return
    const found = loadMap(store, this.#owner(owner))
    knot.noteStoreProblems()
    if (!found) return
    model.netMap = found.netMap
    model.mapSavedAtMs = found.savedAtMs
    model.savedMapSinceMs = env.clock.nowMs()
    const why = `the list of devices saved at ${new Date(found.savedAtMs).toISOString()} is used until the server answers`
    env.log.info(why, { peers: found.netMap.peers.size })
    env.journal.add({ part: 'backend', kind: 'saved-map', why, peers: found.netMap.peers.size })
    this.#warningTimer?.()
    this.#warningTimer = env.clock.after(SAVED_MAP_GRACE_MS, () => knot.refreshWarnings())
    if (bus.size > 0) bus.emit(wholeMap(found.netMap))
    this.#take('saved')
  }

  /** Drops the map, here and on disk. */
  forget(): void {
    const { model, store, knot } = this.#deps
    this.leave()
    forgetMap(store, model.saved.profile.id)
    knot.advance({ kind: 'no-map' })
  }

  /** Drops the map here; on disk it stays for the profile's return. */
  leave(): void {
    const { model, bus } = this.#deps
    this.stop()
    const ids = [...(model.netMap?.peers.keys() ?? [])]
    forgetNetwork(model)
    if (ids.length > 0 && bus.size > 0) bus.emit({ PeersRemoved: ids })
  }

  #owner(nodeKey: string): MapOwner {
    const { saved } = this.#deps.model
    return { profileId: saved.profile.id, nodeKey, controlUrl: saved.nodeKeyUrl }
  }

  /** Stops its timers. */
  stop(): void {
    this.#expiryTimer?.()
    this.#warningTimer?.()
    this.#expiryTimer = this.#warningTimer = undefined
  }

  #take(from: 'saved' | 'control'): void {
    const { env, model, knot } = this.#deps
    const { self } = model.netMap!
    const prefs = settleAutoUpdate(settleExitNode(model.saved.prefs, model.netMap), self)
    if (prefs !== model.saved.prefs) knot.takePrefs(prefs)
    const keyExpired = self.Expired === true || expiryOf(self) <= serverNowMs(env.clock, model)
    const wasCarrying = carries(model.life)
    knot.advance({ kind: 'map', from, keyExpired, machineAuthorized: self.MachineAuthorized !== false })
    if (wasCarrying && carries(model.life)) knot.applyAgain()
    this.#armExpiry()
  }

  /** Node ID and names of the network go into the profile, so that they are known while signed in but stopped. */
  #keepIdentity(netMap: NetMap): void {
    const { model, knot, profiles } = this.#deps
    const { saved } = model
    const network = { magicDnsName: magicDnsSuffix(netMap.self), domain: netMap.domain }
    const user = netMap.userProfiles.get(netMap.self.User) ?? saved.user
    const same = saved.nodeId === netMap.self.StableID && JSON.stringify([saved.network, saved.user]) === JSON.stringify([network, user])
    if (same) return
    const prefs = user ? { ...saved.prefs, Config: publicConfig(user, netMap.self.StableID) } : saved.prefs
    const known = { ...saved, nodeId: netMap.self.StableID, network, user, prefs }
    const merged = profiles.merged(known)
    knot.save(merged, merged !== known)
  }

  /** Wakes when the next key of the map ends, ours or a peer's, and when the end of ours is near. */
  #armExpiry(): void {
    const { env, model, knot } = this.#deps
    this.#expiryTimer?.()
    this.#expiryTimer = undefined
    if (!model.netMap) return
    const now = serverNowMs(env.clock, model)
    const ownMs = expiryOf(model.netMap.self)
    const noticeMs = ownMs - expiryNoticeMs(model.saved.nodeKeyAtMs, ownMs)
    const at = Math.min(noticeMs > now ? noticeMs : ownMs > now ? ownMs : Infinity, model.plan.nextExpiryMs)
    if (at === Infinity) return
    this.#expiryTimer = env.clock.after(Math.min(Math.max(0, at - now) + 1, MAX_WAIT_MS), () => {
      const over = serverNowMs(env.clock, model)
      if (ownMs <= over) knot.advance({ kind: 'key-expired' })
      else if (model.plan.nextExpiryMs <= over && carries(model.life)) knot.applyAgain()
      else knot.refreshWarnings()
      this.#armExpiry()
    })
  }
}
