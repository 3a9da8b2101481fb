/**
 * What a packet is that left a computer by its physical interface while an exit node is chosen.
 *
 *   tunnel     WireGuard, disco or STUN by UDP, to a place where a node, a relay or the server is known to be
 *   own        control and relay connections of the engine: addresses and ports of the lab's servers
 *   link       ARP, neighbour discovery, multicast reports; DHCP
 *   refusal    the kernel's "nobody is here" to such a place
 *   lan        the local network, where that is allowed
 *   leak       everything else
 */
import { isTunnelled, words, type Packet } from './recorder.ts'

export type Kind = 'tunnel' | 'own' | 'link' | 'refusal' | 'lan' | 'leak'

export interface Known {
  /** Servers and relays. */
  readonly servers: readonly string[]
  readonly serverPorts: readonly number[]
  /** Where nodes are: public and local addresses. */
  readonly nodes: readonly string[]
  /** The local network is allowed: beginnings of its addresses. */
  readonly lan: readonly string[]
}

const DHCP: readonly (readonly [number, number])[] = [[68, 67], [546, 547]]

export function judge(packet: Packet, { servers, serverPorts, nodes, lan }: Known): Kind {
  const { proto, to, fromPort, toPort } = packet
  const isServer = servers.includes(to)
  const isKnown = isServer || nodes.includes(to)
  if (proto === 'link' || (proto === 'udp' && DHCP.some(([from, at]) => fromPort === from && toPort === at))) return 'link'
  if (isKnown && isTunnelled(packet)) return 'tunnel'
  if (isServer && (proto === 'icmp' || (proto === 'tcp' && serverPorts.includes(toPort)))) return 'own'
  if (isKnown && proto === 'refusal') return 'refusal'
  // Whoever may use the local network may call out on its link as well.
  const isOnLink = /^(224\.0\.0\.|239\.|ff02:|255\.255\.255\.255$)/.test(to)
  if (lan.length > 0 && (isOnLink || lan.some((prefix) => to.startsWith(prefix)))) return 'lan'
  return 'leak'
}

/** One line for every sort of leak: what, how many, how long it went on. */
export function leakLines(leaks: readonly Packet[], beganMs: number): string[] {
  const sorts = new Map<string, Packet[]>()
  for (const packet of leaks) {
    const line = words({ ...packet, fromPort: 0 })
    sorts.set(line, [...(sorts.get(line) ?? []), packet])
  }
  const seconds = (packet: Packet | undefined): string => (((packet?.atMs ?? NaN) - beganMs) / 1000).toFixed(2)
  return [...sorts].map(([line, all]) => `${line}: ${all.length} packets, ${all.reduce((sum, { bytes }) => sum + bytes, 0)} bytes, from ${seconds(all[0])} s to ${seconds(all.at(-1))} s`)
}
