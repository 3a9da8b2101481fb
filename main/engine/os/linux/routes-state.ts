/**
 * Reads what `ip -json` says of our device, of the rules and of our routing table. Pure; what makes no sense is left out.
 *
 *   link   [{ifname, ifindex, flags, mtu, txqlen, addr_info: [{family, local, prefixlen, scope}]}]
 *   rule   [{priority, src, fwmark, fwmask, table, action, ipproto, sport, dport}]
 *   route  [{type, dst, dev, metric}]         "default" and addresses without bits stand for prefixes
 *
 * Source: iproute2 6.1, as seen.
 */
import { canonicalIp, hostPrefix, networkOf, parsePrefix } from '../../base/ip.ts'

export type Family = 4 | 6

export interface RouteRow {
  readonly kind: 'device' | 'throw' | 'unreachable' | 'other'
  /** Canonical. */
  readonly prefix: string
  /** Of kind 'device'. */
  readonly device?: string
  readonly metric: number
}

export interface RuleRow {
  readonly preference: number
  /** "0x80000/0xff0000", "" for everything. */
  readonly mark: string
  /** A table by number or name, or 'unreachable'. */
  readonly to: string
  /** Limits beside the mark, as text; "" for none. */
  readonly only: string
}

export interface LinkState {
  readonly name: string
  readonly index: number
  readonly isUp: boolean
  readonly mtu: number
  readonly queueLength: number
  /** "ip/bits", link-local ones left out. */
  readonly addresses: readonly string[]
}

/** All that a plan starts from. */
export interface RouteState {
  /** Undefined: the device is not there. */
  readonly device: LinkState | undefined
  readonly rules: Readonly<Record<Family, readonly RuleRow[]>>
  readonly routes: Readonly<Record<Family, readonly RouteRow[]>>
  /** False: this system has IPv6 switched off. */
  readonly hasV6: boolean
}

type Json = Readonly<Record<string, unknown>>

/** Rows of a JSON answer; empty for nothing and for nonsense. */
function rows(text: string): readonly Json[] {
  try {
    const value: unknown = text.trim() === '' ? [] : JSON.parse(text)
    return Array.isArray(value) ? value.filter((row): row is Json => typeof row === 'object' && row !== null) : []
  } catch {
    return []
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '')
const number = (value: unknown): number => (typeof value === 'number' ? value : 0)

/** All devices with their addresses, of `ip -json address show`. */
export function readLinks(json: string): LinkState[] {
  return rows(json).filter((row) => text(row['ifname']) !== '').map((row) => ({
    name: text(row['ifname']),
    index: number(row['ifindex']),
    isUp: Array.isArray(row['flags']) && row['flags'].includes('UP'),
    mtu: number(row['mtu']),
    queueLength: number(row['txqlen']),
    addresses: readAddresses(row['addr_info']),
  }))
}

function readAddresses(value: unknown): string[] {
  const found: string[] = []
  for (const one of Array.isArray(value) ? (value as Json[]) : []) {
    const ip = canonicalIp(text(one?.['local']))
    if (ip !== undefined && one['scope'] !== 'link') found.push(`${ip}/${number(one['prefixlen'])}`)
  }
  return found
}

const TABLE_NAMES: Readonly<Record<string, string>> = { 253: 'default', 254: 'main', 255: 'local' }
/** Numbers of actions and protocols, which `-N` does not name. */
const NUMBERS: Readonly<Record<string, string>> = { 7: 'unreachable', 'ipproto-17': 'udp', 'ipproto-6': 'tcp' }
const named = (value: string): string => NUMBERS[value] ?? value

/** Rules of one family, of `ip -N -json rule show`: a person may have given our table a name. */
export function readRules(json: string): RuleRow[] {
  return rows(json).map((row) => {
    const mark = text(row['fwmark'])
    const table = text(row['table'])
    const from = text(row['src'])
    const only = ['ipproto', 'sport', 'dport', 'iif', 'oif', 'dst', 'tos', 'not'].filter((key) => key in row).map((key) => `${key} ${named(text(row[key]))}`)
    return {
      preference: number(row['priority']),
      mark: mark === '' ? '' : `${mark}/${text(row['fwmask']) || '0xffffffff'}`,
      to: table === '' ? named(text(row['action'])) || 'other' : (TABLE_NAMES[table] ?? table),
      only: [...(from === '' || from === 'all' ? [] : [`from ${from}`]), ...only].join(' '),
    }
  })
}

/** Routes of one table and family, of `ip -json route show table N`. */
export function readRoutes(json: string, family: Family): RouteRow[] {
  const found: RouteRow[] = []
  for (const row of rows(json)) {
    const prefix = prefixOf(text(row['dst']), family)
    if (prefix === undefined) continue
    const type = text(row['type'])
    const device = text(row['dev'])
    const kind = type === 'throw' || type === 'unreachable' ? type : (type === '' || type === 'unicast') && device !== '' && !('gateway' in row) && !('via' in row) ? 'device' : 'other'
    found.push({ kind, prefix, metric: number(row['metric']), ...(type === '' && device !== '' ? { device } : {}) })
  }
  return found
}

function prefixOf(dst: string, family: Family): string | undefined {
  if (dst === 'default') return family === 4 ? '0.0.0.0/0' : '::/0'
  const ip = canonicalIp(dst)
  if (ip !== undefined) return hostPrefix(ip)
  const prefix = parsePrefix(dst)
  return prefix && networkOf(prefix.ip, prefix.bits)
}
