/**
 * MagicDNS: names and addresses of the network's devices, answered from its map. What is not ours goes to resolvers: those
 * of the longest matching route, else the network's own, else none.
 *
 *   name of a device        A: its IPv4 (AAAA of a device that has one: nothing, as peers have one address for one name)
 *   address of a device     PTR: its name
 *   else in a zone of ours  no such name, with the zone's SOA
 *
 * Source: tailscale net/dns/resolver; asked of a real 1.102.5.
 */
import { formatIp, isIp4, parseIp } from '../../base/ip.ts'
import type { NetMap } from '../netmap/types.ts'
import { addressesOf, magicDnsSuffix, trimDot } from '../plan/names.ts'
import type { DnsResolver } from '../tailcfg/types.ts'
import { encodeAnswer, encodeName, RCODE, soaData, TYPE } from './message.ts'
import type { DnsRecord, Question } from './message.ts'

const TTL_SECONDS = 5
const ZONE_SECONDS = 10

export type MagicAnswer = { readonly kind: 'answer'; readonly bytes: Uint8Array } | { readonly kind: 'forward'; readonly resolvers: readonly DnsResolver[] }

/** Answers a question with this number, or says which resolvers are to be asked. `nowSeconds` since 1970. */
export function answerMagic(netMap: NetMap | undefined, id: number, question: Question, nowSeconds: number): MagicAnswer {
  const name = trimDot(question.name).toLowerCase()
  const answer = (rcode: number, answers: readonly DnsRecord[], zone?: string): MagicAnswer => {
    const soa: DnsRecord[] = zone === undefined ? [] : [{ name: zone, type: TYPE.SOA, ttlSeconds: ZONE_SECONDS, data: soaData(zone, nowSeconds, ZONE_SECONDS) }]
    return { kind: 'answer', bytes: encodeAnswer(id, question, rcode, answers, soa) }
  }
  if (name === 'onion' || name.endsWith('.onion')) return answer(RCODE.noSuchName, [])
  if (!netMap || netMap.dns.Proxied !== true) return { kind: 'forward', resolvers: resolversFor(netMap, name) }
  const zone = zoneOf(netMap, name)
  const record = (type: number, data: Uint8Array): DnsRecord => ({ name: question.name, type, ttlSeconds: TTL_SECONDS, data })
  const addresses = addressesNamed(netMap, name)
  if (addresses.length > 0) {
    if (question.type === TYPE.NS || question.type === TYPE.SOA) return answer(RCODE.notImplemented, [])
    const ip = addressFor(addresses, question.type)
    if (ip !== undefined) return answer(RCODE.ok, [record(isIp4(ip) ? TYPE.A : TYPE.AAAA, parseIp(ip)!)])
    return answer(RCODE.ok, [], question.type === TYPE.A || question.type === TYPE.AAAA ? (zone ?? name) : undefined)
  }
  const named = question.type === TYPE.PTR ? nameOfReverse(netMap, name) : undefined
  if (named !== undefined) return answer(RCODE.ok, [record(TYPE.PTR, encodeName(named))])
  return zone === undefined ? { kind: 'forward', resolvers: resolversFor(netMap, name) } : answer(RCODE.noSuchName, [], zone)
}

function addressFor(addresses: readonly string[], type: number): string | undefined {
  const v4 = addresses.find(isIp4)
  if (type === TYPE.A) return v4
  if (type === TYPE.AAAA) return v4 === undefined ? addresses[0] : undefined
  return type === TYPE.ALL ? (v4 ?? addresses[0]) : undefined
}

/** Addresses of the device or extra record of a name, a single label in our own network. */
function addressesNamed(netMap: NetMap, name: string): string[] {
  const suffix = magicDnsSuffix(netMap.self).toLowerCase()
  const full = name.includes('.') || suffix === '' ? name : `${name}.${suffix}`
  for (const node of [netMap.self, ...netMap.peers.values()]) if (trimDot(node.Name).toLowerCase() === full) return addressesOf(node)
  const extra = (netMap.dns.ExtraRecords ?? []).filter((entry) => trimDot(entry.Name).toLowerCase() === name && ['', 'A', 'AAAA'].includes(entry.Type ?? ''))
  return extra.map((entry) => entry.Value).filter((value) => parseIp(value) !== undefined)
}

function nameOfReverse(netMap: NetMap, name: string): string | undefined {
  const ip = addressOfReverse(name)
  if (ip === undefined) return undefined
  return [netMap.self, ...netMap.peers.values()].find((node) => addressesOf(node).includes(ip))?.Name
}

/** The address of d.c.b.a.in-addr.arpa or its longer sister, or undefined. */
export function addressOfReverse(name: string): string | undefined {
  if (name.endsWith('.in-addr.arpa')) {
    const ip = name.slice(0, -'.in-addr.arpa'.length).split('.').toReversed().join('.')
    const bytes = parseIp(ip)
    return bytes?.length === 4 ? formatIp(bytes) : undefined
  }
  if (!name.endsWith('.ip6.arpa')) return undefined
  const digits = name.slice(0, -'.ip6.arpa'.length).split('.').toReversed().join('')
  if (!/^[0-9a-f]{32}$/.test(digits)) return undefined
  const bytes = parseIp(digits.match(/.{4}/g)!.join(':'))
  return bytes && formatIp(bytes)
}

/** The zone of ours that a name is in: the network's suffix, or a route that is answered here. */
function zoneOf(netMap: NetMap, name: string): string | undefined {
  const suffix = magicDnsSuffix(netMap.self).toLowerCase()
  const local = Object.entries(netMap.dns.Routes ?? {}).filter(([, resolvers]) => !resolvers || resolvers.length === 0)
  return longest([...local.map(([route]) => trimDot(route).toLowerCase()), ...(suffix === '' ? [] : [suffix])], name)
}

function resolversFor(netMap: NetMap | undefined, name: string): readonly DnsResolver[] {
  const routes = Object.entries(netMap?.dns.Routes ?? {}).filter(([, resolvers]) => resolvers && resolvers.length > 0)
  const route = longest(routes.map(([suffix]) => trimDot(suffix).toLowerCase()), name)
  const byRoute = routes.find(([suffix]) => trimDot(suffix).toLowerCase() === route)?.[1]
  return byRoute ?? netMap?.dns.Resolvers ?? []
}

function longest(suffixes: readonly string[], name: string): string | undefined {
  const matching = suffixes.filter((suffix) => suffix === '' || name === suffix || name.endsWith(`.${suffix}`))
  return matching.toSorted((a, b) => b.length - a.length)[0]
}
