/**
 * The same firewall for systems without nft: chains of our own for iptables-restore and ip6tables-restore, in three tables. Pure.
 *
 *   filter  INPUT → bowline-input, OUTPUT → bowline-output, FORWARD → bowline-forward
 *   nat     POSTROUTING → bowline-hide
 *   mangle  PREROUTING → bowline-back, OUTPUT → bowline-save, FORWARD → bowline-clamp
 *
 * With "nodivert" the chains are filled and nobody is sent into them: a person's own rules do that. Each table is one transaction; chains
 * and rules of others stay (--noflush). What is there is read from iptables-save, so that a jump is put once and taken once.
 */
import { isIp4 } from '../../base/ip.ts'
import type { MachineRoutes } from '../../core/plan/machine.ts'
import { apartFromEachOther, guardOf, type FirewallFacts } from './firewall-plan.ts'
import { MARK_BYPASS, MARK_FORWARDED, MARK_MASK } from './routes-plan.ts'
import type { Family } from './routes-state.ts'

interface Chain {
  readonly table: 'filter' | 'nat' | 'mangle'
  readonly name: string
  readonly from: string
  readonly rules: readonly string[]
}

const hex = (value: number): string => `0x${value.toString(16)}`
const BYPASS = `${hex(MARK_BYPASS)}/${hex(MARK_MASK)}`
const FORWARDED = `${hex(MARK_FORWARDED)}/${hex(MARK_MASK)}`
const PLACES: readonly (readonly [Chain['table'], string, string])[] = [
  ['mangle', 'bowline-back', 'PREROUTING'], ['mangle', 'bowline-save', 'OUTPUT'], ['mangle', 'bowline-clamp', 'FORWARD'],
  ['filter', 'bowline-input', 'INPUT'], ['filter', 'bowline-output', 'OUTPUT'], ['filter', 'bowline-forward', 'FORWARD'],
  ['nat', 'bowline-hide', 'POSTROUTING'],
]
const NEIGHBOURS = [133, 135, 136, 131, 132, 143]

const of = (family: Family, prefixes: readonly string[]): string[] => apartFromEachOther(prefixes.filter((prefix) => isIp4(prefix) === (family === 4)))

/** Text for iptables-restore --noflush of a family; `saved` is what iptables-save says now. */
export function iptablesRules(want: MachineRoutes, facts: FirewallFacts, family: Family, saved: string): string {
  const filled = new Map(chains(want, facts, family).map((chain) => [chain.name, chain]))
  return byTable((name, from) => {
    const chain = filled.get(name)
    if (!chain) return takenAway(name, from, saved)
    const jump = want.netfilter === 'nodivert' ? jumpsOf(name, from, saved).map((rule) => rule.replace('-A', '-D')) : isFirst(name, from, saved) ? [] : [...jumpsOf(name, from, saved).map((rule) => rule.replace('-A', '-D')), `-I ${from} 1 -j ${name}`]
    return { declared: [`:${name} - [0:0]`], rules: [...chain.rules.map((rule) => `-A ${name} ${rule}`), ...jump] }
  })
}

/** Text that takes all of ours away; empty when nothing is there. */
export function iptablesRemoval(saved: string): string {
  return byTable((name, from) => takenAway(name, from, saved))
}

/**
 * What of ours stands in iptables-save's text: our chains, their rules and the jumps into them, with whether these still come first
 * (`withJumps`: not where a person makes them). Counters are none of it.
 */
export function ownIptables(saved: string, withJumps = true): string {
  const lines = saved.split('\n').map((line) => line.replace(/^(:bowline-\S+ -) .*$/, '$1')).filter((line) => (withJumps ? /^(:|-A )bowline-|^-A [A-Z]+ -j bowline-/ : /^(:|-A )bowline-/).test(line))
  if (!withJumps) return lines.join('\n')
  const first = PLACES.filter(([, name, from]) => isFirst(name, from, saved)).map(([, name]) => name)
  return [...lines, ...first].join('\n')
}

interface Part {
  readonly declared: readonly string[]
  readonly rules: readonly string[]
}

function byTable(part: (name: string, from: string) => Part): string {
  let text = ''
  for (const table of ['mangle', 'filter', 'nat'] as const) {
    const parts = PLACES.filter(([of_]) => of_ === table).map(([, name, from]) => part(name, from))
    const lines = [...parts.flatMap(({ declared }) => declared), ...parts.flatMap(({ rules }) => rules)]
    if (lines.length > 0) text += `*${table}\n${lines.join('\n')}\nCOMMIT\n`
  }
  return text
}

/** Jumps into a chain of ours that stand in iptables-save's text. */
const jumpsOf = (name: string, from: string, saved: string): string[] => saved.split('\n').filter((line) => line === `-A ${from} -j ${name}`)

/** Whether the one jump stands before all other rules of its chain in the table of ours. */
function isFirst(name: string, from: string, saved: string): boolean {
  const table = saved.split(/^\*/m).find((part) => part.includes(`\n:${name} `)) ?? ''
  const rules = table.split('\n').filter((line) => line.startsWith(`-A ${from} `))
  return rules[0] === `-A ${from} -j ${name}` && rules.filter((line) => line === rules[0]).length === 1
}

