/**
 * Control's filter rules → the data plane's table. Fails closed: what is not understood allows nothing.
 *
 *   SrcIPs    addresses, prefixes, ranges, "*", "cap:<capability>" (= addresses of the peers that have it)
 *   DstPorts  the same without cap:, with an inclusive port range
 *   IPProto   empty = TCP, UDP, ICMP, ICMPv6; numbers outside 0–255 are ignored, and a list of only such allows nothing
 *   CapGrant  gives no packet permission
 *
 * A table that would grow beyond reason is cut: the rules behind it allow nothing.
 * The obsolete SrcBits or Bits anywhere refuse the whole list, as stock clients do. A bad address is skipped alone.
 * Source: tailscale wgengine/filter/tailcfg.go; control facts §7.1. Vectors: test/vectors/mapresponse.
 */
import type { FilterRule, Node } from '../tailcfg/types.ts'
import type { FilterMatch } from '../plan/types.ts'
import { parseAddressSet } from './address-sets.ts'

/** TCP, UDP, ICMP, ICMPv6. */
const DEFAULT_PROTOS: readonly number[] = [6, 17, 1, 58]

export interface CompiledFilter {
  readonly matches: readonly FilterMatch[]
  /** What was skipped or refused, for the journal; no more than MAX_PROBLEMS. */
  readonly problems: readonly string[]
}

const MAX_PROBLEMS = 20
/** Prefixes of a whole table: a short list can multiply ("cap:" by peers, ranges by prefixes) beyond any memory. */
const MAX_TABLE_PREFIXES = 1_000_000

/** The table of a rule list; peers answer "cap:" sources. */
export function compileFilter(rules: readonly FilterRule[], peers: Iterable<Node>): CompiledFilter {
  const problems: string[] = []
  const problem = (text: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(text)
  }
  if (rules.some(usesObsoleteBits)) {
    return { matches: [], problems: ['a rule uses SrcBits or Bits, which are obsolete: the whole list is refused and nothing may come in'] }
  }
  const peersOf = capabilityIndex(rules, peers)
  const read = remembering(parseAddressSet)
  const matches: FilterMatch[] = []
  let room = MAX_TABLE_PREFIXES
  for (const [index, rule] of rules.entries()) {
    const match = compileRule(rule, peersOf, problem, read)
    room -= match ? match.srcs.length + match.dsts.length : 0
    if (room < 0) {
      const tooLarge = `the list of rules is too large: of its ${rules.length} rules those from the ${index + 1}th on are left out and allow nothing`
      return { matches, problems: [tooLarge, ...problems].slice(0, MAX_PROBLEMS) }
    }
    if (match) matches.push(match)
  }
  return { matches, problems }
}

function usesObsoleteBits(rule: FilterRule): boolean {
  if (rule.SrcBits !== undefined && rule.SrcBits !== null && rule.SrcBits.length > 0) return true
  return (rule.DstPorts ?? []).some((dst) => dst.Bits !== undefined && dst.Bits !== null)
}

const CAP = 'cap:'

/** Addresses by capability, only for capabilities that some rule names. */
function capabilityIndex(rules: readonly FilterRule[], peers: Iterable<Node>): ReadonlyMap<string, readonly string[]> {
  const index = new Map<string, string[]>()
  for (const rule of rules) for (const src of rule.SrcIPs ?? []) if (src.startsWith(CAP)) index.set(src.slice(CAP.length), [])
  if (index.size === 0) return index
  for (const peer of peers) {
    for (const cap of Object.keys(peer.CapMap ?? {})) index.get(cap)?.push(...(peer.Addresses ?? []))
  }
  return index
}

function compileRule(rule: FilterRule, peersOf: ReadonlyMap<string, readonly string[]>, problem: (text: string) => void, read: typeof parseAddressSet): FilterMatch | undefined {
  if (!rule.DstPorts || rule.DstPorts.length === 0) return undefined
  const protos = protosOf(rule)
  if (protos.length === 0) {
    problem('a rule names no protocol between 0 and 255')
    return undefined
  }
  const srcs = sourcesOf(rule.SrcIPs ?? [], peersOf, problem, read)
  const dsts: { prefix: string; first: number; last: number }[] = []
  for (const { IP, Ports } of rule.DstPorts) {
    if (!isPortRange(Ports)) {
      problem('a destination has a bad port range')
      continue
    }
    for (const prefix of prefixesOf(IP, 'a destination', problem, read)) dsts.push({ prefix, first: Ports.First, last: Ports.Last })
    if (dsts.length > MAX_TABLE_PREFIXES) break
  }
  return srcs.length === 0 || dsts.length === 0 ? undefined : { protos, srcs, dsts }
}

/** Prefixes of all sources, each once. */
function sourcesOf(texts: readonly string[], peersOf: ReadonlyMap<string, readonly string[]>, problem: (text: string) => void, read: typeof parseAddressSet): readonly string[] {
  // Most rules of a long list name one: there is nothing to be joined.
  if (texts.length === 1 && !texts[0]!.startsWith(CAP)) return prefixesOf(texts[0]!, 'a source', problem, read)
  const srcs = new Set<string>()
  for (const src of texts) {
    const found = src.startsWith(CAP) ? peersOf.get(src.slice(CAP.length)) ?? [] : prefixesOf(src, 'a source', problem, read)
    for (const prefix of found) srcs.add(prefix)
    if (srcs.size > MAX_TABLE_PREFIXES) break
  }
  return [...srcs]
}

/** Rules name the same few addresses again and again: each is read once. */
function remembering<T>(read: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>()
  return (text) => {
    const before = known.get(text)
    if (before !== undefined) return before
    const found = read(text)
    known.set(text, found)
    return found
  }
}

/** Prefixes of one expression, each once; none when it is bad. */
function prefixesOf(text: string, what: string, problem: (text: string) => void, read: typeof parseAddressSet): readonly string[] {
  const set = read(text)
  if (!('reason' in set)) return set
  problem(`${what} is skipped: ${set.reason}`)
  return []
}

function protosOf(rule: FilterRule): readonly number[] {
  if (!rule.IPProto || rule.IPProto.length === 0) return DEFAULT_PROTOS
  return [...new Set(rule.IPProto.filter((proto) => Number.isInteger(proto) && proto >= 0 && proto <= 255))]
}

function isPortRange(ports: { readonly First: number; readonly Last: number } | undefined): boolean {
  if (!ports) return false
  return isPort(ports.First) && isPort(ports.Last) && ports.First <= ports.Last
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 0 && port <= 65535
}
