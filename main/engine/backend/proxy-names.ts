/**
 * Where a proxy request goes: into the tunnel, to this machine itself, or out of the system's own network. Pure; names
 * that only a resolver knows come back as `ask` and are decided again with their addresses.
 *
 *   network name (short or full, any case)   → the peer's address, IPv4 when both have it, as MagicDNS tells it → tunnel
 *   our own name or address, this machine    → this machine, outside the tunnel
 *   100.100.100.100 and its IPv6 twin        → port 53 is our resolver; others refused: they are no device
 *   address of a peer or inside its routes   → tunnel; one of a network of this machine inside a larger route stays local
 *   inside a network that nobody can carry   → refused: it must not leave another way
 *   other address of the network's range     → refused: nobody has it
 *   unknown name under the network's suffix  → refused, never asked of a resolver
 *   the local network                        → the system; while an exit node is chosen only where that is allowed
 *   everything else, by the way out          → the system (none chosen, or paused), the tunnel (exit node), refused (blocked)
 *
 * While an exit node is chosen no name is asked of the system's resolver, and while it is blocked none of anybody.
 */
import { canonicalIp, formatIp, hostPrefix, isIp4, isLinkLocalIp, isLoopbackIp, isMulticastIp, isTailscaleIp, isUnspecifiedIp, parseIp, parsePrefix, prefixContains, SERVICE_IPS, unmap } from '../base/ip.ts'
import type { NetMap } from '../core/netmap/types.ts'
import type { Node } from '../core/tailcfg/types.ts'
import type { Egress } from '../core/plan/egress.ts'
import type { PlannedRoute } from '../core/plan/routes.ts'
import type { DataplanePeer } from '../core/plan/types.ts'
import { addressesOf, magicDnsSuffix, shortName, trimDot } from '../core/plan/names.ts'
import { localNetworks } from '../core/plan/system-facts.ts'
import type { SystemFacts } from '../core/plan/system-facts.ts'
import type { ProxyAnswer, ProxyRequest } from './ports.ts'

/** `by`: the system's resolver, or one inside the tunnel because the system must not see the name. */
export type NameDecision = ProxyAnswer | { readonly kind: 'ask'; readonly by: 'system' | 'exit' }

export interface NameContext {
  readonly netMap: NetMap | undefined
  /** The peers in force, with the routes that each owns; none while stopped. */
  readonly peers: readonly DataplanePeer[]
  /** What becomes of the networks behind devices. */
  readonly routes: readonly PlannedRoute[]
  readonly egress: Egress
  /** The local network may be reached while an exit node is chosen. */
  readonly allowLan: boolean
  readonly system: SystemFacts
}

/** The answer for a request, or that a resolver is to be asked. */
export function decideProxy(request: Pick<ProxyRequest, 'host' | 'port'>, context: NameContext): NameDecision {
  const host = trimDot(request.host.replace(/^\[(.*)\]$/, '$1')).toLowerCase()
  const ip = canonicalIp(host)
  if (ip !== undefined) return decideAddresses([ip], request.port, context)
  if (!/^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?$/.test(host)) return refuse('no-such-host', `${JSON.stringify(request.host.slice(0, 100))} is not a host name`)
  if (host === 'localhost' || host.endsWith('.localhost')) return { kind: 'system', addresses: LOOPBACK, port: request.port }
  const known = context.netMap && decideName(host, request.port, context, context.netMap)
  if (known) return known
  const { egress } = context
  if (egress.kind === 'blocked') return refuse('not-allowed', egress.why)
  return { kind: 'ask', by: egress.kind === 'exit' ? 'exit' : 'system' }
}

/** The answer for addresses, all of one name: the tunnel when a peer owns the first one that any does, else by what each one is. */
export function decideAddresses(given: readonly string[], port: number, context: NameContext): ProxyAnswer {
  // The system sends to IPv4 where an IPv6 address holds one, so that is what is judged.
  const addresses = given.map(withoutCoat)
  const own = context.netMap ? addressesOf(context.netMap.self) : []
  const mine = addresses.find((ip) => own.includes(ip))
  if (mine !== undefined) return { kind: 'system', addresses: isIp4(mine) ? ['127.0.0.1'] : ['::1', '127.0.0.1'], port }
  const isRouted = routed(context)
  const inside = addresses.filter((ip) => isRouted(ip) && !SERVICE_IPS.includes(ip))
  if (inside.length > 0) return { kind: 'tunnel', addresses: inside, port }
  const outside = addresses.filter((ip) => !isTailscaleIp(ip))
  if (outside.length > 0) return decideOutside(outside, port, own, context)
  const first = addresses[0] ?? ''
  if (SERVICE_IPS.includes(first) && port === DNS_PORT) return { kind: 'engine', to: { ip: first, port } }
  if (SERVICE_IPS.includes(first)) return refuse('unreachable', `${first} is the network's own service address and serves no such port`)
  return refuse('unreachable', context.peers.length === 0 ? 'the tunnel is down' : `no device has the address ${first}`)
}

function withoutCoat(text: string): string {
  const bytes = parseIp(text)
  return bytes?.length === 16 && unmap(bytes).length === 4 ? formatIp(unmap(bytes)) : text
}

const DNS_PORT = 53
const LOOPBACK: readonly string[] = ['127.0.0.1', '::1']

