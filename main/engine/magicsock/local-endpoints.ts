/**
 * Our own addresses as peers should try them, best first. Pure.
 *
 *   1 the address that the router gave          2 STUN answers, and older ones that two servers saw
 *   3 the public address with our own port, when the NAT gives every destination its own and a person chose the port: perhaps
 *     the same person told the router of it     4 what was found a moment ago     5 what the settings file names     6 interfaces
 *
 * Loopback only when there is nothing else, or when STUN itself saw us there.
 * Source: tailscale wgengine/magicsock/magicsock.go (determineEndpoints) @ de9ec7e, read 2026-08.
 */
import type { AddrPort } from '../base/ip.ts'
import { canonicalIp, formatAddrPort, isLinkLocalIp, isLoopbackIp, isMulticastIp, isPrivateIp, isTailscaleIp, isUnspecifiedIp, parseAddrPort } from '../base/ip.ts'
import type { NetcheckReport } from '../core/netcheck/report.ts'
import type { EndpointType } from '../core/tailcfg/types.ts'
import type { Endpoint, LocalInterface } from './ports.ts'

const MAX_LOCAL = 24
const TYPE_LOCAL = 1
const TYPE_STUN = 2
const TYPE_PORT_MAPPED = 3
const TYPE_STUN_LOCAL_PORT = 4
const TYPE_EXPLICIT = 5

export interface ExtraEndpoints {
  readonly portMapped?: AddrPort | undefined
  /** The port is one that a person chose; absent = it is. */
  readonly isFixedPort?: boolean
  /** Takes the outer addresses found, answers those that were found before. */
  readonly remember?: (found: readonly Endpoint[]) => readonly Endpoint[]
  /** "ip:port", as a person wrote them. */
  readonly explicit?: readonly string[]
}

/** The whole list for control and for calls to peers, without doubles. */
export function localEndpoints(report: NetcheckReport | undefined, interfaces: readonly LocalInterface[], port: number, extra: ExtraEndpoints = {}): Endpoint[] {
  const out = new Map<string, EndpointType>()
  const add = (addr: AddrPort, type: EndpointType): void => {
    const text = formatAddrPort(addr)
    if (addr.port !== 0 && !out.has(text)) out.set(text, type)
  }
  if (extra.portMapped) add(extra.portMapped, TYPE_PORT_MAPPED)
  if (report?.globalV4) add(report.globalV4, TYPE_STUN)
  if (report?.globalV6) add(report.globalV6, TYPE_STUN)
  if (report) addRepeated(out, report)
  if (report?.mappingVariesByDestIp === true && report.globalV4 && extra.isFixedPort !== false) add({ ip: report.globalV4.ip, port }, TYPE_STUN_LOCAL_PORT)
  // What the router gave is known to be gone when it is: it is not remembered.
  const found = list(out).filter(({ type }) => type !== TYPE_PORT_MAPPED)
  for (const { addr, type } of extra.remember?.(found) ?? []) if (!out.has(addr)) out.set(addr, type)
  for (const text of extra.explicit ?? []) add(parseAddrPort(text)!, TYPE_EXPLICIT)
  const usable = interfaces.map((one) => canonicalIp(one.ip)).filter((ip) => ip !== undefined && isReachable(ip)) as string[]
  for (const ip of usable.filter((one) => !isLoopbackIp(one)).slice(0, MAX_LOCAL)) add({ ip, port }, TYPE_LOCAL)
  if (out.size === 0) for (const ip of usable) add({ ip, port }, TYPE_LOCAL)
  return list(out)
}

function list(endpoints: ReadonlyMap<string, EndpointType>): Endpoint[] {
  return [...endpoints].map(([addr, type]) => ({ addr, type }))
}

/** Whether a datagram of a stranger probably reaches us: the internet sees an address of our own, or a port is mapped to us. */
export function isOpenToStrangers(endpoints: readonly Endpoint[], interfaces: readonly LocalInterface[]): boolean {
  const own = new Set(interfaces.map((one) => canonicalIp(one.ip)))
  return endpoints.some(({ addr, type }) => {
    const { ip } = parseAddrPort(addr)!
    // A private one is of a router that is behind another.
    return (type === TYPE_PORT_MAPPED && !isPrivateIp(ip)) || (type === TYPE_STUN && own.has(ip))
  })
}

/** An address that two servers saw is no accident of one destination. */
function addRepeated(out: Map<string, EndpointType>, report: NetcheckReport): void {
  for (const counters of [report.globalV4Counters, report.globalV6Counters]) {
    for (const [text, count] of counters) if (count > 1 && !out.has(text)) out.set(text, TYPE_STUN)
  }
}

/** Link-local addresses mean nothing without a zone; the tunnel is no way to reach the tunnel. */
function isReachable(ip: string): boolean {
  return !isTailscaleIp(ip) && !isLinkLocalIp(ip) && !isMulticastIp(ip) && !isUnspecifiedIp(ip)
}
