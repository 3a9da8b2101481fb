/**
 * How packets go to peers, with the reason: what magicsock saw, what the map says of the peer and what the netcheck says
 * of this network, judged by core/path/reason. One source for the window, the command line and the local API.
 */
import type { AddrPort, Prefix } from '../base/ip.ts'
import { canonicalIp, parseAddrPort, parsePrefix } from '../base/ip.ts'
import type { NodePublicKey } from '../base/keys.ts'
import { toNetInfo } from '../core/netcheck/report.ts'
import { isCalled, nodeByIp, nodeByKey } from '../core/netmap/find-node.ts'
import type { NetMap } from '../core/netmap/types.ts'
import type { OwnSide, PathEvidence, PeerSide, Reason } from '../core/path/reason/evidence.ts'
import { explainPath } from '../core/path/reason/explain.ts'
import { twoSides } from '../core/path/reason/sides.ts'
import { placeOf } from '../core/path/reason/words.ts'
import type { CandidateView, Path, PathView } from '../core/path/types.ts'
import { formatUdpAddr } from '../core/path/types.ts'
import { addressesOf, magicDnsSuffix, shortName } from '../core/plan/names.ts'
import type { EndpointType, Node } from '../core/tailcfg/types.ts'
import type { PathPage, PathRow, PathsPage } from '../../localapi/types.ts'
import type { Model } from './model.ts'
import type { BackendDeps } from './ports.ts'
import { carries } from './state.ts'
import { regionCode } from './status.ts'

/** All of the page that the journal has no part in. */
export type PathFacts = Omit<PathPage, 'version' | 'events' | 'refused'>

/** A clock and the server's differ by less, or health says so. */
const SKEW_MS = 5000

export class PathViews {
  readonly #deps: BackendDeps
  readonly #model: Model

  constructor(deps: BackendDeps, model: Model) {
    this.#deps = deps
    this.#model = model
  }

