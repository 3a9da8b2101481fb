/**
 * What this device offers others: networks and the way to the internet. What of it the server approved, who carries it now, how
 * much of it is in use, and what stands in the way, in words.
 *
 * A server tells its approval in our own node, and there alone a network in use: a router that stands by looks like one that
 * waits for approval, unless the rules name the network.
 */
import type { Env } from '../base/env.ts'
import { DEFAULT_ROUTES, isIp4, parsePrefix, prefixContains } from '../base/ip.ts'
import { approvedRoutes } from '../core/plan/local-nets.ts'
import { shortName, magicDnsSuffix } from '../core/plan/names.ts'
import { canonical } from '../core/plan/plan-peer.ts'
import type { SystemFacts } from '../core/plan/system-facts.ts'
import type { ExitNodesPage } from '../../localapi/exit-nodes.ts'
import type { OfferedRoute } from '../../localapi/routes.ts'
import type { Model } from './model.ts'
import type { DataplanePort } from './ports.ts'
import type { Warnings } from './warnings.ts'

type State = 'approved' | 'standby' | 'waiting'

interface Offer {
  readonly prefix: string
  readonly state: State
  readonly primary: boolean
  /** Name of the device that carries it in our place. */
  readonly carrier: string | undefined
}

/** How long a look at the packet thread counts: pages are made anew more often than people read them. */
const LOOK_MS = 1_000

export class Offers {
  readonly #env: Env
  readonly #model: Model
  readonly #dataplane: Pick<DataplanePort, 'served'>
  #look: { readonly atMs: number; readonly served: ReturnType<DataplanePort['served']> } | undefined
  #told = new Map<string, State>()

  constructor(env: Env, model: Model, dataplane: Pick<DataplanePort, 'served'>) {
    this.#env = env
    this.#model = model
    this.#dataplane = dataplane
  }

