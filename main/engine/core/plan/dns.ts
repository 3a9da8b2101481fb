/**
 * (network map, prefs, what becomes of traffic to the internet) → how names are resolved. Pure, in a stable order.
 *
 *   routes   suffix → resolvers, the longest suffix first; none = answered here, and what is not known there does not exist
 *   rest     every other name: resolvers that the server names | the system's own | the exit node | nobody
 *
 *   no exit node                          the server's resolvers, else the system; all routes
 *   exit node that answers names          resolvers marked for use with exit nodes, else the exit node; of the routes those
 *                                         answered here and those so marked
 *   exit node that does not               the server's resolvers, else its own list, else the fallback resolvers, else nobody
 *   exit node that cannot be used         nobody; routes stay, as their resolvers may be inside the network
 *   names not accepted from the server    devices only; the rest as the system, or by the exit node, or nobody
 *
 * Whatever the rest is, while an exit node is chosen it is never the system: that would tell its resolvers every name.
 * Source: control facts §8.2, dataplane facts §9.3. That an exit node answers names is believed only if it says so, since
 * Headscale does not tell how new a node is.
 */
import { SERVICE_IPS } from '../../base/ip.ts'
import { Hosts } from '../dns/hosts.ts'
import { isInside, nameProblem, plainName } from '../dns/message.ts'
import { peerByStableId } from '../netmap/find-node.ts'
import type { NetMap } from '../netmap/types.ts'
import type { DnsResolver } from '../tailcfg/types.ts'
import type { Egress } from './egress.ts'
import { addressesOf, magicDnsSuffix } from './names.ts'
import { peerApiUrls } from './peer-api-port.ts'

export interface DnsRoute {
  /** In lower case without dots at its ends. */
  readonly suffix: string
  /** None: answered here. */
  readonly resolvers: readonly DnsResolver[]
  readonly why: string
}

export type DnsRest =
  | { readonly kind: 'system'; readonly why: string }
  | { readonly kind: 'resolvers'; readonly resolvers: readonly DnsResolver[]; readonly why: string }
  /** `url`: where the exit node answers, inside the tunnel. */
  | { readonly kind: 'exit-node'; readonly name: string; readonly url: string; readonly why: string }
  | { readonly kind: 'blocked'; readonly why: string }

export interface DnsPlan {
  /** Names are taken from the server. */
  readonly enabled: boolean
  /** Devices are known by their first label alone too. */
  readonly magic: boolean
  /** Of the devices' names; "" = none. */
  readonly suffix: string
  /** To be added to a name of one label, in order. */
  readonly search: readonly string[]
  /** Kept up to date in place: who is in the network changes more often than the rest. */
  readonly hosts: Hosts
  readonly selfAddresses: readonly string[]
  readonly routes: readonly DnsRoute[]
  /** The same by suffix. */
  readonly routeOf: ReadonlyMap<string, DnsRoute>
  readonly rest: DnsRest
  /** Names that we tell nobody as an exit node; those with a dot in front with all below them. */
  readonly filtered: readonly string[]
}

export const EMPTY_DNS: DnsPlan = {
  enabled: false, magic: false, suffix: '', search: [], hosts: new Hosts(), selfAddresses: [], routes: [], routeOf: new Map(), filtered: [],
  rest: { kind: 'system', why: 'this device is not connected' },
}

const DNS_PROXY = 'peerapi-dns-proxy'
const MAX_SEARCH = 32
const MAX_ROUTES = 10_000
/** Addresses of the network, looked up backwards. */
const REVERSE_ZONES: readonly string[] = [
  '0.e.1.a.c.5.1.1.a.7.d.f.ip6.arpa',
  ...Array.from({ length: 64 }, (_, i) => `${64 + i}.100.in-addr.arpa`),
]

export interface DnsWish {
  /** Names are taken from the server. */
  readonly accept: boolean
  readonly egress: Egress
}

/** The plan for a map; `hosts` is the index of this map. */
export function planDns(netMap: NetMap, { accept, egress }: DnsWish, hosts: Hosts): DnsPlan {
  const { dns, self } = netMap
  const suffix = plainName(magicDnsSuffix(self))
  const magic = accept && dns.Proxied === true
  const exit = egress.kind === 'exit' ? exitDns(netMap, egress) : undefined
  const all = accept ? routesOf(netMap, magic ? suffix : '', magic) : []
  const kept = exit?.url === undefined ? all : all.flatMap((route) => withExitNode(route) ?? [])
  const routes = kept.toSorted((a, b) => b.suffix.length - a.suffix.length || (a.suffix < b.suffix ? -1 : 1))
  return {
    enabled: accept,
    magic,
    suffix,
    search: accept ? names(dns.Domains ?? []).slice(0, MAX_SEARCH) : [],
    hosts,
    selfAddresses: addressesOf(self),
    routes,
    routeOf: new Map(routes.map((route) => [route.suffix, route])),
    rest: restOf(accept ? netMap : undefined, egress, exit),
    filtered: (dns.ExitNodeFilteredSet ?? []).map((name) => name.toLowerCase()),
  }
}

/** A plan under which nobody is asked but the system, which is told no name of ours. */
export function withoutResolvers(plan: DnsPlan): DnsPlan {
  const routes = plan.routes.filter(({ resolvers }) => resolvers.length === 0)
  return { ...plan, routes, routeOf: new Map(routes.map((route) => [route.suffix, route])), rest: EMPTY_DNS.rest }
}

