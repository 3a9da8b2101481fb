/**
 * From the wanted value and what is there to lines for `ip -batch`: addresses, rules and our routing table. Pure.
 *
 *   5210  marked as ours           → main            the engine's own packets never enter the tunnel
 *   5230  marked as ours           → default
 *   5250  marked as ours           → unreachable
 *   5260  DHCP renewals            → main            only while the internet goes through the tunnel or nowhere
 *   5270  all                      → table 52        tunnel routes; "throw" for what stays outside
 *
 * Order: what keeps traffic in, then what stays out, then the tunnel's routes from the narrowest to the default ones, then rules; only
 * then is removed what is wanted no longer. So nothing is without a way in between, and nothing leaves by the wrong one.
 * What stays the same is not touched. Preferences, marks and table are those of tailscaled 1.102.5, as seen.
 */
import { isIp4, parsePrefix } from '../../base/ip.ts'
import type { MachineRoutes } from '../../core/plan/machine.ts'
import type { Family, RouteRow, RouteState, RuleRow } from './routes-state.ts'

export const TABLE = 52
export const MARK_MASK = 0xff_0000
/** On the engine's own sockets. */
export const MARK_BYPASS = 0x8_0000
/** On packets that come out of the tunnel and are passed on. */
export const MARK_FORWARDED = 0x4_0000
const QUEUE_LENGTH = 500
const LAST_METRIC = 0xffff_ffff
/** IPv6 routes without a metric get this one. */
const METRIC_6 = 1024

/** Lines for `ip -4 -batch` and `ip -6 -batch`, in order. */
export interface RoutePlan {
  readonly 4: readonly string[]
  readonly 6: readonly string[]
}

export const hasLines = (plan: RoutePlan): boolean => plan[4].length + plan[6].length > 0

const MARKED = `0x${MARK_BYPASS.toString(16)}/0x${MARK_MASK.toString(16)}`
const RULES: readonly RuleRow[] = [
  { preference: 5210, mark: MARKED, to: 'main', only: '' },
  { preference: 5230, mark: MARKED, to: 'default', only: '' },
  { preference: 5250, mark: MARKED, to: 'unreachable', only: '' },
  { preference: 5270, mark: '', to: String(TABLE), only: '' },
]
const DHCP_RULE: Readonly<Record<Family, RuleRow>> = {
  4: { preference: 5260, mark: '', to: 'main', only: 'ipproto udp sport 68 dport 67' },
  6: { preference: 5260, mark: '', to: 'main', only: 'ipproto udp sport 546 dport 547' },
}

/** What cannot leave the link, IPv6: bound to an interface, and of no use in the tunnel. */
const LINK_6 = ['fe80::/10', 'ff00::/8']
/** To everybody on the LAN, where the LAN is allowed. */
const LAN_4 = ['169.254.0.0/16', '224.0.0.0/4', '255.255.255.255/32']

const ruleKey = ({ preference, mark, to, only }: RuleRow): string => `${preference} ${mark} ${to} ${only}`
const familyOf = (prefix: string): Family => (isIp4(prefix) ? 4 : 6)
const bitsOf = (prefix: string): number => Number(prefix.slice(prefix.indexOf('/') + 1))
const isDefault = (prefix: string): boolean => bitsOf(prefix) === 0

/** Rules of ours that a wish has for a family. */
export function wantedRules(want: MachineRoutes, family: Family): readonly RuleRow[] {
  return want.internet === 'direct' ? RULES : [...RULES, DHCP_RULE[family]].toSorted((a, b) => a.preference - b.preference)
}

/** The whole of table 52 that a wish has for a family, in the order of putting on. */
export function wantedRoutes(want: MachineRoutes, family: Family): readonly RouteRow[] {
  const metric = family === 4 ? 0 : METRIC_6
  const isIn = want.internet !== 'direct'
  const links = !isIn ? [] : family === 6 ? LINK_6 : want.allowLan ? LAN_4 : []
  const bypass = [...new Set([...links, ...want.bypass.filter((prefix) => familyOf(prefix) === family && !isDefault(prefix))])]
  const inside = [...new Set(want.routes)].filter((prefix) => familyOf(prefix) === family && !bypass.includes(prefix) && (isIn || !isDefault(prefix)))
  return [
    ...(isIn ? [{ kind: 'unreachable', prefix: family === 4 ? '0.0.0.0/0' : '::/0', metric: LAST_METRIC } as const] : []),
    ...bypass.map((prefix) => ({ kind: 'throw', prefix, metric }) as const),
    ...inside.toSorted((a, b) => bitsOf(b) - bitsOf(a)).map((prefix) => ({ kind: 'device', prefix, device: want.device, metric }) as const),
  ]
}

/**
 * What is to be done for a wish. Without the device (it is not made yet, or gone) only what does not hang on it. Where IPv6 is switched off
 * its lines are left out, but for what keeps traffic in: those may fail.
 */
export function planRoutes(want: MachineRoutes, now: RouteState): RoutePlan {
  return { 4: [...planDevice(want, now), ...planFamily(want, now, 4)], 6: now.hasV6 ? planFamily(want, now, 6) : [] }
}

/** What keeps IPv6 in where it is switched off now and may come back; every line may fail. */
export function planOffV6(want: MachineRoutes, now: RouteState): readonly string[] {
  return now.hasV6 || want.internet === 'direct' ? [] : planFamily({ ...want, addresses: [], routes: [], bypass: [] }, now, 6)
}

function planDevice(want: MachineRoutes, { device }: RouteState): string[] {
  if (!device || (device.isUp && device.mtu === want.mtu && device.queueLength === QUEUE_LENGTH)) return []
  return [`link set dev ${want.device} mtu ${want.mtu} txqueuelen ${QUEUE_LENGTH} up`]
}

