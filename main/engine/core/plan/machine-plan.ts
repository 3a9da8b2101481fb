/**
 * (plan, what becomes of traffic to the internet, prefs, the computer's own networks) → what the system should look like while the whole
 * computer is on the network. Pure; what is equal to last time is the same object, and a change of a few devices among 10,000 costs those few.
 *
 *   routes    the services' addresses, fd7a:115c:a1e0::/48, devices (one /32 each, or 100.64.0.0/10 for all of them), networks behind devices
 *             that are used, also while nobody carries them: their packets must not leave another way. With a chosen exit node also both
 *             default routes, whatever that offers and whether it can be used, and networks of this computer where the LAN is not allowed.
 *   bypass    networks inside this computer (containers, virtual machines) always; its own networks that lie in a larger one that goes in,
 *             or those that a LAN may have when it is allowed beside an exit node: whoever gives out addresses there says what they are, and
 *             with "8.0.0.0/5 is this LAN" would have the internet go past the tunnel. Never what devices have their addresses of.
 *   names     suffixes of the network; every name when the server or an exit node has the rest; nothing while names are not accepted
 *
 * Source: dataplane facts §9.1, §11; control facts §9.3.
 */
import { canonicalIp, DEFAULT_ROUTES, hostPrefix, isIp4, isTailscaleIp, parsePrefix, prefixContains, SERVICE_IPS, TAILSCALE_RANGES } from '../../base/ip.ts'
import type { Node } from '../tailcfg/types.ts'
import { DeviceRoutes } from './device-routes.ts'
import type { Egress } from './egress.ts'
import type { MachineDns, MachineForward, MachineInternet, MachinePlan, MachineRoutes } from './machine.ts'
import type { Plan } from './plan.ts'
import { sameItems } from './plan-peer.ts'
import { localNetworks } from './system-facts.ts'
import type { SystemFacts } from './system-facts.ts'

/** Of the prefs those that the system depends on. */
export interface MachinePrefs {
  readonly acceptDns: boolean
  readonly allowLan: boolean
  readonly advertiseRoutes: readonly string[]
  readonly noSnat: boolean
  /** Only answers may come back in to those behind this node. */
  readonly stateful: boolean
  /** 0 off, 1 nodivert, 2 on. */
  readonly netfilter: number
}

export interface MachineWant {
  readonly plan: Pick<Plan, 'dataplane' | 'routes' | 'dns'>
  /** Of the moment: it may be blocked while the plan in force says nothing. */
  readonly egress: Egress
  readonly prefs: MachinePrefs
  /** Our own node, for what the server asks of it. */
  readonly self: Node | undefined
  readonly system: SystemFacts
  readonly device: string
  readonly mtu: number
  readonly udpPort: number
}

const NETFILTER = ['off', 'nodivert', 'on'] as const
const RANGE_4 = TAILSCALE_RANGES[0]!
const RANGE_6 = TAILSCALE_RANGES[1]!
/** One route for all of them. */
const ALL_DEVICES: readonly string[] = [RANGE_4]
/** From so many routes on one stands for all devices. */
const MAX_DEVICE_ROUTES = 10_000
/** What has no place beyond the link, and goes with the LAN: groups (mDNS, SSDP), broadcasts, link-local addresses. */
const ON_THE_LINK: readonly string[] = ['169.254.0.0/16', '224.0.0.0/4', '255.255.255.255/32', 'fe80::/10', 'ff02::/16']
/** What a LAN may be that is left beside an exit node: private; in IPv6, where LANs have addresses of the internet, also of the size of one. */
const PRIVATE: readonly string[] = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']
const LAN_BITS_6 = 64
/** Bridges and adapters that lead to containers and virtual machines of this computer, as those that make them call them. */
const INSIDE = /^(docker\d+|br-[0-9a-f]{12}|virbr\d+|lxcbr\d+|lxdbr\d+|incusbr\d+|podman\d+|cni-podman\d+|vboxnet\d+|vmnet\d+|vEthernet \(.*\))$/

/** Makes the wanted look of the system, and keeps what stayed. */
export class MachinePlanner {
  readonly #devices = new DeviceRoutes()
  #routesKey: readonly unknown[] = []
  #routes: readonly string[] = []
  #last: MachinePlan | undefined

