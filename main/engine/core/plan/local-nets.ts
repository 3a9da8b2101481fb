/**
 * The destinations that packets of peers may have here: own addresses, and what this node offers to others.
 *
 *   a subnet    as it is advertised. The server gives the way to it and the rules only when it is approved, and does not tell a
 *               router that stands by; so this node's own view cannot be the judge, and stock clients do not ask it either.
 *   0.0.0.0/0   only while our own node has it: nobody goes out by us unasked. Of it everything but the networks that this
 *   ::/0        machine is on and all that is nobody's public address; own public addresses stay.
 *
 * Prefixes without overlaps inside a default route, in a stable order. Pure.
 * Source: control facts §7.2, §9; tailscale ipn/ipnlocal (shrinkDefaultRoute), by behaviour.
 */
import { canonicalIp, DEFAULT_ROUTES, hostPrefix, isIp4, networkOf, parseIp, parsePrefix } from '../../base/ip.ts'
import { rangeToPrefixes } from '../filter/address-sets.ts'
import type { Node } from '../tailcfg/types.ts'
import { canonical } from './plan-peer.ts'
import { localNetworks } from './system-facts.ts'
import type { SystemFacts } from './system-facts.ts'

/** What a default route of each family is cut out of, and what never belongs to it. */
const FAMILIES = [
  {
    size: 4, route: '0.0.0.0/0', whole: ['0.0.0.0/0'],
    never: ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.168.0.0/16', '224.0.0.0/3'],
  },
  // Public addresses are all in 2000::/3; NAT64 gives public IPv4 addresses a second one, and is judged by them.
  { size: 16, route: '::/0', whole: ['64:ff9b::/96', '2000::/3'], never: [] },
] as const

/** A run of addresses, both ends in it. */
interface Run {
  readonly first: bigint
  readonly last: bigint
}

/** What peers' packets may be for, as canonical prefixes; own addresses first, then subnets, then what is left of the default routes. */
export function localNets(self: Node, advertised: readonly string[], system: SystemFacts): readonly string[] {
  const nets = new Set<string>()
  for (const text of [...(self.Addresses ?? []), ...advertised]) {
    const prefix = canonical(text)
    if (prefix !== undefined && !DEFAULT_ROUTES.includes(prefix)) nets.add(prefix)
  }
  const approved = approvedRoutes(self)
  for (const family of FAMILIES) {
    if (advertised.includes(family.route) && approved.has(family.route)) for (const prefix of outside(family, system)) nets.add(prefix)
  }
  return [...nets]
}

/** Of a node the prefixes that the server lets it route: all that it has beside its addresses. */
export function approvedRoutes(self: Node): ReadonlySet<string> {
  const own = new Set((self.Addresses ?? []).map(canonical))
  const all = [...(self.AllowedIPs ?? []), ...(self.PrimaryRoutes ?? [])].map(canonical)
  return new Set(all.filter((prefix): prefix is string => prefix !== undefined && !own.has(prefix)))
}

/** What an exit node serves of one family. */
function outside({ size, whole, never }: (typeof FAMILIES)[number], system: SystemFacts): readonly string[] {
  const ofFamily = (prefix: string): boolean => isIp4(prefix) === (size === 4)
  const lan = [...localNetworks(system).map(({ prefix }) => prefix), ...unmeasured(system)].filter(ofFamily)
  let runs = whole.map(runOf)
  for (const prefix of lan) runs = without(runs, runOf(prefix))
  for (const ip of ownPublic(system).filter(ofFamily)) runs = joined(runs, runOf(ip), whole.map(runOf))
  for (const prefix of never) runs = without(runs, runOf(prefix))
  return runs.flatMap(({ first, last }) => rangeToPrefixes(first, last, size))
}

/** Networks of addresses whose size the system does not tell: the usual one. */
function unmeasured({ interfaces }: SystemFacts): string[] {
  return interfaces.flatMap(({ ip: text, prefix }) => {
    const ip = canonicalIp(text)
    return ip === undefined || prefix !== undefined ? [] : [networkOf(ip, isIp4(ip) ? 24 : 64)!]
  })
}

/** Own addresses as host prefixes; those that are not public are taken out again later. */
function ownPublic({ interfaces }: SystemFacts): string[] {
  return interfaces.flatMap(({ ip: text }) => {
    const ip = canonicalIp(text)
    return ip === undefined ? [] : [hostPrefix(ip)]
  })
}

function runOf(text: string): Run {
  const { ip, bits } = parsePrefix(text)!
  const bytes = parseIp(ip)!
  let first = 0n
  for (const byte of bytes) first = (first << 8n) | BigInt(byte)
  return { first, last: first + (1n << BigInt(bytes.length * 8 - bits)) - 1n }
}

function without(runs: readonly Run[], gap: Run): Run[] {
  return runs.flatMap((run) => {
    if (gap.last < run.first || run.last < gap.first) return [run]
    const rest: Run[] = []
    if (run.first < gap.first) rest.push({ first: run.first, last: gap.first - 1n })
    if (gap.last < run.last) rest.push({ first: gap.last + 1n, last: run.last })
    return rest
  })
}

/** With one more run that lies in `bounds`; sorted. */
function joined(runs: readonly Run[], one: Run, bounds: readonly Run[]): Run[] {
  if (!bounds.some(({ first, last }) => first <= one.first && one.last <= last)) return [...runs]
  return [...without(runs, one), one].sort((a, b) => (a.first < b.first ? -1 : 1))
}