  /** How packets go to each peer of the map, in its order; `activeOnly`: to those with packets lately, or that are being looked for. */
  all(activeOnly = false): PathsPage {
    const { netMap } = this.#model
    if (!netMap) return { paths: [] }
    const views: ReadonlyMap<string, PathView> = this.#deps.magicsock.paths()
    const look = this.#look(netMap)
    const { heardMs } = this.#deps.control
    const paths = [...netMap.peers.values()].flatMap((node) => {
      const view = views.get(node.Key)
      // A reason costs far more than the look whether it is wanted.
      if (!view || (activeOnly && !view.evidence.isActive && !this.#model.active.has(node.Key as NodePublicKey))) return []
      return [look.row(node, view).row]
    })
    return { paths, ...(heardMs === undefined ? {} : { serverHeard: new Date(heardMs).toISOString() }) }
  }

  /** The same for some of them: one that path finding does not have is left out. */
  rowsOf(nodes: readonly Node[]): ReadonlyMap<string, PathRow> {
    const { netMap } = this.#model
    if (!netMap || nodes.length === 0) return new Map()
    const look = this.#look(netMap)
    return new Map(nodes.flatMap((node) => {
      const view = this.#deps.magicsock.pathTo(node.Key as NodePublicKey)
      return view ? [[node.Key, look.row(node, view).row] as const] : []
    }))
  }

  /** One peer, by node key, address, full or short name; undefined when there is none in the map, or it is this device. */
  find(text: string): Node | undefined {
    const { netMap } = this.#model
    if (!netMap || text === '') return undefined
    const ip = canonicalIp(text)
    const found = ip !== undefined ? nodeByIp(netMap, ip) : nodeByKey(netMap, text)
    if (found) return found === netMap.self ? undefined : found
    const suffix = magicDnsSuffix(netMap.self)
    const named = [...netMap.peers.values()].filter((node) => isCalled(node, text, suffix))
    return named.length === 1 ? named[0] : undefined
  }

  /** All there is to know of the path to a peer of the map. */
  page(node: Node): PathFacts {
    const netMap = this.#model.netMap!
    const { magicsock, env } = this.#deps
    const view = magicsock.pathTo(node.Key as NodePublicKey) ?? noView(node, carries(this.#model.life), env.clock.wallMs())
    const { row, reason } = this.#look(netMap).row(node, view)
    const { report } = magicsock.network()
    const self = this.#deps.hostinfo()
    const region = row.region === undefined ? undefined : netMap.derpMap.Regions[String(row.region)]
    return {
      ...row,
      at: new Date(env.clock.wallMs()).toISOString(),
      reason,
      ...(region ? { regionName: region.RegionName } : {}),
      candidates: view.evidence.candidates.toSorted(byUse).map(candidateJson),
      sides: twoSides(report, node.Hostinfo?.NetInfo),
      ownAddresses: this.#model.endpoints.map(({ addr, type }) => ({ addr, how: ENDPOINT_WORDS[type] })),
      ...(report ? { ownNetInfo: toNetInfo(report) } : {}),
      ...(node.Hostinfo?.NetInfo ? { peerNetInfo: node.Hostinfo.NetInfo } : {}),
      own: { version: this.#deps.version, os: self.OS ?? '' },
      other: { version: node.Hostinfo?.IPNVersion ?? '', os: node.Hostinfo?.OS ?? '' },
    }
  }

  /** What is the same for all peers, looked up once. */
  #look(netMap: NetMap): { row(node: Node, view: PathView): { row: PathRow; reason: Reason } } {
    const { magicsock, dataplane, derp, env } = this.#deps
    const { report, interfaces } = magicsock.network()
    const networks = interfaces.flatMap(({ ip, prefix }) => networkOf(ip, prefix))
    const stats = dataplane.stats()
    const { active, plan } = this.#model
    const granted = plan.magicsock.peerRelays?.relays ?? []
    const suffix = magicDnsSuffix(netMap.self)
    return { row: (node, view) => {
      const { path } = view
      const region = path.kind === 'relay' || path.kind === 'both' ? path.region : undefined
      const via = relayDevice(netMap, path, granted)
      const own: OwnSide = { report, networks, relay: region === undefined ? undefined : { isInMap: netMap.derpMap.Regions[String(region)] !== undefined, isConnected: derp.isConnected(region) } }
      const reason = explainPath({ machine: view.evidence, peer: peerSide(node, stats.get(node.Key as NodePublicKey)?.lastHandshakeMs, via), own } satisfies PathEvidence)
      return { reason, row: {
        peer: node.Key,
        name: shortName(node, suffix),
        ip: addressesOf(node)[0] ?? '',
        kind: path.kind,
        ...('addr' in path ? { addr: formatUdpAddr({ ...path.addr, ...('vni' in path && path.vni !== undefined ? { vni: path.vni } : {}) }) } : {}),
        ...(region !== undefined ? { region, regionCode: regionCode(netMap.derpMap, region) } : {}),
        ...(via !== undefined ? { via } : {}),
        ...(view.latencyMs !== undefined ? { latencyMs: view.latencyMs } : {}),
        ...heardOf(view, env.clock.wallMs()),
        since: new Date(view.sinceMs).toISOString(),
        active: active.has(node.Key as NodePublicKey) || view.evidence.isActive,
        why: reason.sentence,
      } }
    } }
  }
}

const ENDPOINT_WORDS: Readonly<Record<EndpointType, string>> = {
  0: 'unknown', 1: 'of an interface', 2: 'seen outside', 3: 'mapped by the router', 4: 'seen outside, with the local port', 5: 'set by hand',
}

/** When path finding last had a packet from the peer, by any address: to the second, so that a row stays the same while nothing comes. */
function heardOf({ evidence }: PathView, wallMs: number): { heard?: string } {
  const ages = evidence.candidates.flatMap(({ lastPongAgoMs, pingedUsAgoMs }) => [lastPongAgoMs, pingedUsAgoMs]).filter((age) => age !== undefined)
  return ages.length === 0 ? {} : { heard: new Date(Math.round((wallMs - Math.min(...ages)) / 1000) * 1000).toISOString() }
}

function peerSide(node: Node, lastHandshakeMs: number | undefined, relayDeviceName: string | undefined): PeerSide {
  const seenMs = Date.parse(node.LastSeen ?? '')
  return {
    online: node.Online ?? undefined,
    heardSince: lastHandshakeMs !== undefined && lastHandshakeMs > seenMs + SKEW_MS,
    netInfo: node.Hostinfo?.NetInfo ?? undefined,
    endpoints: (node.Endpoints ?? []).map(parseAddrPort).filter((at): at is AddrPort => at !== undefined),
    ...(relayDeviceName === undefined ? {} : { relayDevice: relayDeviceName }),
  }
}

/**
 * The device at whose address a peer relay is. Several may share a public address: one that the server lets relay for us goes
 * before one that offers to, and that one before the others; where two are alike, none is named.
 */
function relayDevice(netMap: NetMap, path: Path, granted: readonly string[]): string | undefined {
  if (path.kind !== 'peer-relay' && !(path.kind === 'both' && path.vni !== undefined)) return undefined
  const there = [...netMap.peers.values()].filter((node) => node.Endpoints?.some((text) => parseAddrPort(text)?.ip === path.addr.ip) === true)
  const likely = [there.filter((node) => granted.includes(node.Key)), there.filter((node) => node.Hostinfo?.PeerRelay === true), there].find((nodes) => nodes.length > 0)
  return likely?.length === 1 ? shortName(likely[0]!, magicDnsSuffix(netMap.self)) : undefined
}

/** The network that an interface is in; none for this machine alone. */
function networkOf(ip: string, bits: number | undefined): Prefix[] {
  const prefix = bits === undefined ? undefined : parsePrefix(`${ip}/${bits}`)
  return prefix ? [prefix] : []
}

/** A peer that path finding does not have. */
function noView(node: Node, isConnected: boolean, nowMs: number): PathView {
  const noDirect = !isConnected ? 'not-connected' : node.Expired === true ? 'expired' : 'unreachable'
  const evidence = { path: NONE, noDirect, latencyMs: undefined, candidates: [], answered: 0, misses: 0, isActive: false, lostWhy: undefined, isGone: false } as const
  return { peer: node.Key as NodePublicKey, path: NONE, latencyMs: undefined, sinceMs: nowMs, evidence }
}

const NONE = { kind: 'none' } as const

function byUse(a: CandidateView, b: CandidateView): number {
  if (a.isBest !== b.isBest) return a.isBest ? -1 : 1
  const ago = (one: CandidateView): number => one.lastPongAgoMs ?? Number.MAX_SAFE_INTEGER
  return ago(a) - ago(b)
}

function candidateJson(one: CandidateView): PathFacts['candidates'][number] {
  return {
    addr: formatUdpAddr(one.addr),
    place: placeOf(one.addr.ip),
    sources: one.sources,
    inUse: one.isBest,
    ...(one.lastPingAgoMs === undefined ? {} : { lastPingAgoMs: Math.round(one.lastPingAgoMs) }),
    ...(one.lastPongAgoMs === undefined ? {} : { lastPongAgoMs: Math.round(one.lastPongAgoMs) }),
    ...(one.pingedUsAgoMs === undefined ? {} : { pingedUsAgoMs: Math.round(one.pingedUsAgoMs) }),
    ...(one.latencyMs === undefined ? {} : { latencyMs: one.latencyMs }),
    unanswered: one.unanswered,
    carries: one.carries,
  }
}
