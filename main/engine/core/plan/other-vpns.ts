/**
 * Other programs with a private network on this machine, and networks here that give out the range that devices of ours have.
 * Pure; told by what the system lists: names of interfaces, their addresses, the default routes.
 *
 *   by name        an interface that only one product makes, with an address that reaches beyond its link
 *   by deed        one of a name that many make (utun4, tun0): it carries the default route, or has an address of 100.64.0.0/10
 *
 * What holds an address of our own is our own tunnel. A machine has idle interfaces of such names by itself (macOS: utun), and a dial-up
 * line is called as some VPNs are (ppp0): neither is told.
 *
 * Source: names as the products make them, from their public documentation and from address lists in public bug reports.
 */
import { canonicalIp, isIp4, isLinkLocalIp, isTailscaleIp, networkOf, parsePrefix, prefixContains } from '../../base/ip.ts'
import type { SystemFacts, SystemInterface } from './system-facts.ts'

export interface OtherVpn {
  /** "WireGuard", or "another VPN" where the interface does not tell. */
  readonly product: string
  readonly interface: string
  /** The default route of a family leads into it. */
  readonly carriesAll: boolean
  /** It has an address of the range that devices of ours have. */
  readonly hasRange: boolean
}

/** A network here whose addresses are of the range that devices of ours have. */
export interface RangeNetwork {
  readonly interface: string
  /** Its prefix, or the address alone that gives it away. */
  readonly text: string
}

const PRODUCTS: readonly (readonly [RegExp, string])[] = [
  [/^tailscale/i, 'Tailscale'],
  [/^nordlynx/i, 'NordVPN'],
  [/^(proton|pvpn)/i, 'Proton VPN'],
  [/^(wg.*mullvad|mullvad)/i, 'Mullvad'],
  [/^cloudflarewarp/i, 'Cloudflare WARP'],
  [/^(cscotun\d|cisco (anyconnect|secure client))/i, 'Cisco Secure Client'],
  [/^(gpd\d|pangp)/i, 'GlobalProtect'],
  [/^(fctvpn|fortinet|forticlient)/i, 'FortiClient'],
  [/^(zt[a-z0-9]{8}|zerotier)/i, 'ZeroTier'],
  [/^(wt\d+$|netbird)/i, 'NetBird'],
  [/^nebula/i, 'Nebula'],
  [/^openvpn/i, 'OpenVPN'],
  [/^(wg\d|wg-|wireguard)/i, 'WireGuard'],
]
const GENERIC = /^(utun|tun|tap|ipsec|vpn)\d*$/i
const RANGE = parsePrefix('100.64.0.0/10')!

/** One an interface, in the system's order. */
export function otherVpns(system: SystemFacts, selfAddresses: readonly string[]): readonly OtherVpn[] {
  const found: OtherVpn[] = []
  for (const [name, all] of byInterface(system, selfAddresses)) {
    const product = productOf(name)
    const carriesAll = (system.defaultRoutes ?? []).some((route) => route.interface === name)
    const hasRange = all.some(isInRange)
    if (product !== undefined) found.push({ product, interface: name, carriesAll, hasRange })
    else if (GENERIC.test(name) && (carriesAll || hasRange)) found.push({ product: hasRange && /^utun/i.test(name) ? 'Tailscale' : 'another VPN', interface: name, carriesAll, hasRange })
  }
  return found
}

/** The first such network that no VPN brings; undefined: there is none. */
export function rangeNetwork(system: SystemFacts, selfAddresses: readonly string[]): RangeNetwork | undefined {
  const isVpn = (name: string): boolean => productOf(name) !== undefined || GENERIC.test(name)
  for (const [name, all] of byInterface(system, selfAddresses)) {
    const one = isVpn(name) ? undefined : all.find(isInRange)
    if (one) return { interface: name, text: one.prefix === undefined ? one.ip : (networkOf(one.ip, one.prefix) ?? one.ip) }
  }
  const route = (system.defaultRoutes ?? []).find(({ interface: name, gateway }) => !isVpn(name) && gateway !== undefined && isIp4(gateway) && prefixContains(RANGE, gateway) && isTailscaleIp(gateway))
  return route && { interface: route.interface, text: route.gateway! }
}

/** Addresses that reach beyond their link, by interface; ours left out. */
function byInterface({ interfaces }: SystemFacts, selfAddresses: readonly string[]): Map<string, SystemInterface[]> {
  const found = new Map<string, SystemInterface[]>()
  const own = new Set(interfaces.filter(({ ip }) => selfAddresses.includes(canonicalIp(ip) ?? ip)).map(({ name }) => name))
  for (const one of interfaces) {
    if (one.internal || own.has(one.name) || isLinkLocalIp(one.ip)) continue
    const all = found.get(one.name)
    if (all) all.push(one)
    else found.set(one.name, [one])
  }
  return found
}

function productOf(name: string): string | undefined {
  return PRODUCTS.find(([pattern]) => pattern.test(name))?.[1]
}

/** Chrome OS gives its containers addresses of 100.115.92.0/23, which no device of a tailnet has. */
function isInRange({ ip }: SystemInterface): boolean {
  return isIp4(ip) && isTailscaleIp(ip)
}
