/**
 * Networks behind devices, as people are told of them: bowline/routes, and the journal of what became of each.
 */
import type { Env } from '../base/env.ts'
import { isLoopbackIp, parseIp } from '../base/ip.ts'
import { EMPTY_PLAN } from '../core/plan/plan.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { OutsidePlace } from '../core/plan/route-rules.ts'
import type { PlannedRoute, RouteCarrier } from '../core/plan/routes.ts'
import type { DerpMap } from '../core/tailcfg/types.ts'
import type { OfferedRoute, RouteRow, RoutesPage, RouteVia } from '../../localapi/routes.ts'
import type { Model } from './model.ts'
import { regionCode } from './status.ts'

/** So many changes at once are told one by one. */
const MAX_TOLD = 50

export class RoutesPages {
  readonly #env: Env
  readonly #model: Model
  readonly #offered: (model: Model) => readonly OfferedRoute[]
  /** Those of the last plan in force. */
  #told: readonly PlannedRoute[] = []

  constructor(env: Env, model: Model, offered: (model: Model) => readonly OfferedRoute[]) {
    this.#env = env
    this.#model = model
    this.#offered = offered
  }

  page(): RoutesPage {
    const { prefs, extras } = this.#model.saved
    const { routes } = this.#model.plan
    const offered = new Set(routes.map(({ prefix }) => prefix))
    const absent = extras.SkippedRoutes.filter((prefix) => !offered.has(prefix))
    return {
      Accept: prefs.RouteAll,
      Routes: [...routes.map(rowOf), ...absent.map((Prefix): RouteRow => ({ Prefix, State: 'skipped', Why: 'Skipped by you; no device offers it now.', Standby: [] }))],
      Offered: this.#offered(this.#model),
    }
  }

  /** Takes note of a plan that was put in force. */
  note(plan: Plan): void {
    if (plan.routes === EMPTY_PLAN.routes || plan.routes === this.#told) return
    const before = new Map(this.#told.map((route) => [route.prefix, route]))
    this.#told = plan.routes
    const changed = plan.routes.filter((route) => before.get(route.prefix) !== route)
    for (const { prefix } of plan.routes) before.delete(prefix)
    const { journal, log } = this.#env
    for (const { prefix, state, why, via, standby } of changed.slice(0, MAX_TOLD)) {
      journal.add({ part: 'routes', kind: 'route', why, prefix, state, ...(via ? { via: via.stableId } : {}), standby: standby.map(({ stableId }) => stableId).slice(0, MAX_TOLD) })
    }
    for (const { prefix } of [...before.values()].slice(0, MAX_TOLD)) journal.add({ part: 'routes', kind: 'gone', why: 'no device offers it any more', prefix })
    const untold = Math.max(0, changed.length - MAX_TOLD) + Math.max(0, before.size - MAX_TOLD)
    if (untold > 0) journal.add({ part: 'routes', kind: 'more', why: 'too many changes at once to tell each', count: untold })
    log.info(`networks behind devices: ${tally(plan.routes)} (${changed.length} changed, ${before.size} gone)`)
  }
}

/** What our own sockets speak with, outside any tunnel; the same list for the same map and server. */
export function outsidePlaces(controlUrl: string, derpMap: DerpMap): readonly OutsidePlace[] {
  const known = places.get(derpMap)
  if (known?.controlUrl === controlUrl) return known.all
  const server = URL.canParse(controlUrl) ? new URL(controlUrl).hostname.replace(/^\[(.*)\]$/, '$1') : ''
  const relays = Object.entries(derpMap.Regions).flatMap(([region, { Nodes }]) => (Nodes ?? []).flatMap(({ IPv4, IPv6, HostName }) =>
    [IPv4, IPv6, HostName].map((ip) => ({ ip: ip ?? '', name: `the relay ${regionCode(derpMap, Number(region))}` }))))
  const found = [{ ip: server, name: 'the server' }, ...relays].filter(({ ip }) => parseIp(ip) !== undefined && !isLoopbackIp(ip))
  const all = found.filter((place, i) => found.findIndex((other) => other.ip === place.ip) === i)
  places.set(derpMap, { controlUrl, all })
  return all
}

const places = new WeakMap<DerpMap, { readonly controlUrl: string; readonly all: readonly OutsidePlace[] }>()

function rowOf({ prefix, state, why, via, standby }: PlannedRoute): RouteRow {
  return { Prefix: prefix, State: state, Why: sentence(why), ...(via ? { Via: viaOf(via) } : {}), Standby: standby.map(viaOf) }
}

function viaOf({ stableId, name, online }: RouteCarrier): RouteVia {
  return { ID: stableId, Name: name, Online: online }
}

function sentence(why: string): string {
  return `${why.charAt(0).toUpperCase()}${why.slice(1)}.`
}

/** "2 used, 1 overlaps"; "none" without any. */
function tally(routes: readonly PlannedRoute[]): string {
  const counts = new Map<string, number>()
  for (const { state } of routes) counts.set(state, (counts.get(state) ?? 0) + 1)
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ') || 'none'
}