function takenAway(name: string, from: string, saved: string): Part {
  if (!saved.includes(`\n:${name} `)) return { declared: [], rules: [] }
  return { declared: [], rules: [...jumpsOf(name, from, saved).map((rule) => rule.replace('-A', '-D')), `-F ${name}`, `-X ${name}`] }
}

function chains(want: MachineRoutes, facts: FirewallFacts, family: Family): Chain[] {
  const set = `MARK --set-xmark ${BYPASS}`
  const rules: Readonly<Record<string, readonly string[]>> = {
    'bowline-back': [`-m conntrack --ctstate RELATED,ESTABLISHED -m connmark --mark ${BYPASS} -j ${set}`],
    'bowline-save': [`-m conntrack --ctstate NEW -m mark --mark ${BYPASS} -j CONNMARK --save-mark --nfmask ${hex(MARK_MASK)} --ctmask ${hex(MARK_MASK)}`],
    'bowline-clamp': ['-i', '-o'].map((way) => `${way} ${want.device} -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu`),
    'bowline-input': inputRules(want, facts, family),
    ...(want.internet === 'direct' ? {} : { 'bowline-output': outputRules(want, family) }),
    'bowline-forward': forwardRules(want, facts, family),
    ...(want.forward?.sourceNat === true ? { 'bowline-hide': [`-m mark --mark ${FORWARDED} -j MASQUERADE`] } : {}),
  }
  return PLACES.filter(([, name]) => rules[name] !== undefined).map(([table, name, from]) => ({ table, name, from, rules: rules[name]! }))
}

function guardRules(want: MachineRoutes, facts: FirewallFacts, family: Family, way: string): string[] {
  if (!want.guardRange) return []
  const { closed, open, closedHosts } = guardOf(want, facts)
  const lines = (prefixes: readonly string[], verdict: string): string[] => of(family, prefixes).map((prefix) => `${way}-s ${prefix} -j ${verdict}`)
  return [...lines(closedHosts, 'DROP'), ...lines(open, way === '' ? 'RETURN' : 'ACCEPT'), ...lines(closed, 'DROP')]
}

function inputRules(want: MachineRoutes, facts: FirewallFacts, family: Family): string[] {
  return [
    '-i lo -j RETURN',
    `-i ${want.device} -j ACCEPT`,
    `-p udp -m udp --dport ${want.udpPort} -j ACCEPT`,
    `-m connmark --mark ${BYPASS} -j ACCEPT`,
    ...guardRules(want, facts, family, ''),
    ...(want.guardRange ? [...facts.internal.map((name) => `-i ${name} -j RETURN`), ...of(family, want.addresses).map((prefix) => `-d ${prefix} -j DROP`)] : []),
  ]
}

/** Where packets may go beside the tunnel, the rest stays here. */
function passes(want: MachineRoutes, family: Family): string[] {
  const lan = !want.allowLan ? [] : family === 4 ? ['169.254.0.0/16', '224.0.0.0/4', '255.255.255.255/32'] : ['fe80::/10', 'ff02::/16']
  const questions = !want.guardNames ? [] : ['tcp', 'udp'].flatMap((proto) => [53, 853].map((port) => `-p ${proto} -m ${proto} --dport ${port} -j DROP`))
  return [...questions, ...of(family, [...want.bypass, ...lan]).map((prefix) => `-d ${prefix} -j RETURN`), '-j DROP']
}

function outputRules(want: MachineRoutes, family: Family): string[] {
  return [
    ...['lo', want.device].map((name) => `-o ${name} -j RETURN`),
    `-m mark --mark ${BYPASS} -j RETURN`,
    ...(family === 4
      ? ['-p udp -m udp --sport 68 --dport 67 -j RETURN', '-p igmp -j RETURN']
      : [...['fe80::/10', 'ff02::/16'].map((prefix) => `-d ${prefix} -p udp -m udp --sport 546 --dport 547 -j RETURN`), ...NEIGHBOURS.map((type) => `-p ipv6-icmp -m icmp6 --icmpv6-type ${type} -j RETURN`)]),
    ...passes(want, family),
  ]
}

function forwardRules(want: MachineRoutes, facts: FirewallFacts, family: Family): string[] {
  const out = `-o ${want.device} `
  const apart = facts.apart ?? []
  return [
    ...(want.forward ? [`-i ${want.device} -j MARK --set-xmark ${FORWARDED}`] : []),
    `-i ${want.device} -j ACCEPT`,
    ...(want.forward?.isStateful === true ? [`${out}-m conntrack ! --ctstate RELATED,ESTABLISHED -j DROP`] : []),
    ...guardRules(want, facts, family, out),
    `${out}-j ACCEPT`,
    ...(want.internet === 'direct' ? [] : passes(want, family)),
    ...apart.flatMap((from) => apart.filter((to) => to !== from).map((to) => `-i ${from} -o ${to} -j DROP`)),
  ]
}