function restOf(netMap: NetMap | undefined, egress: Egress, exit: ReturnType<typeof exitDns> | undefined): DnsRest {
  const resolvers = used(netMap?.dns.Resolvers)
  if (egress.kind === 'blocked') return { kind: 'blocked', why: egress.why }
  if (exit?.url !== undefined) {
    const marked = resolvers.filter((one) => one.UseWithExitNode === true)
    if (marked.length > 0) return { kind: 'resolvers', resolvers: marked, why: 'the server names them for use with an exit node' }
    return { kind: 'exit-node', name: exit.name, url: exit.url, why: `the exit node ${exit.name} looks names up` }
  }
  if (resolvers.length > 0) return { kind: 'resolvers', resolvers, why: 'the server names them for all names' }
  if (!exit) return { kind: 'system', why: netMap ? 'the server names no resolver for all names' : "the server's names are not accepted" }
  if (exit.resolvers.length > 0) return { kind: 'resolvers', resolvers: exit.resolvers, why: `the server names them for the exit node ${exit.name}` }
  const fallback = used(netMap?.dns.FallbackResolvers)
  if (fallback.length > 0) return { kind: 'resolvers', resolvers: fallback, why: `the exit node ${exit.name} looks no names up, and the server names them for that` }
  return { kind: 'blocked', why: `the exit node ${exit.name} looks no names up, and the server names no resolver; this computer's own would see every name` }
}

/** What the exit node in use does for names; without `url` it answers none. */
export function exitDns(netMap: NetMap, { id, name }: Extract<Egress, { kind: 'exit' }>): { readonly name: string; readonly url: string | undefined; readonly resolvers: readonly DnsResolver[] } {
  const node = peerByStableId(netMap, id)
  const answers = node?.Hostinfo?.Services?.some((service) => service.Proto === DNS_PROXY) === true
  const urls = (node && answers ? peerApiUrls(node, netMap.self) : null) ?? []
  const base = urls.find((url) => !url.includes('[')) ?? urls[0]
  return { name, url: base && `${base}/dns-query`, resolvers: node?.IsWireGuardOnly === true ? used(node.ExitNodeDNSResolvers) : [] }
}

/** A route as it is while an exit node looks names up; undefined: it gives way. */
function withExitNode(route: DnsRoute): DnsRoute | undefined {
  if (route.resolvers.length === 0) return route
  const resolvers = route.resolvers.filter((one) => one.UseWithExitNode === true)
  return resolvers.length === 0 ? undefined : { ...route, resolvers }
}

/** Every suffix that goes its own way: what the server says, our own zones, and the server's extra records. */
function routesOf({ dns }: NetMap, suffix: string, magic: boolean): readonly DnsRoute[] {
  const routes = new Map<string, DnsRoute>()
  const add = (zone: string, resolvers: readonly DnsResolver[], why: string): void => {
    if (nameProblem(zone) === undefined && !routes.has(zone) && routes.size < MAX_ROUTES) routes.set(zone, { suffix: zone, resolvers, why })
  }
  for (const [zone, resolvers] of Object.entries(dns.Routes ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const kept = used(resolvers)
    // A list of nothing that could be asked is no leave to answer "no such name".
    if (kept.length === 0 && (resolvers ?? []).length > 0) continue
    add(plainName(zone), kept, kept.length > 0 ? 'the server sends these names there' : 'the server says that they are answered here')
  }
  if (magic && suffix !== '') add(suffix, [], 'names of the devices of this network')
  if (magic) for (const zone of REVERSE_ZONES) add(zone, [], "the network's addresses, looked up backwards")
  for (const { Name } of dns.ExtraRecords ?? []) {
    const name = plainName(Name)
    if (name !== '' && routeFor(routes, name) === undefined) add(name, [], 'a record that the server gives')
  }
  return [...routes.values()]
}

/** Those that have an address. */
function used(resolvers: readonly DnsResolver[] | null | undefined): readonly DnsResolver[] {
  return (resolvers ?? []).filter(({ Addr }) => Addr !== undefined && Addr !== '')
}

function names(texts: readonly string[]): readonly string[] {
  return [...new Set(texts.map(plainName).filter((name) => name !== '' && nameProblem(name) === undefined))]
}

/** The route that a name takes; undefined: as the rest. `name` in lower case without trailing dot. */
export function routeFor(routeOf: ReadonlyMap<string, DnsRoute>, name: string): DnsRoute | undefined {
  for (let zone = name; zone !== ''; zone = zone.slice(zone.indexOf('.') + 1 || zone.length)) {
    const route = routeOf.get(zone)
    if (route) return route
  }
  return routeOf.get('')
}

/** Whether a name is on the list of those that an exit node is to tell nobody. */
export function isFiltered(filtered: readonly string[], name: string): boolean {
  return filtered.some((entry) => (entry.startsWith('.') ? isInside(name, entry.slice(1)) : plainName(entry) === name))
}

/** Addresses that only we ourselves answer at: asking them would be asking ourselves. */
export function isOurselves(ip: string, selfAddresses: readonly string[]): boolean {
  return SERVICE_IPS.includes(ip) || selfAddresses.includes(ip)
}
