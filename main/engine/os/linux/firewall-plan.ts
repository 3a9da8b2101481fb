/**
 * Our own table for nft, `inet bowline`, as one transaction that replaces it whole. Pure.
 *
 *   input       from outside: nobody may claim an address of the tunnel, nor reach ours beside the tunnel
 *   output      while the internet goes through the tunnel or nowhere: what is neither marked as ours nor for the tunnel, this
 *               computer, an allowed network, DHCP or the neighbours of the link stays here
 *   forward     the same for what is passed on for others; packets out of the tunnel get a mark
 *   hide        what has that mark leaves with this computer's own address
 *   save, back  the engine's mark is kept with the connection, so that strict reverse-path filters let answers in
 *   clamp       TCP segments of what is passed on fit the tunnel
 *
 * An `accept` here ends this table only: what another table drops stays dropped (see doors.ts). Neither device needs to be there.
 */
import { isIp4, parsePrefix, prefixContains, TAILSCALE_RANGES } from '../../base/ip.ts'
import type { MachineRoutes } from '../../core/plan/machine.ts'
import { MARK_BYPASS, MARK_FORWARDED, MARK_MASK } from './routes-plan.ts'

export const NFT_TABLE = 'inet bowline'
const CHROME_OS = '100.115.92.0/23'

/** What the firewall must know of the system. */
export interface FirewallFacts {
  /** Networks that other interfaces are attached to, "ip/bits". */
  readonly attached: readonly string[]
  /** Interfaces that lead to this computer's own guests alone: bridges of containers and the like. */
  readonly internal: readonly string[]
  /** Interfaces between which nothing was passed on before this node turned forwarding on; undefined: it was on already. */
  readonly apart: readonly string[] | undefined
}

