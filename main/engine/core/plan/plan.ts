/**
 * (network map, prefs) → what the data plane and path finding should be. Pure, in a stable order: by node ID, and inside
 * a peer its own addresses first, then routes as text.
 *
 *   allowedSources  what a peer may send from: its addresses; its routes while routes are accepted; /0 as chosen exit node
 *   routes          the same, but one owner each: the lowest node ID wins a prefix that several claim
 *
 * A prefix that is not a Tailscale address is a route even when it is a single one; the service addresses 100.100.100.100
 * and fd7a:115c:a1e0::53, and routes that would cover our own addresses whole, go to no peer. Expired peers, and those with neither
 * disco key nor home relay, are left out.
 *
 * Source: control facts §9.2 and §4.9, dataplane facts §9.1.
 */
import { formatIp, isTailscaleIp, parseAddrPort, parseIp, parsePrefix } from '../../base/ip.ts'
import type { AddrPort } from '../../base/ip.ts'
import { isZeroKey, parseDiscoKey, parseNodeKey } from '../../base/keys.ts'
import { ZERO_TIME } from '../tailcfg/types.ts'
import type { FilterRule, Node } from '../tailcfg/types.ts'
import type { NetMap } from '../netmap/types.ts'
import { compileFilter } from '../filter/compile.ts'
import type { CompiledFilter } from '../filter/compile.ts'
import { addressesOf, magicDnsSuffix, shortName } from './names.ts'
import type { DataplaneConfig, DataplanePeer, FilterTable, MagicsockConfig, MagicsockPeer } from './types.ts'

/** Of the prefs those that routing depends on. */
export interface PlanPrefs {
  readonly acceptRoutes: boolean
  /** Stable ID, "" = none. */
  readonly exitNodeId: string
  readonly shieldsUp: boolean
  readonly advertiseRoutes: readonly string[]
}

export interface Plan {
  readonly dataplane: DataplaneConfig
  readonly magicsock: MagicsockConfig
  readonly problems: readonly string[]
  /** When the next peer's key ends, by the server's clock; Infinity = never. Then it is time for a new plan. */
  readonly nextExpiryMs: number
}

/** What the parts hold while nothing may flow. */
export const EMPTY_PLAN: Plan = {
  dataplane: { selfAddresses: [], peers: [], filter: { matches: [], localNets: [], shieldsUp: false } },
  magicsock: { peers: [], derpMap: { Regions: {} } },
  problems: [],
  nextExpiryMs: Infinity,
}

const SERVICE_ADDRESSES: ReadonlySet<string> = new Set(['100.100.100.100/32', 'fd7a:115c:a1e0::53/128'])

/** Makes plans and keeps what it worked out for peers and rules that stayed the same (`===`). */
export class Planner {
  #peers = new WeakMap<Node, PeerPlan>()
  /** The last plan of each node ID, so that a change that matters to no part keeps its objects. */
  #byId = new Map<number, PeerPlan>()
  #peersKey = ''
  #claims: readonly DataplanePeer[] = []
  #owners: readonly DataplanePeer[] = []
  #finding: readonly MagicsockPeer[] = []
  #last: Plan = EMPTY_PLAN
  #filterKey: readonly (readonly FilterRule[])[] = []
  #filterPeers: ReadonlyMap<number, Node> | undefined
  #filter: CompiledFilter = { matches: [], problems: [] }

