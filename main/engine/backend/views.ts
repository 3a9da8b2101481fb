/**
 * What others may read of the backend, in the LocalAPI's JSON. Nothing here changes anything.
 */
import { parseAddrPort } from '../base/ip.ts'
import { nodeByIp, nodeByKey, peerByIp } from '../core/netmap/find-node.ts'
import type { ClientVersion, DerpMap, DnsConfig, Hostinfo, Node, UserProfile } from '../core/tailcfg/types.ts'
import type { NetMap } from '../core/netmap/types.ts'
import { magicDnsSuffix } from '../core/plan/names.ts'
import { ZERO_TIME } from '../core/tailcfg/types.ts'
import type { PeerRelayClient, PeerRelaySessions, EngineStatus, ExitNodeSuggestion, HealthState, NetMapJson, Prefs, Status, WhoIsResponse } from '../../localapi/types.ts'
import { suggestExitNode } from './exit-node.ts'
import { machineView } from './machine-view.ts'
import type { MachineView } from './machine-view.ts'
import { engineMetrics, userMetrics } from './metrics.ts'
import { publicNodeKey } from './model.ts'
import type { Model } from './model.ts'
import { netMapJson, nodeJson } from './node-json.ts'
import type { FeaturePlace } from './feature.ts'
import type { BackendDeps } from './ports.ts'
import { PathViews } from './path-views.ts'
import { carries } from './state.ts'
import { buildStatus } from './status.ts'
import { hostinfoOf } from './wants.ts'
import { ownerOf, whoIs } from './whois.ts'

export class Views {
  readonly pathViews: PathViews
  readonly #deps: BackendDeps
  readonly #model: Model
  readonly #feature: FeaturePlace

  constructor(deps: BackendDeps, model: Model, feature: FeaturePlace) {
    this.#deps = deps
    this.#model = model
    this.#feature = feature
    this.pathViews = new PathViews(deps, model)
  }

  get version(): string {
    return this.#deps.version
  }

  status(withPeers: boolean, withVersions = false): Status {
    const model = this.#model
    const running = model.life.name === 'Running' || model.life.name === 'Starting'
    return buildStatus(
      {
        version: this.#deps.version,
        state: model.life.name,
        hasNodeKey: model.saved.nodeKey !== undefined,
        nodeKey: publicNodeKey(model) ?? '',
        authUrl: model.authUrl,
        exitNodeId: model.plan.egress.kind === 'exit' ? model.plan.egress.id : model.saved.prefs.ExitNodeID,
        hostinfo: this.#hostinfo(),
        netMap: model.netMap,
        endpoints: model.endpoints,
        homeRegion: model.homeRegion,
        health: this.#deps.health.texts(),
        paths: this.#deps.magicsock.paths(),
        stats: this.#deps.dataplane.stats(),
        active: model.active,
        online: running && model.control.kind === 'running',
        withVersions,
        targetOf: (node) => this.#feature.targetOf(node),
      },
      withPeers,
    )
  }

  prefs(): Prefs {
    return this.#model.saved.prefs
  }

  health(): HealthState {
    return this.#deps.health.state()
  }

  /** Who has `addr`: an address, address:port, loopback source port of a tunnel connection, or node key text. */
  whoIs(addr: string, proto: 'tcp' | 'udp' | '', dstIp: string | undefined): WhoIsResponse | 'bad-address' | undefined {
    const netMap = this.#model.netMap
    if (addr.startsWith('nodekey:')) {
      const node = netMap && nodeByKey(netMap, addr)
      return node && netMap ? whoIs(netMap, node, dstIp) : undefined
    }
    const asIp = addr.includes('.') || addr.includes(':') ? addr : ''
    const at = parseAddrPort(addr) ?? (asIp === '' ? undefined : parseAddrPort(asIp.includes(':') ? `[${asIp}]:0` : `${asIp}:0`))
    if (!at) return 'bad-address'
    if (!netMap) return undefined
    const owner = at.port === 0 ? undefined : this.#flowOwner(at, proto)
    const node = nodeByIp(netMap, owner?.ip ?? at.ip)
    return node && whoIs(netMap, node, dstIp)
  }

