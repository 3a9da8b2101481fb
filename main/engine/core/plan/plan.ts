/**
 * (network map, prefs, facts of the system) → what the data plane and path finding should be. Pure, in a stable order: by node ID, and inside
 * a peer its own addresses first, then routes as text. Expired peers are left out.
 *
 *   plan-peer.ts    one node              peer-lists.ts   all of them, kept from map to map
 *   owners.ts       which peer gets an address that several claim: the lowest node ID
 *   routes.ts       networks behind devices: who carries each    route-rules.ts   which of them are used at all
 *   egress.ts       what becomes of traffic to the internet
 *   dns.ts          how names are resolved
 */
import { parsePrefix, prefixContains } from '../../base/ip.ts'
import type { FilterRule, Node } from '../tailcfg/types.ts'
import type { NetMap } from '../netmap/types.ts'
import { compileFilter } from '../filter/compile.ts'
import type { CompiledFilter } from '../filter/compile.ts'
import { Hosts } from '../dns/hosts.ts'
import { EMPTY_DNS, exitDns, planDns, withoutResolvers } from './dns.ts'
import type { DnsPlan } from './dns.ts'
import { DIRECT, egressOf } from './egress.ts'
import type { Egress, ExitVerdict } from './egress.ts'
import { localNets } from './local-nets.ts'
import { addressesOf, magicDnsSuffix } from './names.ts'
import { PeerLists } from './peer-lists.ts'
import { PeerRelays } from './peer-relays.ts'
import { sameItems } from './plan-peer.ts'
import { RouteRules } from './route-rules.ts'
import type { OutsidePlace, RouteWishes } from './route-rules.ts'
import type { PlannedRoute } from './routes.ts'
import { localNetworks, NO_SYSTEM } from './system-facts.ts'
import type { SystemFacts } from './system-facts.ts'
import type { DataplaneConfig, FilterTable, MagicsockConfig, RelayServerWish } from './types.ts'

/** Of the prefs those that routing depends on. */
export interface PlanPrefs {
  readonly acceptRoutes: boolean
  /** Stable ID of the chosen exit node, UNRESOLVED_EXIT, or "" = none. */
  readonly exitNodeId: string
  /** Its address, while the stable ID is not known. */
  readonly exitNodeIp?: string
  /** What was found out of the exit nodes; absent: the chosen one is used. */
  readonly exitVerdict?: ExitVerdict | undefined
  /** Absent: as if names were not taken from the server. */
  readonly acceptDns?: boolean
  readonly shieldsUp: boolean
  readonly advertiseRoutes: readonly string[]
  /** Prefixes that are not used although routes are accepted. */
  readonly skippedRoutes?: readonly string[]
  /** Places that our own sockets speak with, for what is said of networks that hold them. */
  readonly outside?: readonly OutsidePlace[]
  /** Absent: this node does not offer to relay for others. */
  readonly relayServer?: RelayServerWish | undefined
}

export interface Plan {
  readonly dataplane: DataplaneConfig
  readonly magicsock: MagicsockConfig
  readonly egress: Egress
  /** What becomes of each network behind a device, by prefix, IPv4 first. */
  readonly routes: readonly PlannedRoute[]
  readonly dns: DnsPlan
  readonly problems: readonly string[]
  /** The server's rules cannot be trusted: nothing may come in. */
  readonly filterRefused: boolean
  /** When the next peer's key ends, by the server's clock; Infinity = never. Then it is time for a new plan. */
  readonly nextExpiryMs: number
}

/** What the parts hold while nothing may flow. */
export const EMPTY_PLAN: Plan = {
  dataplane: { selfAddresses: [], peers: [], filter: { matches: [], localNets: [], shieldsUp: false } },
  magicsock: { peers: [], derpMap: { Regions: {} } },
  egress: DIRECT,
  routes: [],
  dns: EMPTY_DNS,
  problems: [],
  filterRefused: false,
  nextExpiryMs: Infinity,
}

const REFUSED: CompiledFilter = { matches: [], problems: ['the rules would let in a device that nobody has signed for: all of them are refused and nothing may come in'] }

/** Makes plans and keeps what it worked out for peers and rules that stayed the same (`===`). */
export class Planner {
  readonly #peers = new PeerLists()
  readonly #relays = new PeerRelays()
  readonly #hosts = new Hosts()
  #last: Plan = EMPTY_PLAN
  #rules: RouteRules | undefined
  #rulesKey = ''
  #dnsKey: readonly unknown[] = []
  #dns = EMPTY_DNS
  #resting: Plan = EMPTY_PLAN
  #filterKey: readonly (readonly FilterRule[])[] = []
  #filterPeers: ReadonlyMap<number, Node> | undefined
  #filter: CompiledFilter = { matches: [], problems: [] }
  #usesCaps = false
  #judged: CompiledFilter | undefined
  #judgedUnsigned: ReadonlyMap<number, Node> | undefined
  #isRefused = false