  plan(want: MachineWant): MachinePlan {
    const { plan, prefs, egress, system, self } = want
    const internet = internetOf(egress)
    const addresses = addressesFor(plan)
    const nets = ownNetworks(system, want.device)
    const networks = plan.routes.filter(({ state }) => state === 'used' || state === 'no-router').map(({ prefix }) => prefix)
    const devices = this.#devices.update(plan.dataplane.peers)
    const inRange = has(self, 'one-cgnat?v=true') || devices.length > MAX_DEVICE_ROUTES ? ALL_DEVICES : devices
    const lan = internet !== 'direct' && !prefs.allowLan ? nets.lan : NOTHING
    const fixed = fixedRoutes(addresses, internet, networks, lan, inRange !== devices)
    const routes = this.#joined(inRange, fixed)
    const last = this.#last?.routes
    const next: MachineRoutes = {
      device: want.device,
      mtu: want.mtu,
      addresses: kept(last?.addresses, addresses.map(hostPrefix)),
      routes,
      bypass: kept(last?.bypass, bypassOf(nets, internet, prefs.allowLan, [...fixed, ...(inRange === devices ? [] : inRange)])),
      internet,
      allowLan: prefs.allowLan,
      guardNames: prefs.acceptDns && internet !== 'direct',
      forward: keptForward(last?.forward, forwardOf(prefs)),
      netfilter: NETFILTER[prefs.netfilter] ?? 'on',
      udpPort: want.udpPort,
      guardRange: !has(self, 'disable-linux-cgnat-drop-rule'),
    }
    const dns = keep(this.#last?.dns, dnsOf(want, internet, addresses))
    const whole = keep<MachinePlan | undefined>(this.#last, { routes: keep<MachineRoutes | undefined>(last, next)!, dns })!
    this.#last = whole
    return whole
  }

  /** The devices' routes and the others as one list; the same list while both are. */
  #joined(devices: readonly string[], fixed: readonly string[]): readonly string[] {
    const key = [devices, fixed.join()]
    if (key.every((part, i) => part === this.#routesKey[i])) return this.#routes
    this.#routesKey = key
    const known = new Set(fixed)
    return (this.#routes = [...fixed, ...devices.filter((route) => !known.has(route))])
  }
}

const NOTHING: readonly string[] = []

function internetOf(egress: Egress): MachineInternet {
  return egress.kind === 'exit' ? 'exit' : egress.kind === 'blocked' ? 'blocked' : 'direct'
}

/** Own addresses; those of the last map, while there is no plan in force. */
function addressesFor({ dataplane, dns }: MachineWant['plan']): readonly string[] {
  return dataplane.selfAddresses.length > 0 ? dataplane.selfAddresses : dns.selfAddresses
}

interface OwnNetworks {
  readonly lan: readonly string[]
  readonly inside: readonly string[]
}

function ownNetworks(system: SystemFacts, device: string): OwnNetworks {
  const all = localNetworks({ interfaces: system.interfaces.filter(({ name }) => name !== device) })
  const isInside = (name: string): boolean => INSIDE.test(name)
  return { lan: all.filter((net) => !isInside(net.interface)).map(({ prefix }) => prefix).sort(), inside: all.filter((net) => isInside(net.interface)).map(({ prefix }) => prefix).sort() }
}

/** All routes but those of single devices, in order. */
function fixedRoutes(addresses: readonly string[], internet: MachineInternet, networks: readonly string[], lan: readonly string[], isCoarse: boolean): readonly string[] {
  const isHeld = internet !== 'direct'
  const has4 = isHeld || addresses.some(isIp4)
  const has6 = isHeld || addresses.some((ip) => !isIp4(ip))
  const all = [
    ...(has4 ? [hostPrefix(SERVICE_IPS[0]!)] : []),
    ...(has6 ? [RANGE_6, hostPrefix(SERVICE_IPS[1]!)] : []),
    ...networks.filter((prefix) => !(isCoarse && isWithin(prefix, RANGE_4)) && !isWithin(prefix, RANGE_6)),
    ...lan,
    ...(isHeld ? DEFAULT_ROUTES : []),
  ]
  return [...new Set(all)]
}

function bypassOf({ lan, inside }: OwnNetworks, internet: MachineInternet, allowLan: boolean, routes: readonly string[]): readonly string[] {
  const near = lan.filter((net) => !isTailscaleIp(parsePrefix(net)!.ip))
  if (internet === 'direct') return [...near, ...inside].filter((net) => routes.some((route) => isWithin(net, route)))
  return allowLan ? [...inside, ...near.filter(isLan), ...ON_THE_LINK] : inside
}

function isLan(net: string): boolean {
  return PRIVATE.some((range) => isWithin(net, range)) || (!isIp4(net) && parsePrefix(net)!.bits >= LAN_BITS_6)
}

function forwardOf({ advertiseRoutes, noSnat, stateful }: MachinePrefs): MachineForward | undefined {
  if (advertiseRoutes.length === 0) return undefined
  const subnets = advertiseRoutes.filter((prefix) => !DEFAULT_ROUTES.includes(prefix)).toSorted()
  return { subnets, isExitNode: advertiseRoutes.some((prefix) => DEFAULT_ROUTES.includes(prefix)), sourceNat: !noSnat, isStateful: stateful }
}

function dnsOf({ plan: { dns }, prefs, device }: MachineWant, internet: MachineInternet, addresses: readonly string[]): MachineDns | undefined {
  if (!prefs.acceptDns) return undefined
  const exclusive = internet !== 'direct'
  const matchDomains = dns.routes.map(({ suffix }) => suffix).filter((suffix) => suffix !== '')
  const all = exclusive || dns.rest.kind !== 'system' || dns.routeOf.has('')
  if (!all && matchDomains.length === 0 && dns.search.length === 0) return undefined
  const servers = SERVICE_IPS.filter((ip) => addresses.length === 0 || addresses.some((own) => isIp4(own) === isIp4(ip)))
  return { device, servers, matchDomains, searchDomains: dns.search, all, exclusive }
}

function has(self: Node | undefined, name: string): boolean {
  return Object.hasOwn(self?.CapMap ?? {}, name)
}

function isWithin(inner: string, outer: string): boolean {
  const [a, b] = [parsePrefix(inner)!, parsePrefix(outer)!]
  return a.bits >= b.bits && isIp4(a.ip) === isIp4(b.ip) && prefixContains(b, canonicalIp(a.ip)!)
}

function kept(before: readonly string[] | undefined, after: readonly string[]): readonly string[] {
  return before && sameItems(before, after) ? before : after
}

function keptForward(before: MachineForward | undefined, after: MachineForward | undefined): MachineForward | undefined {
  return JSON.stringify(before) === JSON.stringify(after) ? before : after
}

/** The old object when every field says the same. */
function keep<T extends object | undefined>(before: T, after: T): T {
  if (!before || !after) return after
  const [old, now] = [Object.entries(before), Object.entries(after)]
  const isSame = ([name, value]: [string, unknown], i: number): boolean => {
    const was: unknown = old[i]?.[0] === name ? old[i][1] : undefined
    return was === value || (Array.isArray(was) && Array.isArray(value) && sameItems(was, value))
  }
  return old.length === now.length && now.every(isSame) ? before : after
}