  #flowOwner(at: { ip: string; port: number }, proto: 'tcp' | 'udp' | ''): { ip: string } | undefined {
    const kinds = proto === '' ? (['tcp', 'udp'] as const) : [proto]
    for (const kind of kinds) {
      const owner = this.#deps.dataplane.flowOwner(kind, at)
      if (owner) return owner
    }
    return undefined
  }

  /** The peer that has `ip` as an address of its own, for what is served to peers. */
  peerAt(ip: string): { node: Node; user: UserProfile; self: Node } | undefined {
    const netMap = this.#model.netMap
    const node = netMap && peerByIp(netMap, ip)
    return node && netMap ? { node, user: ownerOf(netMap, node), self: netMap.self } : undefined
  }

  /** The map as it is, while the state is one in which packets flow. */
  liveMap(): NetMap | undefined {
    return carries(this.#model.life) ? this.#model.netMap : undefined
  }

  /** What the whole-computer mode goes by. */
  machine(): MachineView {
    return machineView(this.#model)
  }

  /** Whose device this is, as the last map says. */
  owner(): UserProfile | undefined {
    const netMap = this.#model.netMap
    return netMap && ownerOf(netMap, netMap.self)
  }

  /** Which profile this is; settings and files of another are not its own. undefined: the saved state has not been read, or it is being changed. */
  profileId(): string | undefined {
    return this.#model.life.name === 'NoState' ? undefined : this.#model.saved.profile.id
  }

  derpMap(): DerpMap | null {
    return this.#model.netMap?.derpMap ?? null
  }

  dnsConfig(): DnsConfig | undefined {
    return this.#model.netMap?.dns
  }

  peerById(id: number): Node | undefined {
    const netMap = this.#model.netMap
    const node = netMap?.peers.get(id)
    return node && netMap ? nodeJson(node, magicDnsSuffix(netMap.self)) : undefined
  }

  userProfile(id: number): UserProfile | undefined {
    return this.#model.netMap?.userProfiles.get(id)
  }

  netMap(): NetMapJson | undefined {
    return this.#model.netMap && netMapJson(this.#model.netMap, this.#model.life.map === 'saved')
  }

  selfNode(): Node | undefined {
    const netMap = this.#model.netMap
    return netMap && nodeJson(netMap.self, magicDnsSuffix(netMap.self))
  }

  /** The exit node to use; undefined while the home relay is not known. */
  suggestExitNode(): ExitNodeSuggestion | undefined {
    const { netMap, homeRegion, netInfo } = this.#model
    return suggestExitNode(netMap, homeRegion, netInfo)
  }

  /** Disco keys of the peers that have one, by node key. */
  peerDiscoKeys(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#deps.magicsock.discoKeys())
  }

  /** Addresses of the nodes that may relay for us, in order. */
  peerRelayServers(): readonly string[] {
    return this.#deps.magicsock.relaying.relays().toSorted()
  }

  /** Sessions that go through this node; its port as a person wants it, null while nobody does. */
  peerRelaySessions(): PeerRelaySessions {
    const { sessions } = this.#deps.magicsock.relaying.server()
    const UDPPort = this.#model.saved.prefs.RelayServerPort ?? null
    const client = ({ disco, addr, packets, bytes }: (typeof sessions)[number]['clients'][number]): PeerRelayClient => ({
      Endpoint: addr ?? '', ShortDisco: `d:${disco.slice('discokey:'.length, 'discokey:'.length + 16)}`, PacketsTx: packets, BytesTx: bytes,
    })
    return { UDPPort, Sessions: sessions.map(({ vni, clients }) => ({ VNI: vni, Client1: client(clients[0]!), Client2: client(clients[1]!) })) }
  }

  /** That there is no tailnet lock, in the shape of one. */
  lockStatus(): unknown {
    const NodeKey = publicNodeKey(this.#model) ?? null
    const none = { NodeKeySigned: false, NodeKeySignature: null, TrustedKeys: null, VisiblePeers: null, FilteredPeers: null, StateID: 0 }
    return { Enabled: false, Head: null, PublicKey: `nlpub:${'0'.repeat(64)}`, NodeKey, ...none }
  }

  clientVersion(): ClientVersion | undefined {
    return this.#model.netMap?.clientVersion
  }

  /** Sums over all peers, and those with a live session. */
  engineStatus(): EngineStatus {
    const live: Record<string, EngineStatus['LivePeers'][string]> = {}
    let rx = 0
    let tx = 0
    for (const [key, stats] of this.#deps.dataplane.stats()) {
      rx += stats.rxBytes
      tx += stats.txBytes
      if (stats.lastHandshakeMs === undefined) continue
      live[key] = { NodeKey: key, TxBytes: stats.txBytes, RxBytes: stats.rxBytes, LastHandshake: stats.lastHandshakeMs === 0 ? ZERO_TIME : new Date(stats.lastHandshakeMs).toISOString() }
    }
    const relays = [...this.#deps.derp.states().keys()].filter((region) => this.#deps.derp.isConnected(region)).length
    return { RBytes: rx, WBytes: tx, NumLive: Object.keys(live).length, LiveDERPs: relays, LivePeers: live }
  }

  /** Prometheus text with the stock daemon's names. */
  userMetrics(): string {
    const { netMap, homeRegion, saved } = this.#model
    return userMetrics({ counters: this.#deps.dataplane.counters(), prefs: saved.prefs, netMap, homeRegion, healthMessages: this.#deps.health.texts().length })
  }

  /** Prometheus text with every counter of this engine. */
  metrics(): string {
    return engineMetrics({ ...this.#deps.dataplane.counters(), ...this.#deps.otherCounters?.() })
  }

  #hostinfo(): Hostinfo {
    return hostinfoOf(this.#deps.hostinfo(), this.#model)
  }
}