  /** The plan for a map; `nowMs` is wall time corrected by the server's clock. What is equal to last time is the same object. */
  plan(netMap: NetMap, prefs: PlanPrefs, nowMs: number, system: SystemFacts = NO_SYSTEM): Plan {
    const selfAddresses = addressesOf(netMap.self)
    const egress = egressOf(netMap, { id: prefs.exitNodeId, ip: prefs.exitNodeIp ?? '' }, nowMs, prefs.exitVerdict)
    // Of an exit node that is blocked or paused what is open may end in peace, and its answers are let in.
    const exitNodeId = egress.kind === 'direct' ? '' : egress.id
    this.#peers.update(netMap.peers, { exitNodeId, selfAddresses, suffix: magicDnsSuffix(netMap.self) }, this.#rulesFor({
      accept: prefs.acceptRoutes, skipped: prefs.skippedRoutes ?? [], selfAddresses, local: localNetworks(system), advertised: prefs.advertiseRoutes, outside: prefs.outside ?? [],
    }), nowMs)
    const compiled = this.#compile(netMap)
    const filterRefused = this.#letsInUnsigned(compiled)
    const filter = filterRefused ? REFUSED : compiled
    const last = this.#last
    const wayOut = keep(last.egress, egress)
    const plan: Plan = {
      dataplane: keep(last.dataplane, { selfAddresses: keepTexts(last.dataplane.selfAddresses, selfAddresses), peers: this.#peers.dataplane, filter: filterTable(filter, netMap, prefs, system, last.dataplane.filter) }),
      magicsock: keep(last.magicsock, { peers: this.#peers.magicsock, derpMap: netMap.derpMap, lastHome: netMap.self.HomeDERP ?? 0, peerRelays: this.#relays.update(netMap), relayServer: keepWish(last.magicsock.relayServer, prefs.relayServer) }),
      egress: wayOut,
      routes: this.#peers.routes,
      dns: this.#names(netMap, prefs.acceptDns === true, wayOut),
      problems: filter.problems,
      filterRefused,
      nextExpiryMs: this.#peers.nextExpiryMs,
    }
    this.#last = plan
    return plan
  }

  #rulesFor(wishes: RouteWishes): RouteRules {
    const key = JSON.stringify(wishes)
    if (!this.#rules || key !== this.#rulesKey) this.#rules = new RouteRules(wishes)
    this.#rulesKey = key
    return this.#rules
  }

  /** The plan while nothing may flow: names of the network stay what they are, and nobody upstream is asked for them. */
  resting(netMap: NetMap | undefined, prefs: PlanPrefs): Plan {
    if (!netMap) return EMPTY_PLAN
    const before = this.#dns
    const whole = this.#names(netMap, prefs.acceptDns === true, DIRECT)
    if (whole !== before || this.#resting === EMPTY_PLAN) this.#resting = { ...EMPTY_PLAN, dns: withoutResolvers(whole) }
    return this.#resting
  }

  /** The names of the network; another plan only when something beside the devices changed. */
  #names(netMap: NetMap, accept: boolean, egress: Egress): DnsPlan {
    this.#hosts.update(netMap)
    const key = [netMap.dns, netMap.self, accept, egress, egress.kind === 'exit' ? JSON.stringify(exitDns(netMap, egress)) : '']
    if (this.#dns !== EMPTY_DNS && key.every((part, i) => part === this.#dnsKey[i])) return this.#dns
    this.#dnsKey = key
    return (this.#dns = planDns(netMap, { accept, egress }, this.#hosts))
  }

  #compile(netMap: NetMap): CompiledFilter {
    const names = [...netMap.packetFilters.keys()].toSorted()
    const lists = names.map((name) => netMap.packetFilters.get(name)!)
    const same = lists.length === this.#filterKey.length && lists.every((rules, i) => rules === this.#filterKey[i])
    if (same && (!this.#usesCaps || this.#filterPeers === netMap.peers)) return this.#filter
    if (!same) this.#usesCaps = lists.some((rules) => rules.some((rule) => (rule.SrcIPs ?? []).some((src) => src.startsWith('cap:'))))
    this.#filterKey = lists
    this.#filterPeers = netMap.peers
    const compiled = compileFilter(lists.flat(), netMap.peers.values())
    if (!same || JSON.stringify(compiled) !== JSON.stringify(this.#filter)) this.#filter = compiled
    return this.#filter
  }

  /** Whether the rules would let in a node that nobody has signed for: then none of them can be trusted. */
  #letsInUnsigned(filter: CompiledFilter): boolean {
    const { unsigned } = this.#peers
    if (filter !== this.#judged || unsigned !== this.#judgedUnsigned) {
      this.#judged = filter
      this.#judgedUnsigned = unsigned
      this.#isRefused = [...unsigned.values()].flatMap(addressesOf).some((ip) => filter.matches.some(({ srcs }) => srcs.some((src) => prefixContains(parsePrefix(src)!, ip))))
    }
    return this.#isRefused
  }
}

/** The old object when every field is the same one. */
function keep<T extends object>(before: T, after: T): T {
  const fields = Object.keys(after) as (keyof T)[]
  return fields.every((field) => before[field] === after[field]) && fields.length === Object.keys(before).length ? before : after
}

function keepWish(before: RelayServerWish | undefined, after: RelayServerWish | undefined): RelayServerWish | undefined {
  return JSON.stringify(before) === JSON.stringify(after) ? before : after
}

function keepTexts(before: readonly string[], after: readonly string[]): readonly string[] {
  return sameItems(before, after) ? before : after
}

function filterTable(filter: CompiledFilter, netMap: NetMap, prefs: PlanPrefs, system: SystemFacts, last: FilterTable): FilterTable {
  const nets = localNets(netMap.self, prefs.advertiseRoutes, system)
  return keep(last, { matches: filter.matches, localNets: keepTexts(last.localNets, nets), shieldsUp: prefs.shieldsUp })
}
