/**
 * What a look at the network found: which families work, what address the outside sees, how far the relays are. Pure.
 *
 * Source: fields of tailscale net/netcheck/netcheck.go (Report) @ de9ec7e, read 2026-08.
 */
import type { AddrPort } from '../../base/ip.ts'
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
  /** undefined: not probed. */
  readonly icmpV4: boolean | undefined
  /** Whether each destination sees another port of ours; undefined: fewer than two answers. IPv4 only. */
  readonly mappingVariesByDestIp: boolean | undefined
  readonly upnp: boolean | undefined
  readonly pmp: boolean | undefined
  readonly pcp: boolean | undefined
  readonly captivePortal: boolean | undefined
  /** 0 = unknown. */
  readonly preferredDerp: number
  /** Region → best round trip in ms. */
  readonly regionLatencyMs: ReadonlyMap<number, number>
  readonly regionV4LatencyMs: ReadonlyMap<number, number>
  readonly regionV6LatencyMs: ReadonlyMap<number, number>
  /** First answer; every answer is counted below by "ip:port". */
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

/** The report as control gets it; latencies are seconds there. */
export function toNetInfo(report: NetcheckReport, isPortMapped = false): NetInfo {
  const latency: Record<string, number> = {}
  for (const [region, ms] of report.regionV4LatencyMs) latency[`${region}-v4`] = ms / 1000
  for (const [region, ms] of report.regionV6LatencyMs) latency[`${region}-v6`] = ms / 1000
  return {
    MappingVariesByDestIP: report.mappingVariesByDestIp ?? null,
    WorkingIPv6: report.ipv6,
    OSHasIPv6: report.osHasIpv6,
    WorkingUDP: report.udp,
    WorkingICMPv4: report.icmpV4 ?? null,
    ...(isPortMapped ? { HavePortMap: true } : {}),
    UPnP: report.upnp ?? null,
    PMP: report.pmp ?? null,
    PCP: report.pcp ?? null,
    PreferredDERP: report.preferredDerp,
    DERPLatency: latency,
  }
}

/** Whether control has to hear of it: anything but latencies. */
export function differsMaterially(a: NetInfo, b: NetInfo): boolean {
  const rest = ({ DERPLatency: _latency, ...others }: NetInfo): string => JSON.stringify(others)
  return rest(a) !== rest(b)
}