function planFamily(want: MachineRoutes, now: RouteState, family: Family): string[] {
  const addresses = want.addresses.filter((prefix) => familyOf(prefix) === family)
  const there = (now.device?.addresses ?? []).filter((prefix) => familyOf(prefix) === family)
  const routes = wantedRoutes(want, family).filter(({ kind }) => kind !== 'device' || now.device !== undefined)
  const rules = wantedRules(want, family)
  const keys = new Set(now.routes[family].map(routeText))
  const ruleKeys = new Set(now.rules[family].map(ruleKey))
  return [
    ...(now.device ? addresses.filter((one) => !there.includes(one)).map((one) => `address add ${one} dev ${want.device}${family === 6 ? ' nodad' : ''}`) : []),
    ...routes.filter((row) => !keys.has(routeText(row))).map((row) => `route replace ${routeText(row)}`),
    ...rules.filter((rule) => !ruleKeys.has(ruleKey(rule))).map((rule) => `rule add ${ruleText(rule)}`),
    ...staleRules(now.rules[family], rules).map((rule) => `rule delete ${ruleText(rule)}`),
    ...staleRoutes(now.routes[family], routes).map((row) => `route delete ${routeText(row)}`),
    ...there.filter((one) => !addresses.includes(one)).map((one) => `address delete ${one} dev ${want.device}`),
  ]
}

/** A line of `ip route` without its verb. */
function routeText({ kind, prefix, device, metric }: RouteRow): string {
  const type = kind === 'device' || kind === 'other' ? '' : `${kind} `
  return `${type}${prefix}${device === undefined || kind !== 'device' ? '' : ` dev ${device}`}${metric === 0 ? '' : ` metric ${metric}`} table ${TABLE}`
}

function ruleText({ preference, mark, to, only }: RuleRow): string {
  const limits = `${mark === '' ? '' : ` fwmark ${mark}`}${only === '' ? '' : ` ${only}`}`
  return `preference ${preference}${limits} ${to === 'unreachable' ? 'type unreachable' : `table ${to}`}`
}

const OURS = new Set([...RULES, DHCP_RULE[4], DHCP_RULE[6]].map(ruleKey))

/** Rules of our shape that are not wanted, and those that are there twice. */
function staleRules(there: readonly RuleRow[], wanted: readonly RuleRow[]): RuleRow[] {
  const left = new Set(wanted.map(ruleKey))
  // Each wanted one is kept once.
  return there.filter((rule) => OURS.has(ruleKey(rule)) && !left.delete(ruleKey(rule)))
}

/** Rows of table 52 that no wanted row replaces: the key of a route is its prefix and metric. */
function staleRoutes(there: readonly RouteRow[], wanted: readonly RouteRow[]): RouteRow[] {
  const key = ({ prefix, metric }: RouteRow): string => `${prefix} ${metric}`
  const kept = new Set(wanted.map(key))
  return there.filter((row) => !kept.has(key(row))).toSorted((a, b) => lastOut(a) - lastOut(b))
}

/** The routes that keep traffic in go last. */
const lastOut = ({ kind, prefix }: RouteRow): number => (kind === 'unreachable' && isDefault(prefix) ? 1 : 0)

/**
 * Takes all of ours away, rules first: from then on the table is asked no more. Where another client has routes in the same table, the
 * rules are its own too, and only what goes by our device is taken.
 */
export function planRemoval(device: string, now: RouteState): RoutePlan {
  const isShared = ([4, 6] as const).some((one) => now.routes[one].some((row) => row.kind === 'device' && row.device !== device))
  const family = (one: Family): string[] => [
    ...now.rules[one].filter((rule) => !isShared && OURS.has(ruleKey(rule))).map((rule) => `rule delete ${ruleText(rule)}`),
    ...now.routes[one].filter(({ kind, device: of }) => of === device || (!isShared && (kind === 'throw' || kind === 'unreachable'))).map((row) => `route delete ${routeText(row)}`),
    ...(now.device?.addresses ?? []).filter((prefix) => familyOf(prefix) === one).map((prefix) => `address delete ${prefix} dev ${device}`),
  ]
  return { 4: family(4), 6: family(6) }
}

/** Whether what is there keeps all traffic in, although the device may be gone. */
export function isHolding(now: RouteState): boolean {
  const isKept = (family: Family): boolean =>
    now.routes[family].some(({ kind, prefix, metric }) => kind === 'unreachable' && isDefault(prefix) && metric === LAST_METRIC) && now.rules[family].some((rule) => ruleKey(rule) === ruleKey(RULES[3]!))
  return isKept(4) || isKept(6)
}

/** The wish that keeps traffic in and does nothing else. */
export function heldRoutes(want: MachineRoutes): MachineRoutes {
  return { ...want, internet: 'blocked', addresses: [], routes: [], forward: undefined }
}

/** A wish whose texts are canonical and whose device may be part of a command; undefined is a fault of the caller. */
export function isPlainWish(want: MachineRoutes): boolean {
  const isPlain = (prefix: string): boolean => {
    const parsed = parsePrefix(prefix)
    return parsed !== undefined && `${parsed.ip}/${parsed.bits}` === prefix
  }
  const lists = [want.addresses, want.routes, want.bypass, want.forward?.subnets ?? []]
  return /^[a-z][a-z0-9]{0,14}$/.test(want.device) && lists.every((list) => list.every(isPlain)) && [want.mtu, want.udpPort].every((value) => Number.isInteger(value) && value >= 0 && value < 65_536)
}
