/**
 * What becomes of a question: answered here, forwarded, or nothing. Pure; in this order:
 *
 *   *.onion                              no such name (RFC 7686)
 *   localhost and below                  this machine (RFC 6761)
 *   our resolver's own name              its addresses
 *   1-2-3-4-via-7, here or under ts.net  the IPv6 address of 1.2.3.4 behind site 7
 *   a device or extra record             its address; asked for another type: nothing; with magic by its first label alone
 *   an address backwards                 the device's name
 *   else inside a zone answered here     no such name, with the zone's SOA
 *   Bonjour's "who browses here"         no such name: half of all such questions on a network, and nobody upstream knows
 *   else                                 the longest route's resolvers, else as the plan says for the rest
 *
 * Source: tailscale net/dns/resolver/tsdns.go; control facts §8.3; asked of a real 1.102.5.
 */
import { formatIp, isIp4, parseIp, SERVICE_IPS } from '../../base/ip.ts'
import type { DnsPlan, DnsRest } from '../plan/dns.ts'
import { routeFor } from '../plan/dns.ts'
import type { DnsResolver } from '../tailcfg/types.ts'
import type { Host } from './hosts.ts'
import { isInside, plainName, RCODE, TYPE } from './message.ts'
import type { DnsRecord, Question, Reply } from './message.ts'

const AXFR = 252
const TTL_SECONDS = 5
const ZONE_SECONDS = 10
const SERVICE_NAME = 'magicdns.localhost-tailscale-daemon'
const VIA = /^(\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3})-via-(\d{1,5})$/
const VIA_ZONES: readonly string[] = ['ts.net', 'tailscale.net']
const BONJOUR = /^(b|db|r|dr|lb)\._dns-sd\._udp\./

export type Decision =
  | { readonly kind: 'answer'; readonly reply: Reply; readonly why: string }
  | { readonly kind: 'forward'; readonly resolvers: readonly DnsResolver[]; readonly suffix: string; readonly why: string }
  | Exclude<DnsRest, { kind: 'resolvers' }>

/** What becomes of a question under a plan. `nowSeconds` since 1970. */
export function decide(plan: DnsPlan, question: Question, nowSeconds: number): Decision {
  const name = plainName(question.name)
  if (isInside(name, 'onion')) return noSuchName('names in .onion are never asked of anybody')
  const special = specialName(plan, name)
  if (special) return told(plan, question, special.addresses, nowSeconds, special.why)
  const host = findHost(plan, name)
  if (host) return told(plan, question, host.addresses, nowSeconds, host.node ? `${host.name} is a device of this network` : `${host.name} is a record that the server gives`)
  const backwards = question.type === TYPE.PTR ? nameAt(plan, name) : undefined
  if (backwards !== undefined) return answer(RCODE.ok, [{ kind: 'pointer', target: backwards, ...ours(question) }], [], 'the address is of a device of this network')
  const route = routeFor(plan.routeOf, name)
  if (route && route.resolvers.length === 0) return answer(RCODE.noSuchName, [], [zoneRecord(route.suffix, nowSeconds)], `names in ${route.suffix} are answered here, and this one does not exist`)
  if (BONJOUR.test(`${name}.`)) return noSuchName('questions of Bonjour are not passed on')
  if (route) return { kind: 'forward', resolvers: route.resolvers, suffix: route.suffix, why: route.suffix === '' ? route.why : `names in ${route.suffix}: ${route.why}` }
  return plan.rest.kind === 'resolvers' ? { kind: 'forward', resolvers: plan.rest.resolvers, suffix: '', why: plan.rest.why } : plan.rest
}

/** The device or record of a name; one label is one of our own devices. `name` in lower case without trailing dot. */
export function findHost(plan: DnsPlan, name: string): Host | undefined {
  if (name === '') return undefined
  const found = plan.hosts.find(name)
  if (found) return found
  if (!name.includes('.')) return plan.magic && plan.suffix !== '' ? plan.hosts.find(`${name}.${plan.suffix}`) : undefined
  return plan.hosts.findParent(name)
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

function specialName(plan: DnsPlan, name: string): { readonly addresses: readonly string[]; readonly why: string } | undefined {
  if (isInside(name, 'localhost')) return { addresses: ['127.0.0.1', '::1'], why: 'localhost is this machine' }
  if (name === SERVICE_NAME) return { addresses: SERVICE_IPS, why: 'the name of this resolver itself' }
  const via = viaAddress(plan, name)
  return via === undefined ? undefined : { addresses: [via], why: 'the name holds an IPv4 address and the site that it is behind' }
}

/** fd7a:115c:a1e0:b1a:0:SITE:A.B.C.D; sites have 16 bits. */
function viaAddress(plan: DnsPlan, name: string): string | undefined {
  const dot = name.indexOf('.')
  const zone = dot < 0 ? '' : name.slice(dot + 1)
  if (zone !== '' && zone !== plan.suffix && !VIA_ZONES.some((one) => isInside(zone, one))) return undefined
  const match = VIA.exec(dot < 0 ? name : name.slice(0, dot))
  const bytes = match && parseIp(match[1]!.replaceAll('-', '.'))
  const site = Number(match?.[2])
  if (!bytes || site > 0xffff) return undefined
  return formatIp(Uint8Array.of(0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0x0b, 0x1a, 0, 0, site >> 8, site & 0xff, ...bytes))
}

function nameAt(plan: DnsPlan, name: string): string | undefined {
  const ip = addressOfReverse(name)
  if (ip === undefined) return undefined
  return SERVICE_IPS.includes(ip) ? SERVICE_NAME : plan.hosts.nameOf(ip)
}

/** One address of the type that was asked for: of several a program may take any, and a device has one. */
function told(plan: DnsPlan, question: Question, addresses: readonly string[], nowSeconds: number, why: string): Decision {
  const { type } = question
  if (type === TYPE.NS || type === TYPE.SOA || type === AXFR || type === TYPE.HINFO) return answer(RCODE.notImplemented, [], [], why)
  const ip = type === TYPE.A ? addresses.find(isIp4) : type === TYPE.AAAA ? addresses.find((one) => !isIp4(one)) : type === TYPE.ALL ? (addresses.find(isIp4) ?? addresses[0]) : undefined
  if (ip !== undefined) return answer(RCODE.ok, [{ kind: 'address', ip, ...ours(question) }], [], why)
  const zone = routeFor(plan.routeOf, plainName(question.name))?.suffix ?? plainName(question.name)
  return answer(RCODE.ok, [], type === TYPE.A || type === TYPE.AAAA ? [zoneRecord(zone, nowSeconds)] : [], why)
}

function ours(question: Question): { readonly name: string; readonly ttlSeconds: number } {
  return { name: question.name, ttlSeconds: TTL_SECONDS }
}

function zoneRecord(zone: string, nowSeconds: number): DnsRecord {
  return { kind: 'zone', name: zone, ttlSeconds: ZONE_SECONDS, serial: nowSeconds, seconds: ZONE_SECONDS }
}

function noSuchName(why: string): Decision {
  return answer(RCODE.noSuchName, [], [], why)
}

function answer(rcode: number, answers: readonly DnsRecord[], authority: readonly DnsRecord[], why: string): Decision {
  return { kind: 'answer', reply: { rcode, answers, authority }, why }
}
