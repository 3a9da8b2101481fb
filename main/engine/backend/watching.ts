/**
 * What watchers of the bus are told beyond single changes: their first message by their mask, the engine's numbers every two
 * seconds while somebody wants them, and what follows from the map (a suggested exit node, a newer version).
 *
 * Source: tailscale ipnlocal (WatchNotificationsAs), 1.102.5; test/vectors/localapi/watch-ipn-bus*.ndjson.
 */
import type { Clock } from '../base/env.ts'
import type { ClientVersion } from '../core/tailcfg/types.ts'
import { STATE_NUMBER } from '../../localapi/types.ts'
import type { Notify } from '../../localapi/types.ts'
import { WATCH, WATCH_INITIAL } from '../../localapi/watch-mask.ts'
import type { Bus, Watcher, WatchSink } from './bus.ts'
import type { Model } from './model.ts'
import type { FeaturePlace } from './feature.ts'
import type { PeerSessions } from './peer-sessions.ts'
import { policySnapshot } from './policy-prefs.ts'
import type { Views } from './views.ts'

const ENGINE_STATUS_MS = 2_000

export class Watching {
  readonly #deps: { clock: Clock; bus: Bus; model: Model; views: Views; sessions: PeerSessions; feature: FeaturePlace }
  #engineTimer: (() => void) | undefined
  #told: { suggestion: string; version: ClientVersion | undefined } = { suggestion: '', version: undefined }

  constructor(deps: { clock: Clock; bus: Bus; model: Model; views: Views; sessions: PeerSessions; feature: FeaturePlace }) {
    this.#deps = deps
  }

  /** Adds a watcher; its first message, if the mask asks for one, is written before this returns. */
  watch(mask: number, sink: WatchSink): Watcher {
    const watcher = this.#deps.bus.watch(mask, sink, (sessionId) => ((mask & WATCH_INITIAL) === 0 ? undefined : this.#initial(mask, sessionId)))
    if ((mask & WATCH.engineUpdates) !== 0) this.#armEngineStatus()
    return watcher
  }

  /** Tells what has changed of what follows from the map. */
  refresh(): void {
    const { bus, model, sessions } = this.#deps
    sessions.handleNetMap(model.netMap)
    if (bus.size === 0) return
    const suggestion = this.#suggestion()
    const version = this.#clientVersion()
    const news: Partial<Notify> = {
      ...(suggestion !== this.#told.suggestion ? { SuggestedExitNode: suggestion } : {}),
      ...(version && version !== this.#told.version ? { ClientVersion: version } : {}),
    }
    this.#told = { suggestion, version }
    if (Object.keys(news).length > 0) bus.emit(news)
  }

  stop(): void {
    this.#engineTimer?.()
    this.#deps.sessions.stop()
    this.#deps.bus.close()
  }

  #initial(mask: number, sessionId: string): Partial<Notify> {
    const { model, views, sessions, feature } = this.#deps
    const wants = (bit: number): boolean => (mask & bit) !== 0
    const map = wants(WATCH.initialNetMap) ? views.netMap() : undefined
    const peers = wants(WATCH.peerWireGuardState) ? sessions.all() : undefined
    const suggestion = wants(WATCH.initialSuggestedExitNode) ? this.#suggestion() : ''
    const version = wants(WATCH.initialClientVersion) ? this.#clientVersion() : undefined
    return {
      ...(wants(WATCH.initialState) ? { SessionID: sessionId, State: STATE_NUMBER[model.life.name] } : {}),
      ...(wants(WATCH.initialState) && model.life.name === 'NeedsLogin' && model.authUrl !== '' ? { BrowseToURL: model.authUrl } : {}),
      ...(wants(WATCH.initialPrefs) ? { Prefs: model.saved.prefs } : {}),
      ...(map ? { SelfChange: map.SelfNode, NetMap: map } : {}),
      ...(wants(WATCH.initialStatus) ? { InitialStatus: views.status(true) } : {}),
      ...(peers ? { PeerState: peers } : {}),
      ...(version ? { ClientVersion: version } : {}),
      ...(wants(WATCH.initialHealth) ? { Health: views.health() } : {}),
      ...(suggestion !== '' ? { SuggestedExitNode: suggestion } : {}),
      ...(wants(WATCH.sysPolicyChanges) ? { Policy: policySnapshot(model.policy) } : {}),
      ...feature.initial(mask),
    }
  }

  #suggestion(): string {
    return this.#deps.views.suggestExitNode()?.ID ?? ''
  }

  #clientVersion(): ClientVersion | undefined {
    return this.#deps.model.saved.prefs.AutoUpdate.Check ? this.#deps.views.clientVersion() : undefined
  }

  #armEngineStatus(): void {
    const { clock, bus, views } = this.#deps
    this.#engineTimer ??= clock.after(ENGINE_STATUS_MS, () => {
      this.#engineTimer = undefined
      if (!bus.wants(WATCH.engineUpdates)) return
      bus.emit({ Engine: views.engineStatus() })
      this.#armEngineStatus()
    })
  }
}