  /** The plan for a map; `nowMs` is wall time corrected by the server's clock. What is equal to last time is the same object. */
  plan(netMap: NetMap, prefs: PlanPrefs, nowMs: number): Plan {
    const selfAddresses = addressesOf(netMap.self)
    const suffix = magicDnsSuffix(netMap.self)
    this.#reset(JSON.stringify([prefs.acceptRoutes, prefs.exitNodeId, selfAddresses, suffix]))
    const claims: DataplanePeer[] = []
    const finding: MagicsockPeer[] = []
    let nextExpiryMs = Infinity
    for (const node of netMap.peers.values()) {
      const planned = this.#peer(node, prefs, selfAddresses, suffix)
      if (!planned.usable || planned.expiresAtMs <= nowMs) continue
      nextExpiryMs = Math.min(nextExpiryMs, planned.expiresAtMs)
      finding.push(planned.magicsock)
      claims.push(planned.dataplane)
    }
    if (!sameItems(claims, this.#claims)) {
      this.#claims = claims
      this.#owners = oneOwnerEach(claims)
    }
    if (!sameItems(finding, this.#finding)) this.#finding = finding
    if (this.#byId.size > 2 * netMap.peers.size + 100) this.#byId.clear()
    const filter = this.#compile(netMap)
    const last = this.#last
    const plan: Plan = {
      dataplane: keep(last.dataplane, { selfAddresses: keepTexts(last.dataplane.selfAddresses, selfAddresses), peers: this.#owners, filter: filterTable(filter, netMap, prefs, last.dataplane.filter) }),
      magicsock: keep(last.magicsock, { peers: this.#finding, derpMap: netMap.derpMap, lastHome: netMap.self.HomeDERP ?? 0 }),
      problems: filter.problems,
      nextExpiryMs,
    }
    this.#last = plan
    return plan
  }

  #reset(key: string): void {
    if (key === this.#peersKey) return
    this.#peersKey = key
    this.#peers = new WeakMap()
    this.#byId.clear()
  }

  #peer(node: Node, prefs: PlanPrefs, selfAddresses: readonly string[], suffix: string): PeerPlan {
    const known = this.#peers.get(node)
    if (known) return known
    const fresh = planPeer(node, prefs, selfAddresses, suffix)
    const before = this.#byId.get(node.ID)
    const planned = before ? { ...fresh, dataplane: keepEqual(before.dataplane, fresh.dataplane), magicsock: keepEqual(before.magicsock, fresh.magicsock) } : fresh
    this.#peers.set(node, planned)
    this.#byId.set(node.ID, planned)
    return planned
  }

  #compile(netMap: NetMap): CompiledFilter {
    const names = [...netMap.packetFilters.keys()].toSorted()
    const lists = names.map((name) => netMap.packetFilters.get(name)!)
    const usesCaps = lists.some((rules) => rules.some((rule) => (rule.SrcIPs ?? []).some((src) => src.startsWith('cap:'))))
    const same = lists.length === this.#filterKey.length && lists.every((rules, i) => rules === this.#filterKey[i])
    if (same && (!usesCaps || this.#filterPeers === netMap.peers)) return this.#filter
    this.#filterKey = lists
    this.#filterPeers = netMap.peers
    this.#filter = compileFilter(lists.flat(), netMap.peers.values())
    return this.#filter
  }
}

interface PeerPlan {
  readonly dataplane: DataplanePeer
  readonly magicsock: MagicsockPeer
  readonly usable: boolean
  /** Wall time; Infinity = never. */
  readonly expiresAtMs: number
}

function planPeer(node: Node, prefs: PlanPrefs, selfAddresses: readonly string[], suffix: string): PeerPlan {
  const key = parseNodeKey(node.Key)
  const disco = node.DiscoKey !== undefined && !isZeroKey(node.DiscoKey) ? parseDiscoKey(node.DiscoKey) : undefined
  const homeDerp = node.HomeDERP ?? 0
  const expiresAtMs = expiryOf(node)
  const sources = key === undefined ? [] : sourcesOf(node, prefs, selfAddresses)
  return {
    usable: key !== undefined && !isZeroKey(key) && node.Expired !== true && (disco !== undefined || homeDerp !== 0),
    expiresAtMs,
    dataplane: { key: key!, allowedSources: sources, routes: sources, jailed: node.IsJailed === true },
    magicsock: {
      id: node.ID,
      key: key!,
      disco,
      endpoints: (node.Endpoints ?? []).map(parseAddrPort).filter((at): at is AddrPort => at !== undefined),
      homeDerp,
      ip: addressesOf(node)[0] ?? '',
      name: shortName(node, suffix),
      expired: false,
    },
  }
}

/** Wall time at which a node's key ends; Infinity when it never does. */
export function expiryOf(node: Node): number {
  if (node.KeyExpiry === undefined || node.KeyExpiry === ZERO_TIME) return Infinity
  const at = Date.parse(node.KeyExpiry)
  return Number.isNaN(at) ? Infinity : at
}

function sourcesOf(node: Node, prefs: PlanPrefs, selfAddresses: readonly string[]): readonly string[] {
  const own = new Set<string>()
  for (const address of node.Addresses ?? []) {
    const prefix = canonical(address)
    if (prefix !== undefined && isOwnAddress(prefix) && !coversOwn(prefix, selfAddresses)) own.add(prefix)
  }
  const routes = new Set<string>()
  const isExitNode = prefs.exitNodeId !== '' && node.StableID === prefs.exitNodeId
  for (const text of node.UnsignedPeerAPIOnly === true ? [] : (node.AllowedIPs ?? [])) {
    const prefix = canonical(text)
    if (prefix === undefined || own.has(prefix) || SERVICE_ADDRESSES.has(prefix)) continue
    const isDefault = prefix === '0.0.0.0/0' || prefix === '::/0'
    if (isDefault ? isExitNode : prefs.acceptRoutes && !coversOwn(prefix, selfAddresses)) routes.add(prefix)
  }
  return [...[...own].toSorted(), ...[...routes].toSorted()]
}

/** A single address of the network's own range; anything else a node has is a route. */
function isOwnAddress(prefix: string): boolean {
  const slash = prefix.indexOf('/')
  const ip = prefix.slice(0, slash)
  const bits = Number(prefix.slice(slash + 1))
  return bits === (ip.includes(':') ? 128 : 32) && isTailscaleIp(ip) && !SERVICE_ADDRESSES.has(prefix)
}

/** "ip/bits" in canonical text; undefined when it is none or has host bits. */
function canonical(text: string): string | undefined {
  const prefix = parsePrefix(text)
  if (!prefix) return undefined
  const bytes = parseIp(prefix.ip)!
  for (let bit = prefix.bits; bit < bytes.length * 8; bit++) if ((bytes[bit >> 3]! & (128 >> (bit & 7))) !== 0) return undefined
  return `${formatIp(bytes)}/${prefix.bits}`
}

function coversOwn(prefix: string, selfAddresses: readonly string[]): boolean {
  return selfAddresses.some((ip) => prefix === `${ip}/${ip.includes(':') ? 128 : 32}`)
}

/** The peers with each prefix sent to one of them: the first that claims it. */
function oneOwnerEach(claims: readonly DataplanePeer[]): readonly DataplanePeer[] {
  const owned = new Set<string>()
  return claims.map((peer) => {
    const taken = peer.routes.some((route) => owned.has(route))
    const kept = taken ? { ...peer, routes: peer.routes.filter((route) => !owned.has(route)) } : peer
    for (const route of peer.routes) owned.add(route)
    return kept
  })
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i])
}

/** The old object when every field is the same one. */
function keep<T extends object>(before: T, after: T): T {
  const fields = Object.keys(after) as (keyof T)[]
  return fields.every((field) => before[field] === after[field]) && fields.length === Object.keys(before).length ? before : after
}

function keepEqual<T>(before: T, after: T): T {
  return JSON.stringify(before) === JSON.stringify(after) ? before : after
}

function keepTexts(before: readonly string[], after: readonly string[]): readonly string[] {
  return sameItems(before, after) ? before : after
}

function filterTable(filter: CompiledFilter, netMap: NetMap, prefs: PlanPrefs, last: FilterTable): FilterTable {
  const localNets = new Set<string>()
  for (const address of netMap.self.Addresses ?? []) {
    const prefix = canonical(address)
    if (prefix !== undefined) localNets.add(prefix)
  }
  for (const route of prefs.advertiseRoutes) {
    const prefix = canonical(route)
    // An exit node's default route needs the host's own networks taken out: it is served with exit nodes.
    if (prefix !== undefined && prefix !== '0.0.0.0/0' && prefix !== '::/0') localNets.add(prefix)
  }
  return keep(last, { matches: filter.matches, localNets: keepTexts(last.localNets, [...localNets]), shieldsUp: prefs.shieldsUp })
}
