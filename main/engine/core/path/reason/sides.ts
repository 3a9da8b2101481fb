/**
 * The same few facts of both ends, side by side: what this machine measured here, and what the other device reported of
 * its own network through the server. Pure.
 */
import type { NetInfo } from '../../tailcfg/types.ts'
import type { OwnReport } from './evidence.ts'
import { opensPorts } from './evidence.ts'

export interface SideFact {
  /** unknown: `value` says who could know. */
  readonly state: 'yes' | 'no' | 'unknown'
  readonly value: string
}

export interface SidesRow {
  readonly label: string
  readonly here: SideFact
  readonly there: SideFact
}

type Mapped = { readonly upnp?: boolean | null | undefined; readonly pmp?: boolean | null | undefined; readonly pcp?: boolean | null | undefined }

/** Rows in a fixed order; a side that nobody knows of is unknown in every row. */
export function twoSides(report: OwnReport | undefined, info: NetInfo | null | undefined): readonly SidesRow[] {
  const theirs: Mapped | undefined = info ? { upnp: info.UPnP, pmp: info.PMP, pcp: info.PCP } : undefined
  return [
    { label: 'UDP gets out', here: own(report, report?.udp, 'measured', 'blocked'), there: told(info, info?.WorkingUDP, 'reported', 'blocked') },
    { label: 'NAT keeps one port', here: own(report, not(report?.mappingVariesByDestIp), 'one port', 'changes'), there: told(info, not(info?.MappingVariesByDestIP), 'one port', 'changes') },
    { label: 'Router opens ports', here: own(report, report && opensPorts(report), protocols(report), 'none'), there: told(info, theirs && opensPorts(theirs), protocols(theirs), 'none') },
    { label: 'IPv6 works', here: own(report, ipv6Here(report), 'measured', report?.osHasIpv6 === false ? 'off on this system' : 'no relay answered'), there: told(info, info?.WorkingIPv6, 'reported', info?.OSHasIPv6 === false ? 'off on its system' : 'no relay answered') },
  ]
}

/** undefined: no relay was asked over it. */
const ipv6Here = (report: OwnReport | undefined): boolean | undefined => (report && (report.ipv6 || !report.osHasIpv6 || report.ipv6CanSend) ? report.ipv6 : undefined)

const not = (flag: boolean | null | undefined): boolean | undefined => (flag === undefined || flag === null ? undefined : !flag)

function own(report: OwnReport | undefined, flag: boolean | undefined, yes: string, no: string): SideFact {
  if (!report) return { state: 'unknown', value: 'not measured yet' }
  if (flag === undefined) return { state: 'unknown', value: 'not measured' }
  return flag ? { state: 'yes', value: yes } : { state: 'no', value: no }
}

function told(info: NetInfo | null | undefined, flag: boolean | null | undefined, yes: string, no: string): SideFact {
  if (!info || flag === undefined || flag === null) return { state: 'unknown', value: 'not reported' }
  return flag ? { state: 'yes', value: yes } : { state: 'no', value: no }
}

function protocols(one: Mapped | undefined): string {
  return [one?.upnp === true ? 'UPnP' : '', one?.pmp === true ? 'NAT-PMP' : '', one?.pcp === true ? 'PCP' : ''].filter((name) => name !== '').join(', ')
}
