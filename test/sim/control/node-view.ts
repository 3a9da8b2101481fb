/**
 * The JSON that a node gets to read: itself, its peers, its rules, its names. Field names and habits as on Headscale
 * (test/vectors/mapresponse): `Cap` is the reader's own, LastSeen only of those offline, no legacy `DERP`.
 */
import type { DnsConfig, FilterRule, Node, UserProfile } from '../../../main/engine/core/tailcfg/types.ts'
import { rulesFor, seesEachOther } from './policy.ts'
import { TAGGED_DEVICES } from './tailnet.ts'
import type { SimNode, SimUser, Tailnet } from './tailnet.ts'

/** RFC 3339 text of a wall time. */
export function timeText(wallMs: number): string {
  return new Date(wallMs).toISOString()
}

function ownerOf(node: SimNode): SimUser {
  return node.tags.length > 0 ? TAGGED_DEVICES : node.user
}

/** The node as a reader of capability version `cap` sees it. */
export function nodeView(tailnet: Tailnet, node: SimNode, cap: number): Node {
  const addresses = [`${node.ips[0]}/32`, `${node.ips[1]}/128`]
  const advertised = new Set(node.hostinfo.RoutableIPs ?? [])
  const routes = node.approvedRoutes.filter((route) => advertised.has(route))
  const subnets = routes.filter((route) => route !== '0.0.0.0/0' && route !== '::/0')
  const expired = tailnet.isExpired(node)
  const homeDerp = node.hostinfo.NetInfo?.PreferredDERP
  return {
    ID: node.id,
    StableID: String(node.id),
    Name: `${node.name}.${tailnet.domain}.`,
    User: ownerOf(node).id,
    Key: node.nodeKey,
    ...(node.expiryMs !== undefined && { KeyExpiry: timeText(node.expiryMs) }),
    Machine: node.machineKey,
    ...(node.discoKey !== undefined && { DiscoKey: node.discoKey }),
    Addresses: addresses,
    AllowedIPs: [...addresses, ...routes],
    ...(subnets.length > 0 && { PrimaryRoutes: subnets }),
    ...(node.endpoints.length > 0 && { Endpoints: node.endpoints }),
    ...(homeDerp ? { HomeDERP: homeDerp } : {}),
    Hostinfo: node.hostinfo,
    Created: timeText(node.createdMs),
    Cap: cap,
    ...(node.tags.length > 0 && { Tags: node.tags }),
    ...(!node.online && { LastSeen: timeText(node.lastSeenMs) }),
    Online: node.online,
    MachineAuthorized: !expired && node.waits !== true,
    ...(expired && { Expired: true }),
  }
}

/** The node as it sees itself: with the capabilities that Headscale always gives. */
export function selfView(tailnet: Tailnet, node: SimNode, cap: number): Node {
  return {
    ...nodeView(tailnet, node, cap),
    CapMap: {
      'default-auto-update': [false],
      'https://tailscale.com/cap/file-sharing': [],
      'https://tailscale.com/cap/is-admin': [],
      'https://tailscale.com/cap/ssh': [],
    },
  }
}

/** The peers that policy lets a node see, by ID. */
export function peersOf(tailnet: Tailnet, node: SimNode): SimNode[] {
  const self = tailnet.policyNode(node)
  return [...tailnet.nodes.values()]
    .filter((peer) => peer.id !== node.id && seesEachOther(tailnet.policy, self, tailnet.policyNode(peer)))
    .toSorted((a, b) => a.id - b.id)
}

/** The inbound rules of a node. */
export function filterOf(tailnet: Tailnet, node: SimNode): FilterRule[] {
  const nodes = [...tailnet.nodes.values()].map((one) => tailnet.policyNode(one))
  return rulesFor(tailnet.policy, nodes, tailnet.policyNode(node))
}

/** MagicDNS for the tailnet's domain, with what the test laid over it. */
export function dnsOf(tailnet: Tailnet): DnsConfig {
  const Routes: Record<string, never[]> = { '0.e.1.a.c.5.1.1.a.7.d.f.ip6.arpa': [] }
  for (let octet = 64; octet < 128; octet++) Routes[`${octet}.100.in-addr.arpa`] = []
  return { Routes, Domains: [tailnet.domain], Proxied: true, ...tailnet.dnsExtra }
}

/** The profiles of everybody who owns one of these nodes. */
export function profilesOf(nodes: readonly SimNode[]): UserProfile[] {
  const owners = new Map(nodes.map(ownerOf).map((user) => [user.id, user]))
  return [...owners.values()]
    .toSorted((a, b) => a.id - b.id)
    .map((user) => ({ ID: user.id, LoginName: user.login, DisplayName: user.displayName }))
}
