/**
 * Addresses, routes and firewall rules of Windows, before → after, as commands. Never run here: golden-tested alone.
 *
 *   interface  netsh interface ipv4|ipv6 set interface interface=N metric=5 mtu=1280 store=active
 *   address    netsh interface ipv4 add address interface=N address=IP mask=255.255.255.255 store=active     ipv6: address=IP/128
 *   route      netsh interface ipv4|ipv6 add route prefix=P interface=N metric=0 store=active
 *   default    its two halves, which win whatever metrics others have; a network that this computer is on likewise
 *   devices    more of them than MAX_DEVICES are one route, 100.64.0.0/10: each is a program to start
 *   firewall   netsh advfirewall firewall add rule name="Bowline-In"|"Bowline-UDP": what the engine's own filter lets in, and its port
 *
 * "active" is gone with a restart; routes and addresses go with their interface, the rules of the firewall are known by their names.
 *
 * Not here: what keeps traffic in while there is no tunnel. Rules of the firewall cannot ("block" goes before "allow", and its default is a
 * person's own setting); the filtering platform (WFP) could, and nothing here speaks with it. So nothing is kept in, which is said.
 *
 * Sources: Microsoft's reference of netsh interface and netsh advfirewall.
 */
import type { MachineRoutes } from '../../core/plan/machine.ts'
import { parsePrefix, prefixContains, TAILSCALE_RANGES } from '../../base/ip.ts'
import type { Command } from '../commands.ts'
import { familyOf, halvesOf } from '../prefixes.ts'

/** A wish as it lies on the system. */
export interface WindowsLaid {
  /** Number of the interface. */
  readonly index: number
  readonly mtu: number
  readonly addresses: readonly string[]
  readonly routes: readonly string[]
  /** UDP port that the firewall lets in; undefined: its rules are left alone. */
  readonly udpPort: number | undefined
}

const METRIC = 5
const MAX_DEVICES = 100
const DEFAULTS: ReadonlySet<string> = new Set(['0.0.0.0/0', '::/0'])
const RANGE = TAILSCALE_RANGES[0]!

/** How a wish is laid on the interface of that number; `attached`: networks that this computer is on. */
export function layWindows(want: MachineRoutes, index: number, attached: readonly string[]): WindowsLaid {
  const taken = new Set([...DEFAULTS, ...attached])
  const routes = want.routes.flatMap((prefix) => (taken.has(prefix) ? halvesOf(prefix) : [prefix]))
  return { index, mtu: want.mtu, addresses: want.addresses, routes: [...new Set(coarse(routes))], udpPort: want.netfilter === 'off' ? undefined : want.udpPort }
}

function coarse(routes: readonly string[]): readonly string[] {
  const range = parsePrefix(RANGE)!
  const devices = new Set(routes.filter((prefix) => prefix.endsWith('/32') && prefixContains(range, prefix.split('/')[0]!)))
  return devices.size <= MAX_DEVICES ? routes : [RANGE, ...routes.filter((prefix) => !devices.has(prefix))]
}

/** From what lies to what shall lie; undefined = nothing. The way back is the same with both changed about. */
export function planWindowsRoutes(before: WindowsLaid | undefined, after: WindowsLaid | undefined): readonly Command[] {
  const stays = before !== undefined && before.index === after?.index
  const [hadAddresses, hadRoutes] = [new Set(stays ? before.addresses : []), new Set(stays ? before.routes : [])]
  const [addresses, routes] = [new Set(stays ? after?.addresses : []), new Set(stays ? after?.routes : [])]
  return [
    ...(before?.routes ?? []).filter((one) => !routes.has(one)).map((one) => command(one, ['delete', 'route', `prefix=${one}`, `interface=${before!.index}`, 'store=active'], true)),
    ...(before?.addresses ?? []).filter((one) => !addresses.has(one)).map((one) => command(one, ['delete', 'address', `interface=${before!.index}`, `address=${one.split('/')[0]!}`, 'store=active'], true)),
    ...(after && (!stays || before.mtu !== after.mtu) ? ['ipv4', 'ipv6'].map((family): Command => netsh(['interface', family, 'set', 'interface', `interface=${after.index}`, `metric=${METRIC}`, `mtu=${after.mtu}`, 'store=active'])) : []),
    ...(after?.addresses ?? []).filter((one) => !hadAddresses.has(one)).map((one) => command(one, ['add', 'address', `interface=${after!.index}`, ...addressWords(one), 'store=active'])),
    ...(after?.routes ?? []).filter((one) => !hadRoutes.has(one)).map((one) => command(one, ['add', 'route', `prefix=${one}`, `interface=${after!.index}`, 'metric=0', 'store=active'])),
    ...planRules(before, after),
  ]
}

const RULES = ['Bowline-In', 'Bowline-UDP'] as const

/** Takes rules of ours away, whoever made them. */
export const windowsRulesRemoval: readonly Command[] = RULES.map((name) => netsh(['advfirewall', 'firewall', 'delete', 'rule', `name=${name}`], true))

function planRules(before: WindowsLaid | undefined, after: WindowsLaid | undefined): readonly Command[] {
  const wanted = rulesOf(after)
  if (rulesOf(before).map(({ words }) => words.join(' ')).join('\n') === wanted.map(({ words }) => words.join(' ')).join('\n')) return []
  return [...windowsRulesRemoval, ...wanted]
}

function rulesOf(laid: WindowsLaid | undefined): readonly Command[] {
  if (laid?.udpPort === undefined) return []
  const rule = (name: string, ...words: string[]): Command => netsh(['advfirewall', 'firewall', 'add', 'rule', `name=${name}`, 'dir=in', 'action=allow', 'profile=any', 'enable=yes', ...words])
  const own = laid.addresses.map((one) => one.split('/')[0]!)
  return [
    ...(own.length === 0 ? [] : [rule(RULES[0], `localip=${own.join(',')}`)]),
    rule(RULES[1], 'protocol=UDP', `localport=${laid.udpPort}`),
  ]
}

function addressWords(address: string): string[] {
  return familyOf(address) === 4 ? [`address=${address.split('/')[0]!}`, 'mask=255.255.255.255'] : [`address=${address}`]
}

function command(prefix: string, words: readonly string[], mayFail?: true): Command {
  return netsh(['interface', familyOf(prefix) === 4 ? 'ipv4' : 'ipv6', ...words], mayFail)
}

function netsh(words: readonly string[], mayFail?: true): Command {
  return { program: 'netsh', words, ...(mayFail === undefined ? {} : { mayFail }) }
}
