/**
 * What a plan depends on of the machine itself: the networks that it is on and the way out of them. Told anew whenever they change.
 */
import { canonicalIp, isIp4, isLinkLocalIp, isLoopbackIp, networkOf } from '../../base/ip.ts'

export interface SystemInterface {
  readonly name: string
  readonly ip: string
  /** Bits of its network; absent where the system does not tell. */
  readonly prefix?: number
  /** Loopback and the like. */
  readonly internal: boolean
}

export interface SystemFacts {
  /** Those that are up. */
  readonly interfaces: readonly SystemInterface[]
  /** Where packets to the world go, at most one a family; absent where the system does not tell. */
  readonly defaultRoutes?: readonly SystemRoute[]
}

export interface SystemRoute {
  readonly interface: string
  /** Absent: the world is on the link itself. */
  readonly gateway?: string
}

export const NO_SYSTEM: SystemFacts = { interfaces: [] }

/** A network that this machine is on, canonical, with the interface that leads there. */
export interface LocalNetwork {
  readonly prefix: string
  readonly interface: string
}

/** The machine's own networks, by interface in the system's order; loopback, link-local and single addresses left out. */
export function localNetworks({ interfaces }: SystemFacts): readonly LocalNetwork[] {
  const found = new Map<string, LocalNetwork>()
  for (const { name, ip: text, prefix: bits, internal } of interfaces) {
    const ip = canonicalIp(text)
    if (internal || ip === undefined || bits === undefined || isLoopbackIp(ip) || isLinkLocalIp(ip) || bits >= (isIp4(ip) ? 32 : 128)) continue
    const prefix = networkOf(ip, bits)
    if (prefix !== undefined && !found.has(prefix)) found.set(prefix, { prefix, interface: name })
  }
  return [...found.values()]
}
