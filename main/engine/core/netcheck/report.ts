/**
 * What a look at the network found: which families work, what address the outside sees, how far the relays are. Pure.
 *
 * Source: fields of tailscale net/netcheck/netcheck.go (Report), tailcfg NetInfo @ de9ec7e, read 2026-08.
 */
import type { AddrPort } from '../../base/ip.ts'
import { formatAddrPort } from '../../base/ip.ts'
import type { NetInfo } from '../tailcfg/types.ts'

export interface NetcheckReport {
  readonly wallMs: number
  /** A STUN answer came over UDP. */
  readonly udp: boolean
  readonly ipv4: boolean
  readonly ipv6: boolean
  readonly ipv4CanSend: boolean
  readonly ipv6CanSend: boolean
  readonly osHasIpv6: boolean
  /** undefined: not probed, because UDP works or the system lets nobody ask. */
  readonly icmpV4: boolean | undefined
  /** Whether each destination sees another port of ours; undefined: fewer than two answers. IPv4 only. */
  readonly mappingVariesByDestIp: boolean | undefined
  readonly upnp: boolean | undefined
  readonly pmp: boolean | undefined
  readonly pcp: boolean | undefined
  /** undefined: not probed, because UDP works or the map names no relay to ask. */
  readonly captivePortal: boolean | undefined
  /** What the router gave, and why that or nothing; absent where no router is asked. */
  readonly portMapping?: { readonly external: AddrPort | undefined; readonly why: string }
  /** 0 = unknown. */
  readonly preferredDerp: number
  /** Region → best round trip in ms, by STUN; by HTTPS or ICMP where no UDP gets through. */
  readonly regionLatencyMs: ReadonlyMap<number, number>
  readonly regionV4LatencyMs: ReadonlyMap<number, number>
  readonly regionV6LatencyMs: ReadonlyMap<number, number>
  /** Empty unless UDP is blocked. */
  readonly httpsLatencyMs: ReadonlyMap<number, number>
  /** First answer of IPv4, latest of IPv6; every answer is counted below by "ip:port". */
  readonly globalV4: AddrPort | undefined
  readonly globalV6: AddrPort | undefined
  readonly globalV4Counters: ReadonlyMap<string, number>
  readonly globalV6Counters: ReadonlyMap<string, number>
}

/** What the gateway offers, as port mapping found it; undefined: not asked. */
export interface PortMapFacts {
  readonly upnp: boolean | undefined
  readonly pmp: boolean | undefined
  readonly pcp: boolean | undefined
  /** A mapping of ours stands. */
  readonly mapped: boolean
}

/** The report as control gets it; latencies are seconds there, and what is not known is left out. */
export function toNetInfo(report: NetcheckReport, isPortMapped = false): NetInfo {
  const latency: Record<string, number> = {}
  for (const [region, ms] of report.regionV4LatencyMs) latency[`${region}-v4`] = ms / 1000
  for (const [region, ms] of report.regionV6LatencyMs) latency[`${region}-v6`] = ms / 1000
  return {
    ...known({ MappingVariesByDestIP: report.mappingVariesByDestIp }),
    WorkingIPv6: report.ipv6,
    OSHasIPv6: report.osHasIpv6,
    WorkingUDP: report.udp,
    WorkingICMPv4: report.icmpV4 ?? false,
    ...(isPortMapped ? { HavePortMap: true } : {}),
    ...known({ UPnP: report.upnp, PMP: report.pmp, PCP: report.pcp }),
    PreferredDERP: report.preferredDerp,
    ...(Object.keys(latency).length > 0 ? { DERPLatency: latency } : {}),
  }
}

/** Whether control has to hear of it: anything but latencies. */
export function differsMaterially(a: NetInfo, b: NetInfo): boolean {
  const rest = ({ DERPLatency: _latency, ...others }: NetInfo): string => JSON.stringify(others)
  return rest(a) !== rest(b)
}

/** The report with the field names, units and empty values of the official command's JSON. */
export interface NetcheckJson {
  /** RFC 3339, UTC. */
  readonly Now: string
  readonly UDP: boolean
  readonly IPv6: boolean
  readonly IPv4: boolean
  readonly IPv6CanSend: boolean
  readonly IPv4CanSend: boolean
  readonly OSHasIPv6: boolean
  readonly ICMPv4: boolean
  readonly MappingVariesByDestIP: boolean | null
  readonly UPnP: boolean | null
  readonly PMP: boolean | null
  readonly PCP: boolean | null
  readonly PreferredDERP: number
  /** Region → nanoseconds. */
  readonly RegionLatency: Readonly<Record<string, number>>
  readonly RegionV4Latency: Readonly<Record<string, number>>
  readonly RegionV6Latency: Readonly<Record<string, number>>
  /** "ip:port" → how often it was seen. */
  readonly GlobalV4Counters: Readonly<Record<string, number>> | null
  readonly GlobalV6Counters: Readonly<Record<string, number>> | null
  /** "ip:port"; empty: not known. */
  readonly GlobalV4: string
  readonly GlobalV6: string
  readonly CaptivePortal: boolean | null
  /** Ours: the regions measured by HTTPS because no UDP gets through. */
  readonly HTTPSLatency?: Readonly<Record<string, number>>
  /** Ours: what the router gave ("ip:port"; empty: nothing), and why. */
  readonly PortMapping?: { readonly Address: string; readonly Why: string }
}

export function toNetcheckJson(report: NetcheckReport): NetcheckJson {
  return {
    Now: new Date(report.wallMs).toISOString(),
    UDP: report.udp,
    IPv6: report.ipv6,
    IPv4: report.ipv4,
    IPv6CanSend: report.ipv6CanSend,
    IPv4CanSend: report.ipv4CanSend,
    OSHasIPv6: report.osHasIpv6,
    ICMPv4: report.icmpV4 ?? false,
    MappingVariesByDestIP: report.mappingVariesByDestIp ?? null,
    UPnP: report.upnp ?? null,
    PMP: report.pmp ?? null,
    PCP: report.pcp ?? null,
    PreferredDERP: report.preferredDerp,
    RegionLatency: nanoseconds(report.regionLatencyMs),
    RegionV4Latency: nanoseconds(report.regionV4LatencyMs),
    RegionV6Latency: nanoseconds(report.regionV6LatencyMs),
    GlobalV4Counters: orNull(report.globalV4Counters),
    GlobalV6Counters: orNull(report.globalV6Counters),
    GlobalV4: report.globalV4 ? formatAddrPort(report.globalV4) : '',
    GlobalV6: report.globalV6 ? formatAddrPort(report.globalV6) : '',
    CaptivePortal: report.captivePortal ?? null,
    ...(report.httpsLatencyMs.size > 0 ? { HTTPSLatency: nanoseconds(report.httpsLatencyMs) } : {}),
    ...(report.portMapping ? { PortMapping: { Address: report.portMapping.external ? formatAddrPort(report.portMapping.external) : '', Why: report.portMapping.why } } : {}),
  }
}

function known<Name extends string>(fields: Readonly<Record<Name, boolean | undefined>>): { readonly [N in Name]?: boolean } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [N in Name]?: boolean }
}

function nanoseconds(latencies: ReadonlyMap<number, number>): Record<string, number> {
  return Object.fromEntries([...latencies].map(([region, ms]) => [region, Math.round(ms * 1e6)]))
}

function orNull(counters: ReadonlyMap<string, number>): Record<string, number> | null {
  return counters.size === 0 ? null : Object.fromEntries(counters)
}
