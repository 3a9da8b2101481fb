/**
 * The demo's small policy and what it means to each node: packet filter rules and who sees whom.
 *
 *   from  "*", a login name, "group:…", "tag:…", a host name, a node address
 *   to    one of the same, a prefix that a node routes, or "autogroup:internet" (public addresses, at exit nodes), then ":"
 *         and ports ("*", "80", "80,443", "8000-8100")
 *
 * No rule, no packet. A node is told only the rules for its own addresses and routes. Two nodes see each other when
 * some rule joins them in either direction, as on Headscale.
 */
import { canonicalIp, parsePrefix } from '../../../main/engine/base/ip.ts'
import type { FilterRule, PortRange } from '../../../main/engine/core/tailcfg/types.ts'

export interface SimRule {
  readonly from: readonly string[]
  readonly to: readonly string[]
  /** IP protocol numbers; absent means TCP, UDP and ICMP. */
  readonly protocols?: readonly number[]
}

export interface SimPolicy {
  /** "group:name" → login names. */
  readonly groups?: Readonly<Record<string, readonly string[]>>
  readonly rules: readonly SimRule[]
}

/** What a policy needs to know of a node. */
export interface PolicyNode {
  readonly name: string
  /** Login name of the owner; a tagged node has none. */
  readonly login: string | undefined
  readonly tags: readonly string[]
  /** Bare addresses, v4 then v6. */
  readonly ips: readonly string[]
  /** Approved prefixes. */
  readonly routes: readonly string[]
}

/** Everybody may reach everything. */
export const ALLOW_ALL: SimPolicy = { rules: [{ from: ['*'], to: ['*:*'] }] }

const TAILNET_RANGES = ['100.64.0.0-100.115.91.255', '100.115.94.0-100.127.255.255', 'fd7a:115c:a1e0::/48']

const INTERNET = 'autogroup:internet'
const PUBLIC_RANGES = [
  '1.0.0.0-9.255.255.255', '11.0.0.0-100.63.255.255', '100.128.0.0-126.255.255.255', '128.0.0.0-169.253.255.255', '169.255.0.0-172.15.255.255',
  '172.32.0.0-192.167.255.255', '192.169.0.0-223.255.255.255', '2000::/3',
]

/** The filter rules that `receiver` gets. */
export function rulesFor(policy: SimPolicy, nodes: readonly PolicyNode[], receiver: PolicyNode): FilterRule[] {
  const out: FilterRule[] = []
  for (const rule of policy.rules) {
    const SrcIPs = rule.from.includes('*') ? TAILNET_RANGES : [...new Set(sources(policy, nodes, rule))]
    const DstPorts = rule.to.flatMap((to) => destinations(policy, receiver, to))
    if (SrcIPs.length === 0 || DstPorts.length === 0) continue
    out.push({ SrcIPs, DstPorts, ...(rule.protocols && { IPProto: rule.protocols }) })
  }
  return out
}

/** Whether some rule joins the two in either direction. */
export function seesEachOther(policy: SimPolicy, a: PolicyNode, b: PolicyNode): boolean {
  const joins = (from: PolicyNode, to: PolicyNode): boolean =>
    policy.rules.some(
      (rule) => rule.from.some((word) => matches(policy, from, word)) && rule.to.some((word) => destinations(policy, to, word).length > 0),
    )
  return joins(a, b) || joins(b, a)
}

function sources(policy: SimPolicy, nodes: readonly PolicyNode[], rule: SimRule): string[] {
  return nodes.filter((node) => rule.from.some((word) => matches(policy, node, word))).flatMap((node) => node.ips)
}

function destinations(policy: SimPolicy, receiver: PolicyNode, to: string): { IP: string; Ports: PortRange }[] {
  const colon = to.lastIndexOf(':')
  const word = to.slice(0, colon)
  const ports = to.slice(colon + 1).split(',').map(portRange)
  const ips = word === '*' ? ['*'] : word === INTERNET ? publicOf(receiver) : matches(policy, receiver, word) ? receiver.ips : receiver.routes.filter((route) => route === word)
  return ips.flatMap((IP) => ports.map((Ports) => ({ IP, Ports })))
}

function publicOf(receiver: PolicyNode): readonly string[] {
  return receiver.routes.includes('0.0.0.0/0') ? PUBLIC_RANGES : []
}

function matches(policy: SimPolicy, node: PolicyNode, word: string): boolean {
  if (word === '*') return true
  if (word.startsWith('group:')) return node.login !== undefined && (policy.groups?.[word] ?? []).includes(node.login)
  if (word.startsWith('tag:')) return node.tags.includes(word)
  const ip = canonicalIp(word)
  if (ip !== undefined) return node.ips.includes(ip)
  return node.name === word || node.login === word
}

function portRange(text: string): PortRange {
  if (text === '*') return { First: 0, Last: 65535 }
  const [first = '', last = first] = text.split('-')
  return { First: Number(first), Last: Number(last) }
}

/** Throws with one sentence for a person when a policy holds something that no node could match. */
export function checkPolicy(policy: SimPolicy): void {
  for (const rule of policy.rules) {
    for (const word of rule.from) if (word.startsWith('group:') && !policy.groups?.[word]) throw new Error(`policy: no such group: ${word}`)
    for (const to of rule.to) {
      const match = /^(.+):(\*|\d{1,5}(?:-\d{1,5})?(?:,\d{1,5}(?:-\d{1,5})?)*)$/.exec(to)
      if (!match) throw new Error(`policy: "to" wants target:ports, not ${to}`)
      if (match[1]!.includes('/') && !parsePrefix(match[1]!)) throw new Error(`policy: no such prefix: ${match[1]}`)
    }
  }
}
