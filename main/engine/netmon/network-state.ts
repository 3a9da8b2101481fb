/**
 * What networks this machine is on at one moment, and how two moments differ. Pure.
 *
 * In use are the addresses that packets to the world may leave with: those of a default route's interface, and where a
 * family has no default route, every address of it that is not loopback. A change is major when what was proven may hold no
 * longer: a default route or an address in use is gone or another, or a family came or went. What only adds a way
 * (a second address, another link beside the one in use) is minor: our own addresses are looked up again, and that is all.
 */
import { canonicalIp, isIp4, isLinkLocalIp, isLoopbackIp } from '../base/ip.ts'
import type { DefaultRoute, InterfaceAddress, NetworkChangeKind, NetworkState } from './ports.ts'

export interface Difference {
  readonly kinds: readonly NetworkChangeKind[]
  readonly major: boolean
  /** What happened, as a person would say it. */
  readonly why: string
}

type Family = 4 | 6

/** The state from what the system lists; the families follow. */
export function networkState(
  interfaces: readonly InterfaceAddress[],
  routes: { readonly defaultRoute4?: DefaultRoute | undefined; readonly defaultRoute6?: DefaultRoute | undefined } = {},
): NetworkState {
  const has = (family: Family): boolean => interfaces.some((one) => isOutward(one, family))
  return {
    interfaces,
    ...(routes.defaultRoute4 ? { defaultRoute4: routes.defaultRoute4 } : {}),
    ...(routes.defaultRoute6 ? { defaultRoute6: routes.defaultRoute6 } : {}),
    hasV4: has(4),
    hasV6: has(6),
  }
}

/** How the network changed, or undefined when nothing did that anybody here goes by. */
export function compareStates(before: NetworkState, after: NetworkState): Difference | undefined {
  const kinds = new Set<NetworkChangeKind>()
  const sentences: string[] = []
  let major = false
  for (const family of [4, 6] as const) {
    const told = compareFamily(before, after, family)
    for (const kind of told.kinds) kinds.add(kind)
    sentences.push(...told.sentences)
    major ||= told.major
  }
  return kinds.size === 0 ? undefined : { kinds: [...kinds], major, why: sentences.join(', ') }
}

/** Whether a connection from this local address can go on: the address is there, and packets to the world leave by its interface. */
export function carriesFrom(state: NetworkState, localIp: string): boolean {
  const ip = canonicalIp(localIp.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, ''))
  if (ip === undefined || isLoopbackIp(ip)) return true
  return inUse(state, isIp4(ip) ? 4 : 6).some((one) => canonicalIp(one.ip) === ip)
}

function compareFamily(before: NetworkState, after: NetworkState, family: Family): { kinds: NetworkChangeKind[]; sentences: string[]; major: boolean } {
  const kinds: NetworkChangeKind[] = []
  const sentences: string[] = []
  const had = family === 4 ? before.hasV4 : before.hasV6
  const has = family === 4 ? after.hasV4 : after.hasV6
  const note = (kind: NetworkChangeKind, sentence: string): void => {
    kinds.push(kind)
    sentences.push(sentence)
  }
  let major = had !== has
  if (had !== has) note(has ? 'family-came' : 'family-gone', `IPv${family} ${has ? 'came' : 'is gone'}`)
  const [from, to] = [routeOf(before, family), routeOf(after, family)]
  const isOther = routeText(from) !== routeText(to)
  if (isOther) {
    major = true
    note('default-route', `the default route of IPv${family} ${to ? `is ${from ? 'now ' : ''}by ${routeText(to)}` : 'is gone'}`)
  }
  const inUseBefore = new Set(inUse(before, family).map(addressText))
  const outwardBefore = new Set(outward(before, family).map(addressText))
  const outwardAfter = new Set(outward(after, family).map(addressText))
  const gone = [...outwardBefore].filter((one) => !outwardAfter.has(one))
  const added = [...outwardAfter].filter((one) => !outwardBefore.has(one))
  const goneInUse = gone.filter((one) => inUseBefore.has(one))
  if (goneInUse.length > 0) major = true
  if (gone.length > 0) note('address-gone', `${counted(gone.length)} of IPv${family} gone${goneInUse.length > 0 ? ' that was in use' : ''}`)
  if (added.length > 0) note('address-added', `${counted(added.length)} of IPv${family} new`)
  return { kinds, sentences, major }
}

function counted(count: number): string {
  return count === 1 ? 'an address' : `${count} addresses`
}

function routeOf(state: NetworkState, family: Family): DefaultRoute | undefined {
  return family === 4 ? state.defaultRoute4 : state.defaultRoute6
}

function routeText(route: DefaultRoute | undefined): string {
  if (!route) return ''
  return route.gateway === undefined ? route.interface : `${route.interface} and ${route.gateway}`
}

function addressText({ name, ip }: InterfaceAddress): string {
  return `${name}=${ip}`
}

/** Addresses that may carry traffic beyond this machine. */
function outward(state: NetworkState, family: Family): readonly InterfaceAddress[] {
  return state.interfaces.filter((one) => isOutward(one, family))
}

function inUse(state: NetworkState, family: Family): readonly InterfaceAddress[] {
  const route = routeOf(state, family)
  const all = outward(state, family)
  return route ? all.filter((one) => one.name === route.interface) : all
}

function isOutward({ ip, internal, up }: InterfaceAddress, family: Family): boolean {
  return !internal && up !== false && isIp4(ip) === (family === 4) && !isLinkLocalIp(ip)
}
