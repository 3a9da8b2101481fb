/**
 * The callbacks that the backend gives to the parts below it: where their news goes.
 */
import type { BlockedPages } from './blocked-page.ts'
import type { Bus } from './bus.ts'
import { answerC2n } from './c2n.ts'
import type { ExitNodeFlow } from './exit-nodes.ts'
import type { DirectWaits } from './direct-waits.ts'
import { blockedWhy, DnsWays, mayAskNamesHere } from './dns-ways.ts'
import type { Forwards } from './forwards.ts'
import type { Knot } from './knot.ts'
import type { LoginFlow } from './login.ts'
import type { MapFlow } from './map-flow.ts'
import type { Model } from './model.ts'
import type { PeerSessions } from './peer-sessions.ts'
import { ping } from './ping.ts'
import type { BackendDeps, BackendFacts, ControlState } from './ports.ts'
import type { ProxyDoor } from './proxy.ts'
import type { ReachPages } from './reach-pages.ts'
import { Surroundings } from './surroundings.ts'
import type { Views } from './views.ts'

export interface FactsDeps {
  readonly deps: BackendDeps
  readonly model: Model
  readonly bus: Bus
  readonly map: MapFlow
  readonly login: LoginFlow
  readonly proxy: ProxyDoor
  readonly forwards: Forwards
  readonly knot: Knot
  readonly sessions: PeerSessions
  readonly directWaits: DirectWaits
  readonly views: Views
  readonly blocked: BlockedPages
  readonly reach: ReachPages
  readonly exit: ExitNodeFlow
  readonly onControlState: (state: ControlState) => void
}

export function makeFacts({ deps, model, bus, map, login, proxy, forwards, knot, sessions, directWaits, views, blocked, reach, exit, onControlState }: FactsDeps): BackendFacts {
  const { env } = deps
  const surroundings = new Surroundings(env, model)
  const ways = new DnsWays(model)
  return {
    onRelayChange: () => knot.refreshWarnings(),
    onSystem: (system) => {
      model.system = system
      surroundings.note()
      knot.planAgain()
      knot.refreshWarnings()
    },
    onMove: (why, isSamePlace) => exit.handleMove(why, isSamePlace),
    onStray: (peer) => sessions.handleStray(peer, model.netMap),
    control: {
      onState: onControlState,
      onLoggedIn: (result) => login.handleLoggedIn(result),
      onNetMap: (delta) => map.handleNetMap(delta),
      // A sign-in page was told with the state already.
      onPopBrowser: (url) => void (url === model.authUrl || bus.emit({ BrowseToURL: url })),
      asked: {
        ping: (ip, type) => ping({ clock: env.clock, model, dataplane: deps.dataplane, magicsock: deps.magicsock }, ip, type, 0),
        answerC2n: (request) => answerC2n(request, views, env.clock.wallMs()),
      },
    },
    magicsock: {
      onEndpoints: (all) => {
        model.endpoints = all
        knot.pushWants()
      },
      onNetInfo: (info) => {
        model.netInfo = info
        knot.pushWants()
        knot.refreshWarnings()
      },
      onPath: (view) => directWaits.handlePath(view),
      onHome: (region) => {
        model.homeRegion = region
        knot.refreshWarnings()
      },
    },
    dns: { wayTo: (at) => ways.to(at), blocked: () => blockedWhy(model), mayAskHere: (ip) => mayAskNamesHere(model, ip) },
    dataplane: {
      onHandshake: (peer) => sessions.handleHandshake(peer, model.netMap),
      onPeerActivity: (peer, kind) => {
        if (kind === 'idle') model.active.delete(peer)
        else model.active.add(peer)
        exit.handleActivity(peer, kind)
        if (kind === 'sending') sessions.handleSending(peer, model.netMap)
      },
      onUnknownPeer: (key) => env.journal.add({ part: 'dataplane', kind: 'unknown-peer', why: 'a device that is not on the list knocked', peer: key }),
      onProxyRequest: (request) => {
        proxy.handle(request)
        exit.handleWish()
      },
      onRejected: (reject) => {
        blocked.handleReject(reject)
        reach.handleReject(reject)
      },
      onUnanswered: (to) => blocked.handleUnanswered(to),
      onForwardRequest: (request) => {
        forwards.handleRequest(request)
        exit.handleWish()
      },
      onForwardFailed: (forward, code) => forwards.handleFailed(forward, code),
      onFailed: (code, message) => {
        model.dataplaneFailure = `${message} (${code})`
        env.log.error('the packet thread has stopped', { code, message })
        knot.refreshWarnings()
      },
    },
  }
}
