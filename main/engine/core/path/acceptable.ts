/**
 * Which addresses of a peer are worth a ping at all. Pure. A hostile peer may name any: this machine, a whole multicast
 * group, the tunnel itself.
 */
import type { AddrPort } from '../../base/ip.ts'
import { isLoopbackIp, isMulticastIp, isTailscaleIp, isUnspecifiedIp } from '../../base/ip.ts'

export type RefusedAddr = 'port-0' | 'unspecified' | 'multicast' | 'broadcast' | 'tunnel' | 'loopback' | 'zone'

/** Why an address is refused, or undefined when it may be tried. Loopback is right only when the relays are there too. */
export function refusedAddr({ ip, port }: AddrPort, allowLoopback: boolean): RefusedAddr | undefined {
  if (port === 0) return 'port-0'
  if (isUnspecifiedIp(ip) || ip.startsWith('0.')) return 'unspecified'
  if (isMulticastIp(ip)) return 'multicast'
  if (ip === '255.255.255.255') return 'broadcast'
  if (isTailscaleIp(ip)) return 'tunnel'
  if (isLoopbackIp(ip)) return allowLoopback ? undefined : 'loopback'
  // Link-local IPv6 means nothing without a zone, which disco does not carry.
  return /^fe[89ab]/.test(ip) ? 'zone' : undefined
}