const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`
const BYPASS = `& ${hex(MARK_MASK)} == ${hex(MARK_BYPASS)}`
const FORWARDED = `& ${hex(MARK_MASK)} == ${hex(MARK_FORWARDED)}`
/** Sets our bits of a mark and leaves the others. */
const marked = (mark: number): string => `meta mark set meta mark & ${hex(0xffff_ffff - MARK_MASK)} | ${hex(mark)}`
const NEIGHBOURS = 'icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld-listener-done, mld2-listener-report }'
const LAN_4 = ['169.254.0.0/16', '224.0.0.0/4', '255.255.255.255/32']
const LAN_6 = ['fe80::/10', 'ff02::/16']

const names = (list: readonly string[]): string => `{ ${list.map((name) => `"${name}"`).join(', ')} }`
const keyword = (prefix: string): 'ip' | 'ip6' => (isIp4(prefix) ? 'ip' : 'ip6')

/** One line for each family that has prefixes; sets of prefixes may not overlap, so what lies in another is left out. */
function byPrefix(side: 'saddr' | 'daddr', prefixes: readonly string[], before: string, after: string): string[] {
  return (['ip', 'ip6'] as const).flatMap((family) => {
    const list = apartFromEachOther(prefixes.filter((prefix) => keyword(prefix) === family))
    return list.length === 0 ? [] : [`${before}${family} ${side} { ${list.join(', ')} } ${after}`]
  })
}

/** Without what lies in another of them. */
export function apartFromEachOther(prefixes: readonly string[]): string[] {
  const parsed = [...new Set(prefixes)].map((text) => ({ text, at: parsePrefix(text)! })).toSorted((a, b) => a.at.bits - b.at.bits)
  const kept: typeof parsed = []
  for (const one of parsed) if (!kept.some(({ at }) => at.bits <= one.at.bits && isIp4(at.ip) === isIp4(one.at.ip) && prefixContains(at, one.at.ip))) kept.push(one)
  return kept.map(({ text }) => text)
}

const inRange = (prefix: string): boolean => {
  const { ip, bits } = parsePrefix(prefix)!
  return TAILSCALE_RANGES.some((range) => bits >= parsePrefix(range)!.bits && prefixContains(parsePrefix(range)!, ip)) && !(bits >= 23 && prefixContains(parsePrefix(CHROME_OS)!, ip))
}

/** Who may not come from outside the tunnel, and who may although a wider prefix may not. */
export interface Guard {
  readonly closed: readonly string[]
  readonly open: readonly string[]
  /** Closed although it lies in an open one: single devices. */
  readonly closedHosts: readonly string[]
}

/**
 * The tunnel's ranges, unless the computer's own provider gives addresses out of them: then the devices that are known, and the rest of
 * the range stays open where it is attached. No provider does so with IPv6: a router that says so means harm.
 */
export function guardOf(want: MachineRoutes, { attached }: FirewallFacts): Guard {
  const shared = attached.filter((prefix) => isIp4(prefix) && inRange(prefix))
  if (shared.length === 0) return { closed: TAILSCALE_RANGES, open: [CHROME_OS], closedHosts: [] }
  const ours = [...want.addresses, ...want.routes.filter(inRange)]
  const isHost = (prefix: string): boolean => parsePrefix(prefix)!.bits === (isIp4(prefix) ? 32 : 128)
  const families = TAILSCALE_RANGES.filter((range) => !shared.some((prefix) => keyword(prefix) === keyword(range)))
  return { closedHosts: ours.filter(isHost), open: [CHROME_OS, ...shared], closed: [...families, ...ours.filter((prefix) => !isHost(prefix))] }
}

/** The transaction's text. */
export function nftRules(want: MachineRoutes, facts: FirewallFacts): string {
  const isIn = want.internet !== 'direct'
  const chains: [name: string, hook: string, lines: readonly string[]][] = [
    ['back', 'type filter hook prerouting priority mangle', [`ct state established,related ct mark ${BYPASS} ${marked(MARK_BYPASS)}`]],
    ['save', 'type filter hook output priority mangle', [`ct state new meta mark ${BYPASS} ct mark set meta mark & ${hex(MARK_MASK)}`]],
    ['input', 'type filter hook input priority filter', inputLines(want, facts)],
    ...(isIn ? [['output', 'type filter hook output priority filter', outputLines(want)] as [string, string, string[]]] : []),
    ['clamp', 'type filter hook forward priority mangle', ['iifname', 'oifname'].map((way) => `${way} "${want.device}" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu`)],
    ['forward', 'type filter hook forward priority filter', forwardLines(want, facts)],
    ...(want.forward?.sourceNat === true ? [['hide', 'type nat hook postrouting priority srcnat', [`meta mark ${FORWARDED} masquerade`]] as [string, string, string[]]] : []),
  ]
  const body = chains.map(([name, hook, lines]) => `\tchain ${name} {\n\t\t${hook}; policy accept;\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`)
  return `add table ${NFT_TABLE}\ndelete table ${NFT_TABLE}\ntable ${NFT_TABLE} {\n\tcounter spoofed {\n\t}\n\tcounter held {\n\t}\n${body.join('')}}\n`
}

/** Takes the table away, whether or not it is there. */
export const NFT_REMOVAL = `add table ${NFT_TABLE}\ndelete table ${NFT_TABLE}\n`

const SPOOFED = 'counter name "spoofed" drop'
const HELD = 'counter name "held" drop'

function inputLines(want: MachineRoutes, facts: FirewallFacts): string[] {
  const head = [`iifname ${names(['lo', want.device])} accept`, `udp dport ${want.udpPort} accept`, `ct mark ${BYPASS} accept`]
  if (!want.guardRange) return head
  const { closed, open, closedHosts } = guardOf(want, facts)
  return [
    ...head,
    ...byPrefix('saddr', closedHosts, '', SPOOFED),
    ...byPrefix('saddr', open, '', 'accept'),
    ...byPrefix('saddr', closed, '', SPOOFED),
    ...(facts.internal.length === 0 ? [] : [`iifname ${names(facts.internal)} accept`]),
    ...byPrefix('daddr', want.addresses, '', SPOOFED),
  ]
}

function outputLines(want: MachineRoutes): string[] {
  return [
    `oifname ${names(['lo', want.device])} accept`,
    `meta mark ${BYPASS} accept`,
    'udp sport 68 udp dport 67 accept',
    `ip6 daddr { ${LAN_6.join(', ')} } udp sport 546 udp dport 547 accept`,
    `${NEIGHBOURS} accept`,
    'ip protocol igmp accept',
    ...passes(want),
  ]
}

/** Where packets may go beside the tunnel, the rest stays here. */
function passes(want: MachineRoutes): string[] {
  const allowed = [...want.bypass, ...(want.allowLan ? [...LAN_4, ...LAN_6] : [])]
  return [...(want.guardNames ? [`meta l4proto { tcp, udp } th dport { 53, 853 } ${HELD}`] : []), ...byPrefix('daddr', allowed, '', 'accept'), HELD]
}

function forwardLines(want: MachineRoutes, facts: FirewallFacts): string[] {
  const { device, forward } = want
  const guard = want.guardRange ? guardOf(want, facts) : { closed: [], open: [], closedHosts: [] }
  const out = `oifname "${device}" `
  return [
    ...(forward ? [`iifname "${device}" ${marked(MARK_FORWARDED)} accept`] : [`iifname "${device}" accept`]),
    ...(forward?.isStateful === true ? [`${out}ct state != { established, related } drop`] : []),
    ...byPrefix('saddr', guard.closedHosts, out, SPOOFED),
    ...byPrefix('saddr', guard.open, out, 'accept'),
    ...byPrefix('saddr', guard.closed, out, SPOOFED),
    `${out}accept`,
    ...(want.internet === 'direct' ? [] : passes(want)),
    ...(facts.apart === undefined || facts.apart.length === 0 ? [] : [`iifname ${names(facts.apart)} oifname ${names(facts.apart)} drop`]),
  ]
}
