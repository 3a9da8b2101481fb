/**
 * Addresses and routes of macOS, before → after, as commands. Never run here: golden-tested alone.
 *
 *   address    ifconfig utunN inet 100.64.0.1/32 100.64.0.1 alias        inet6 fd7a:…/128 alias
 *   route      route -q -n add -inet PREFIX -interface utunN
 *   default    its two halves: the one that is there cannot be replaced and must stay for the sockets that are bound to its interface
 *   LAN in     a network that this computer is on has a route of its own: its halves too
 *   own way    with an exit node: route -q -n add -inet default GATEWAY -ifscope enN, which bound sockets (IP_BOUND_IF) go by
 *
 * A utun device dies with the engine, and its routes with it; scoped routes stay and hurt nobody, but are taken away all the same.
 *
 * Sources: ifconfig(8) and route(8) of macOS; what wg-quick and the stock daemon start there.
 */
import type { MachineRoutes } from '../../core/plan/machine.ts'
import { isLinkLocalIp } from '../../base/ip.ts'
import type { Command } from '../commands.ts'
import { familyOf, halvesOf } from '../prefixes.ts'

/** What is known of the system when a wish is put on. */
export interface MacFacts {
  /** Way to the world of each family beside the tunnel, where there is one by a gateway. */
  readonly gateways: readonly { readonly ip: string; readonly interface: string }[]
  /** Networks that this computer is on. */
  readonly attached: readonly string[]
}

export interface MacRoute {
  readonly prefix: string
  /** The tunnel, or the gateway of a scope. */
  readonly via: { readonly kind: 'tunnel' } | { readonly kind: 'scoped'; readonly gateway: string; readonly interface: string }
}

/** A wish as it lies on the system. */
export interface MacLaid {
  readonly device: string
  readonly mtu: number
  readonly addresses: readonly string[]
  readonly routes: readonly MacRoute[]
}

const DEFAULTS: ReadonlySet<string> = new Set(['0.0.0.0/0', '::/0'])

/** How a wish is laid on this system; without a device there is nothing to lay. */
export function layMac(want: MachineRoutes, { gateways, attached }: MacFacts): MacLaid {
  const { device, mtu } = want
  if (device === '') return { device, mtu, addresses: [], routes: [] }
  const taken = new Set([...DEFAULTS, ...attached])
  const inside = want.routes.flatMap((prefix) => (taken.has(prefix) ? halvesOf(prefix) : [prefix]))
  const scoped = want.internet === 'direct' ? [] : gateways
  return {
    device, mtu, addresses: want.addresses,
    routes: [
      ...scoped.map(({ ip, interface: name }): MacRoute => ({ prefix: familyOf(ip) === 4 ? '0.0.0.0/0' : '::/0', via: { kind: 'scoped', gateway: ip, interface: name } })),
      ...[...new Set(inside)].map((prefix): MacRoute => ({ prefix, via: { kind: 'tunnel' } })),
    ],
  }
}

/** From what lies to what shall lie; undefined = nothing. The way back is the same with both changed about. */
export function planMacRoutes(before: MacLaid | undefined, after: MacLaid | undefined): readonly Command[] {
  const stays = before !== undefined && before.device === after?.device
  const old = { addresses: before?.addresses ?? [], routes: (before?.routes ?? []).map((route) => wordsOf(before!.device, route)) }
  const next = { addresses: after?.addresses ?? [], routes: (after?.routes ?? []).map((route) => wordsOf(after!.device, route)) }
  const has = (list: readonly string[][], one: readonly string[]): boolean => known(list).has(one.join(' '))
  return [
    ...old.routes.filter((one) => !has(next.routes, one)).map((words): Command => ({ program: 'route', words: ['-q', '-n', 'delete', ...words], mayFail: true })),
    ...old.addresses.filter((one) => !stays || !next.addresses.includes(one)).map((one): Command => ({ program: 'ifconfig', words: [before!.device, ...withoutBits(one), '-alias'], mayFail: true })),
    ...next.addresses.filter((one) => !stays || !old.addresses.includes(one)).map((one): Command => ({ program: 'ifconfig', words: [after!.device, ...withPeer(one), 'alias'] })),
    ...(after && after.device !== '' && (!stays || before.mtu !== after.mtu) ? [{ program: 'ifconfig', words: [after.device, 'mtu', String(after.mtu), 'up'] } as const] : []),
    ...next.routes.filter((one) => !has(old.routes, one)).map((words): Command => ({ program: 'route', words: ['-q', '-n', 'add', ...words] })),
  ]
}

/** A look-up for one list, made once. */
const sets = new WeakMap<readonly string[][], ReadonlySet<string>>()
function known(list: readonly string[][]): ReadonlySet<string> {
  let set = sets.get(list)
  if (!set) sets.set(list, (set = new Set(list.map((one) => one.join(' ')))))
  return set
}

function wordsOf(device: string, { prefix, via }: MacRoute): string[] {
  const family = familyOf(prefix) === 4 ? '-inet' : '-inet6'
  if (via.kind === 'tunnel') return [family, prefix, '-interface', device]
  const gateway = family === '-inet6' && isLinkLocalIp(via.gateway) ? `${via.gateway}%${via.interface}` : via.gateway
  return [family, 'default', gateway, '-ifscope', via.interface]
}

/** A utun device is a line between two ends: both are us. */
function withPeer(address: string): string[] {
  return familyOf(address) === 4 ? ['inet', address, address.split('/')[0]!] : ['inet6', address]
}

function withoutBits(address: string): string[] {
  return [familyOf(address) === 4 ? 'inet' : 'inet6', address.split('/')[0]!]
}
