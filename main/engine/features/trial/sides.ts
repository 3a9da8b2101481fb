/**
 * (plan, wishes, the machine's networks) → the computer under one wish, as losses are judged by it. Pure.
 */
import { DEFAULT_ROUTES, parsePrefix, prefixContains, TAILSCALE_RANGES } from '../../base/ip.ts'
import type { MachineMode, MachineNames } from '../../../localapi/machine.ts'
import type { DnsPlan } from '../../core/plan/dns.ts'
import type { Egress } from '../../core/plan/egress.ts'
import { MachinePlanner } from '../../core/plan/machine-plan.ts'
import type { PlannedRoute } from '../../core/plan/routes.ts'
import type { DataplaneConfig } from '../../core/plan/types.ts'
import { localNetworks } from '../../core/plan/system-facts.ts'
import type { SystemFacts } from '../../core/plan/system-facts.ts'
import type { PreviewSide } from './losses.ts'
import type { NamesSide } from './lost-names.ts'
import { NO_ROADS } from '../../core/preview/ways.ts'
import type { Roads } from '../../core/preview/ways.ts'

export interface SideWish {
  readonly mode: MachineMode
  /** Tunnels are up. */
  readonly isConnected: boolean
  readonly egress: Egress
  readonly dataplane: DataplaneConfig
  readonly routes: readonly PlannedRoute[]
  readonly dns: DnsPlan
  readonly allowLan: boolean
  readonly acceptDns: boolean
  readonly system: SystemFacts
  /** Why the exit node would not carry anything although it may, as a clause; "" = nothing is known against it. */
  readonly exitTrouble: string
}

/** `own`: names as the system has them without us. */
export function sideOf(wish: SideWish, own: MachineNames): PreviewSide {
  const { mode, isConnected, egress, exitTrouble } = wish
  const isWhole = mode === 'whole' && isConnected
  const internet = !isConnected || egress.kind === 'direct' || egress.kind === 'paused' ? 'direct' : egress.kind
  const exit = internet === 'direct' || egress.kind === 'direct' ? { id: '', name: '', trouble: '' } : { id: internet === 'exit' ? egress.id : '', name: egress.name, trouble: egress.kind === 'blocked' ? egress.why : exitTrouble }
  return { mode, roads: isWhole ? roadsOf(wish, exit.id) : NO_ROADS, internet, exit, names: isWhole ? namesOf(wish.dns, own) : { page: { ...own, Through: 'none', All: false, Domains: [], Search: [] }, rest: 'system' } }
}

function roadsOf({ dataplane, egress, routes, dns, allowLan, acceptDns, system }: SideWish, exitId: string): Roads {
  const { routes: wanted } = new MachinePlanner().plan({
    plan: { dataplane, routes, dns }, egress, self: undefined, system, device: '', mtu: 0, udpPort: 0,
    prefs: { acceptDns, allowLan, advertiseRoutes: [], noSnat: false, stateful: false, netfilter: 2 },
  })
  // Own networks that are not to be reached are in the default routes as well.
  const own = new Set(localNetworks(system).map(({ prefix }) => prefix))
  return { routes: wanted.routes.filter((route) => !own.has(route)), bypass: wanted.bypass, exitId }
}

function namesOf(dns: DnsPlan, own: MachineNames): NamesSide {
  if (!dns.enabled) return { page: { ...own, Through: 'none', All: false, Domains: [], Search: [] }, rest: 'system' }
  const rest = ({ system: 'system', resolvers: 'network', 'exit-node': 'exit-node', blocked: 'nobody' } as const)[dns.rest.kind]
  const domains = dns.routes.map(({ suffix }) => suffix).filter((suffix) => suffix !== '' && !suffix.endsWith('.arpa'))
  return { page: { Through: own.Through === 'none' ? 'system' : own.Through, All: rest !== 'system', Domains: domains.toSorted(), Search: dns.search, Own: own.Own }, rest }
}

/** Networks of `after` that `before` lacks, and the other way round; default routes are told as what becomes of the internet. */
export function routeChanges(before: PreviewSide, after: PreviewSide): { readonly added: readonly string[]; readonly removed: readonly string[] } {
  const of = ({ roads }: PreviewSide): ReadonlySet<string> => new Set(roads.routes.filter((route) => !DEFAULT_ROUTES.includes(route) && !isOfDevices(route)))
  const [was, would] = [of(before), of(after)]
  return { added: [...would].filter((route) => !was.has(route)), removed: [...was].filter((route) => !would.has(route)) }
}

const RANGES = TAILSCALE_RANGES.map((range) => parsePrefix(range)!)
const isOfDevices = (route: string): boolean => RANGES.some((range) => prefixContains(range, parsePrefix(route)!.ip))