  /** One row a prefix, in the order of the prefs; default routes too. */
  rows(): readonly OfferedRoute[] {
    const offers = offersOf(this.#model)
    const flows = this.#flows(offers)
    return offers.map((offer) => {
      const note = noteOf(offer, this.#model)
      return { Prefix: offer.prefix, Approved: offer.state !== 'waiting', Primary: offer.primary, Flows: flows.get(offer.prefix) ?? 0, ...(note === undefined ? {} : { Note: note }) }
    })
  }

  /** This device as an exit node for others. */
  exit(): ExitNodesPage['Offer'] {
    const offers = offersOf(this.#model)
    const exits = DEFAULT_ROUTES.map((prefix) => offers.find((offer) => offer.prefix === prefix))
    const flows = this.#flows(offers)
    return {
      Advertised: exits.every((offer) => offer !== undefined),
      Approved: exits.every((offer) => offer?.state === 'approved'),
      Flows: DEFAULT_ROUTES.reduce((sum, prefix) => sum + (flows.get(prefix) ?? 0), 0),
    }
  }

  /** Takes note of a map or of prefs that were put in force. */
  note(): void {
    const before = this.#told
    const offers = this.#model.netMap ? offersOf(this.#model) : []
    this.#told = new Map(offers.map(({ prefix, state }) => [prefix, state]))
    for (const { prefix, state, carrier } of offers) {
      if (before.get(prefix) === state) continue
      const why = { approved: 'the server approved it', standby: `${carrier ?? 'another device'} carries it`, waiting: before.has(prefix) ? 'the server does not approve it any more' : 'the server has not approved it yet' }[state]
      this.#env.journal.add({ part: 'offer', kind: state, why, prefix })
      this.#env.log.info(`offer: ${prefix} ${before.get(prefix) ?? 'new'} → ${state} (${why})`)
    }
    for (const prefix of before.keys()) if (!this.#told.has(prefix)) this.#env.journal.add({ part: 'offer', kind: 'ended', why: 'it is not offered any more', prefix })
  }

  warnings(): Warnings {
    const offers = this.#model.netMap ? offersOf(this.#model) : []
    const out: Warnings = {}
    const waiting = offers.filter(({ state }) => state === 'waiting')
    if (waiting.length > 0) out['routes-not-approved'] = { routes: waiting.map(({ prefix }) => prefix).join(', '), command: approvalCommand(this.#model) }
    const served = offers.filter(({ state }) => state === 'approved')
    if (served.length > 0 && this.#model.saved.prefs.ShieldsUp) out['offer-shields-up'] = {}
    else if (served.length > 0 && served.every(({ prefix }) => !hasFamily(this.#model.system, prefix))) out['offer-no-way-out'] = { routes: served.map(({ prefix }) => prefix).join(', ') }
    return out
  }

  /** Flows by the offer that they belong to: the most specific one. */
  #flows(offers: readonly Offer[]): ReadonlyMap<string, number> {
    const prefixes = offers.map(({ prefix }) => ({ text: prefix, ...parsePrefix(prefix)! })).toSorted((a, b) => b.bits - a.bits)
    const found = new Map<string, number>()
    if (prefixes.length === 0) return found
    const nowMs = this.#env.clock.nowMs()
    if (this.#look === undefined || nowMs - this.#look.atMs >= LOOK_MS) this.#look = { atMs: nowMs, served: this.#dataplane.served() }
    for (const { to, tcp, udp } of this.#look.served) {
      const prefix = prefixes.find((one) => prefixContains(one, to))
      if (prefix) found.set(prefix.text, (found.get(prefix.text) ?? 0) + tcp + udp)
    }
    return found
  }
}

/** What an admin types to approve all that a device offers; "" without a map. */
function approvalCommand({ saved, netMap }: Model): string {
  const routes = (saved.prefs.AdvertiseRoutes ?? []).join(',')
  return netMap ? `headscale nodes approve-routes --identifier ${netMap.self.ID} --routes ${routes}` : ''
}

function offersOf({ saved, netMap }: Model): readonly Offer[] {
  const approved = netMap ? approvedRoutes(netMap.self) : new Set<string>()
  const primary = new Set((netMap?.self.PrimaryRoutes ?? []).map(canonical))
  const all = (saved.prefs.AdvertiseRoutes ?? []).map((text) => canonical(text) ?? text)
  return [...new Set(all)].map((prefix) => {
    const isExit = DEFAULT_ROUTES.includes(prefix)
    if (approved.has(prefix)) return { prefix, state: 'approved', primary: isExit || primary.has(prefix), carrier: undefined }
    const carrier = isExit ? undefined : carrierOf(netMap, prefix)
    return { prefix, state: carrier === undefined ? 'waiting' : 'standby', primary: false, carrier }
  })
}

function carrierOf(netMap: Model['netMap'], prefix: string): string | undefined {
  if (!netMap) return undefined
  for (const peer of netMap.peers.values()) if ((peer.PrimaryRoutes ?? []).includes(prefix)) return shortName(peer, magicDnsSuffix(netMap.self))
  return undefined
}

function noteOf({ prefix, state, carrier }: Offer, model: Model): string | undefined {
  if (!model.netMap) return undefined
  if (state === 'waiting') return `Whoever runs the server approves it, on Headscale with: ${approvalCommand(model)}`
  if (state === 'standby') return `${carrier} carries it now. This device takes its place when that one is gone, if it is approved too.`
  if (model.saved.prefs.ShieldsUp) return 'Nothing is let in while shields are up.'
  if (!hasFamily(model.system, prefix)) return `This computer has no ${isIp4(prefix) ? 'IPv4' : prefix === '::/0' ? 'public IPv6' : 'IPv6'} address of its own, so nothing of it can be reached through it.`
  return undefined
}

/**
 * Whether this machine has an address of the prefix's family with which it can reach others; for the whole of IPv6 a public one.
 * Not known counts as yes.
 */
function hasFamily({ interfaces }: SystemFacts, prefix: string): boolean {
  if (interfaces.length === 0 || isVia(prefix)) return true
  const outside = interfaces.filter(({ internal, ip }) => !internal && !/^(169\.254\.|fe[89ab])/i.test(ip))
  return outside.some(({ ip }) => isIp4(ip) === isIp4(prefix) && (prefix !== '::/0' || /^[23]/.test(ip)))
}

/** A 4via6 prefix leads to IPv4 addresses. */
function isVia(prefix: string): boolean {
  return prefix.startsWith('fd7a:115c:a1e0:b1a:')
}
