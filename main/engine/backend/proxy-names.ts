/**
 * Where a proxy request goes: into the tunnel, to this machine itself, or out of the system's own network. Pure; names
 * that only the system can resolve come back as `ask-system` and are decided again with their addresses.
 *
 *   network name (short or full, any case)   → the peer's address, IPv4 when both have it, as MagicDNS tells it → tunnel
 *   our own name or address                  → loopback, outside the tunnel
 *   address of a peer or inside its routes   → tunnel
 *   other address of the network's range     → refused: nobody has it
 *   unknown name under the network's suffix  → refused, never asked of the system's resolver
 */
import { canonicalIp, isIp4, isTailscaleIp, parsePrefix, prefixContains } from '../base/ip.ts'
import type { NetMap } from '../core/netmap/types.ts'
import type { Node } from '../core/tailcfg/types.ts'
import type { DataplanePeer } from '../core/plan/types.ts'
import { addressesOf, magicDnsSuffix, shortName, trimDot } from '../core/plan/names.ts'
import type { ProxyAnswer, ProxyRequest } from './ports.ts'

export type NameDecision = ProxyAnswer | { readonly kind: 'ask-system' }

export interface NameContext {
  readonly netMap: NetMap | undefined
  /** The peers in force, with the routes that each owns; none while stopped. */
  readonly peers: readonly DataplanePeer[]
}

/** The answer for a request, or that the system's resolver is to be asked. */
export function decideProxy(request: Pick<ProxyRequest, 'host' | 'port'>, context: NameContext): NameDecision {
  const host = trimDot(request.host.replace(/^\[(.*)\]$/, '$1')).toLowerCase()
  const ip = canonicalIp(host)
  if (ip !== undefined) return decideAddresses([ip], request.port, context)
  if (!/^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?$/.test(host)) return refuse('no-such-host', `${JSON.stringify(request.host.slice(0, 100))} is not a host name`)
  return (context.netMap && decideName(host, request.port, context, context.netMap)) ?? { kind: 'ask-system' }
}

/** The answer for addresses, all of one name: the tunnel when a peer owns the first one that any does, else the system. */
export function decideAddresses(addresses: readonly string[], port: number, context: NameContext): ProxyAnswer {
  const own = context.netMap ? addressesOf(context.netMap.self) : []
  const mine = addresses.find((ip) => own.includes(ip))
  if (mine !== undefined) return { kind: 'system', addresses: isIp4(mine) ? ['127.0.0.1'] : ['::1', '127.0.0.1'], port }
  const inside = addresses.filter((ip) => routed(ip, context.peers))
  if (inside.length > 0) return { kind: 'tunnel', addresses: inside, port }
  const outside = addresses.filter((ip) => !isTailscaleIp(ip))
  if (outside.length > 0) return { kind: 'system', addresses: outside, port }
  return refuse('unreachable', context.peers.length === 0 ? 'the tunnel is down' : `no device has the address ${addresses[0] ?? ''}`)
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

function routed(ip: string, peers: readonly DataplanePeer[]): boolean {
  const host = `${ip}/${isIp4(ip) ? 32 : 128}`
  const isHost = (route: string): boolean => route.endsWith(route.includes(':') ? '/128' : '/32')
  return peers.some((peer) => peer.routes.some((route) => route === host || (!isHost(route) && prefixContains(parsePrefix(route)!, ip))))
}

function refuse(code: 'no-such-host' | 'not-allowed' | 'unreachable', message: string): ProxyAnswer {
  return { kind: 'refuse', code, message }
}
