/**
 * Whether an address that a router calls its outer one may be told to peers. Pure.
 *
 * A private one may: behind two routers, peers between them reach it, and for all others it is one address more that does not
 * answer. Addresses that would make peers knock at their own door, at many doors, or inside the tunnel may not.
 */
import { isIp4, isLinkLocalIp, isLoopbackIp, isMulticastIp, isTailscaleIp, parseIp } from '../../base/ip.ts'

/** Why the address is of no use as a sentence's end, or undefined when it is of use. */
export function externalFault(ip: string, insideIps: readonly string[]): string | undefined {
  const bytes = parseIp(ip)
  if (!bytes || !isIp4(ip)) return 'which is no IPv4 address'
  if (bytes[0] === 0) return 'so it has no address of its own at present'
  if (isLoopbackIp(ip) || isLinkLocalIp(ip) || isMulticastIp(ip) || bytes[0]! >= 240) return 'which nobody can reach'
  if (isTailscaleIp(ip)) return 'which lies inside the provider’s own network'
  if (insideIps.includes(ip)) return 'which is on the inside'
  return undefined
}