/** Addresses that no device of the network has. */
function decideOutside(addresses: readonly string[], port: number, own: readonly string[], context: NameContext): ProxyAnswer {
  const lost = addresses.map((ip) => ({ ip, route: lostRoute(ip, context) })).find(({ route }) => route !== undefined)
  if (lost) return refuse('unreachable', `${lost.ip} is in ${lost.route!.prefix}, and ${lost.route!.why}`)
  const { egress } = context
  if (egress.kind === 'direct' || egress.kind === 'paused') return { kind: 'system', addresses, port }
  const here = addresses.filter((ip) => isThisMachine(ip, context.system))
  if (here.length > 0) return { kind: 'system', addresses: here, port }
  const near = addresses.map((ip) => ({ ip, network: localNetworkOf(ip, context.system) })).filter(({ network }) => network !== undefined)
  if (near.length > 0 && context.allowLan) return { kind: 'system', addresses: near.map(({ ip }) => ip), port }
  if (near.length > 0) return refuse('not-allowed', `${near[0]!.ip} is on the local network (${near[0]!.network!}), which is closed while an exit node is chosen; open it with: bowline set --exit-node-allow-lan-access`)
  if (egress.kind === 'blocked') return refuse('not-allowed', egress.why)
  const families = own.map(isIp4)
  const usable = addresses.filter((ip) => families.includes(isIp4(ip)))
  if (usable.length > 0) return { kind: 'tunnel', addresses: usable, port }
  return refuse('unreachable', `${addresses[0]!} is ${isIp4(addresses[0]!) ? 'IPv4' : 'IPv6'}, of which this device has no address in the network: the exit node cannot be used for it, and past it nothing goes out`)
}

function isThisMachine(ip: string, { interfaces }: SystemFacts): boolean {
  return isLoopbackIp(ip) || isUnspecifiedIp(ip) || interfaces.some((one) => canonicalIp(one.ip) === ip)
}

/** Whether an address is no device's, no network's behind one, not this machine's and not of a network here: the internet. */
export function isBeyond(ip: string, context: NameContext): boolean {
  return !isTailscaleIp(ip) && !routed(context)(ip) && !isThisMachine(ip, context.system) && localNetworkOf(ip, context.system) === undefined
}

/** What network here has the address, for a person. */
function localNetworkOf(ip: string, system: SystemFacts): string | undefined {
  if (isLinkLocalIp(ip) || isMulticastIp(ip)) return 'this link'
  return localNetworks(system).find(({ prefix }) => prefixContains(parsePrefix(prefix)!, ip))?.interface
}

function decideName(host: string, port: number, context: NameContext, netMap: NetMap): NameDecision | undefined {
  const suffix = magicDnsSuffix(netMap.self).toLowerCase()
  const found = findNode(netMap, host, suffix)
  if (found) return decideNode(found, port, context, netMap)
  const extra = (netMap.dns.ExtraRecords ?? []).filter((record) => trimDot(record.Name).toLowerCase() === host)
  const values = extra.map((record) => canonicalIp(record.Value)).filter((ip): ip is string => ip !== undefined)
  if (values.length > 0) return decideAddresses(values, port, context)
  if (suffix !== '' && (host === suffix || host.endsWith(`.${suffix}`))) return refuse('no-such-host', `no device of this network is called ${host}`)
  return undefined
}

function decideNode(node: Node, port: number, context: NameContext, netMap: NetMap): ProxyAnswer {
  const families = addressesOf(netMap.self).map(isIp4)
  const usable = addressesOf(node).filter((ip) => families.includes(isIp4(ip)))
  // One address, so that a refusal is a refusal: only a rejected IPv4 flow is answered by the peer, IPv6 would time out.
  const ip = usable.find(isIp4) ?? usable[0]
  return ip === undefined
    ? refuse('unreachable', `${trimDot(node.Name)} has no address of a family that this device has`)
    : decideAddresses([ip], port, context)
}

function findNode(netMap: NetMap, host: string, suffix: string): Node | undefined {
  const matches = (node: Node): boolean => trimDot(node.Name).toLowerCase() === host || (!host.includes('.') && shortName(node, suffix).toLowerCase() === host)
  if (matches(netMap.self)) return netMap.self
  for (const peer of netMap.peers.values()) if (matches(peer)) return peer
  return undefined
}

/** The network that would be used for an address if anybody carried it. */
function lostRoute(ip: string, { routes, system }: NameContext): PlannedRoute | undefined {
  return routes.find(({ state, prefix }) => state === 'no-router' && prefixContains(parsePrefix(prefix)!, ip) && localNetworkOf(ip, system) === undefined)
}

/** Whether a peer has an address, or a network that it lies in; the default routes of an exit node are not meant. */
function routed({ peers, system }: NameContext): (ip: string) => boolean {
  const isHost = (route: string): boolean => route.endsWith(route.includes(':') ? '/128' : '/32')
  return (ip) => {
    const host = hostPrefix(ip)
    const isNear = localNetworkOf(ip, system) !== undefined
    return peers.some((peer) => peer.routes.some((route) => route === host || (!isNear && !isHost(route) && !route.endsWith('/0') && prefixContains(parsePrefix(route)!, ip))))
  }
}

function refuse(code: 'no-such-host' | 'not-allowed' | 'unreachable', message: string): ProxyAnswer {
  return { kind: 'refuse', code, message }
}
