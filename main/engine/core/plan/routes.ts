/**
 * The networks behind devices: who offers each, what becomes of it, who carries it. Kept from map to map, so that a change costs the
 * networks that it touches.
 *
 *   claim    one device's offers          entry   one prefix: whoever names it, ascending, and its row
 *   lost     it claimed the prefix before, went offline, and the server took it away: Headscale does so with every router that leaves
 *
 * Inbound every claimant of a network in use may send from it; outbound one of them carries it: one that the server calls online before
 * one that it does not, one that the server made the primary router before others, then the lowest node ID. A network whose only
 * carriers are offline keeps its carrier, though nobody may be there: its packets must not leave another way. So does the row of one that
 * was lost, until its router is back without it, or gone from the map.
 */
import { toHex } from '../../base/bytes.ts'
import { parseIp, parsePrefix } from '../../base/ip.ts'
import type { NodeId } from '../tailcfg/types.ts'
import type { Judgement, RouteRules } from './route-rules.ts'
import { isDeviceAddress } from './route-rules.ts'

export interface RouteCarrier {
  readonly id: NodeId
  readonly stableId: string
  readonly name: string
  readonly online: boolean
}

export interface PlannedRoute {
  readonly prefix: string
  readonly state: 'used' | 'not-accepted' | 'skipped' | 'overlaps' | 'no-router' | 'refused'
  /** One sentence without its full stop. */
  readonly why: string
  /** The interface of this machine's own network in the way. */
  readonly near?: string
  /** Who carries it, while it is used. */
  readonly via?: RouteCarrier
  /** Who else offers it, the next carrier first. */
  readonly standby: readonly RouteCarrier[]
}

/** What a device offers. */
export interface RouteOffer extends RouteCarrier {
  /** What the server lets it carry: canonical, sorted, each once; no default routes. */
  readonly prefixes: readonly string[]
  /** What it says itself that it could carry, in the same form. */
  readonly advertised: readonly string[]
  /** Those that the server made it the primary router of. */
  readonly primary: readonly string[]
  /** Why it cannot carry anything, as a clause; absent while it can. */
  readonly trouble?: string
}

/** A device's offer with what is looked up in it. */
interface Claim {
  readonly offer: RouteOffer
  readonly prefixes: ReadonlySet<string>
  readonly primary: ReadonlySet<string>
  readonly advertised: ReadonlySet<string>
}

interface Entry {
  readonly prefix: string
  /** Orders rows: IPv4 first, then by address, then by size. */
  readonly key: string
  /** Whoever claims it or says that it could, ascending. */
  ids: readonly NodeId[]
  readonly lost: Set<NodeId>
  /** Absent: it is nobody's to use, somebody only says that it could carry it. */
  row: PlannedRoute | undefined
  isUsed: boolean
  carrier: NodeId | undefined
}

export class RouteBook {
  /** By prefix, IPv4 first; the same list while nothing changed. */
  rows: readonly PlannedRoute[] = []
  readonly #ownerOf: (prefix: string) => string | undefined
  readonly #claims = new Map<NodeId, Claim>()
  readonly #entries = new Map<string, Entry>()
  readonly #sorted: Entry[] = []
  readonly #dirty = new Set<string>()
  #rules: RouteRules | undefined

  /** `ownerOf`: the name of the device that has a single address as its own. */
  constructor(ownerOf: (prefix: string) => string | undefined) {
    this.#ownerOf = ownerOf
  }

  setRules(rules: RouteRules): void {
    if (rules === this.#rules) return
    this.#rules = rules
    for (const prefix of this.#entries.keys()) this.#dirty.add(prefix)
  }

  /** What a device offers from here on; undefined: nothing. It comes into `touched` when it claims other networks. */
  setOffer(id: NodeId, offer: RouteOffer | undefined, touched: Set<NodeId>): void {
    const before = this.#claims.get(id)
    if (before?.offer === offer) return
    const now = offer && { offer, prefixes: new Set(offer.prefixes), primary: new Set(offer.primary), advertised: new Set(offer.advertised) }
    if (now) this.#claims.set(id, now)
    else this.#claims.delete(id)
    const named = new Set([...(before?.prefixes ?? []), ...(before?.advertised ?? []), ...(now?.prefixes ?? []), ...(now?.advertised ?? [])])
    for (const prefix of named) this.#note(prefix, id, before, now)
    if (before?.offer.prefixes !== offer?.prefixes) touched.add(id)
  }

  #note(prefix: string, id: NodeId, before: Claim | undefined, now: Claim | undefined): void {
    const entry = this.#entry(prefix)
    this.#dirty.add(prefix)
    const names = now !== undefined && (now.prefixes.has(prefix) || now.advertised.has(prefix))
    if (names !== entry.ids.includes(id)) entry.ids = names ? [...entry.ids, id].sort((a, b) => a - b) : entry.ids.filter((one) => one !== id)
    // Back without it, or saying no more that it could carry it: given up rather than lost.
    const wants = now?.offer.online === false && now.advertised.has(prefix) && !now.prefixes.has(prefix)
    if (wants && before?.prefixes.has(prefix) === true) entry.lost.add(id)
    else if (!wants) entry.lost.delete(id)
  }

  /** Says that somebody got or lost these addresses. */
  noteAddresses(prefixes: readonly string[]): void {
    if (this.#entries.size > 0) for (const prefix of prefixes) if (this.#entries.has(prefix)) this.#dirty.add(prefix)
  }

  /** Settles what changed; devices that may send from or are sent to something else come into `touched`. */
  settle(touched: Set<NodeId>): void {
    let changed = false
    for (const prefix of this.#dirty) changed = this.#settle(this.#entries.get(prefix)!, touched) || changed
    this.#dirty.clear()
    if (changed) this.rows = this.#sorted.flatMap(({ row }) => row ?? [])
  }

  /** Networks that a device may send from. */
  sourcesOf(id: NodeId): readonly string[] {
    return this.#claims.get(id)?.offer.prefixes.filter((prefix) => this.#entries.get(prefix)!.isUsed) ?? []
  }

  /** Networks that are sent to a device. */
  carriedBy(id: NodeId): readonly string[] {
    return this.#claims.get(id)?.offer.prefixes.filter((prefix) => this.#entries.get(prefix)!.carrier === id) ?? []
  }

  #entry(prefix: string): Entry {
    let entry = this.#entries.get(prefix)
    if (!entry) {
      const { ip, bits } = parsePrefix(prefix)!
      const key = `${ip.includes(':') ? 6 : 4}${toHex(parseIp(ip)!)}${String(bits).padStart(3, '0')}`
      entry = { prefix, key, ids: [], lost: new Set(), row: undefined, isUsed: false, carrier: undefined }
      this.#entries.set(prefix, entry)
      this.#sorted.splice(placeOf(this.#sorted, key), 0, entry)
    }
    return entry
  }

  /** True when the list of rows is another. */
  #settle(entry: Entry, touched: Set<NodeId>): boolean {
    const { isUsed, carrier, row: before } = entry
    if (entry.ids.length === 0) {
      this.#entries.delete(entry.prefix)
      this.#sorted.splice(placeOf(this.#sorted, entry.key), 1)
      return before !== undefined
    }
    const row = this.#decide(entry)
    if (entry.isUsed !== isUsed) for (const id of entry.ids) touched.add(id)
    if (entry.carrier !== carrier) for (const id of [carrier, entry.carrier]) if (id !== undefined) touched.add(id)
    if (before && row && sameRow(before, row)) return false
    entry.row = row
    return before !== row
  }

  /** The row of a prefix, with who may send from it and who carries it. */
  #decide(entry: Entry): PlannedRoute | undefined {
    const { prefix, lost } = entry
    const all = entry.ids.map((id) => this.#claims.get(id)!)
    const claims = all.filter(({ prefixes }) => prefixes.has(prefix)).sort((a, b) => rank(b, prefix) - rank(a, prefix))
    const offers = (claims.length > 0 ? claims : all.filter(({ offer }) => lost.has(offer.id))).map(({ offer }) => offer)
    const [first, ...rest] = offers
    entry.isUsed = false
    entry.carrier = undefined
    if (!first) return undefined
    const owner = isDeviceAddress(prefix) ? this.#ownerOf(prefix) : undefined
    const judged: Judgement = owner === undefined ? this.#rules!.judge(prefix) : { state: 'refused', why: `it is the address of ${owner}` }
    if (judged.state !== 'used') return { prefix, state: judged.state, why: judged.why, ...(judged.near === undefined ? {} : { near: judged.near }), standby: offers.map(carrierOf) }
    entry.isUsed = true
    if (claims.length > 0 && first.trouble === undefined) entry.carrier = first.id
    if (first.trouble !== undefined || !first.online) {
      return { prefix, state: 'no-router', why: `nobody carries it now: ${offers.slice(0, 3).map((one) => `${one.name} ${one.trouble ?? 'is offline'}`).join(', ')}`, standby: offers.map(carrierOf) }
    }
    // Of several routers Headscale names one: the others show by their own word alone.
    const others = all.map(({ offer }) => offer).filter((offer) => !offers.includes(offer) && offer.online && offer.trouble === undefined)
    const ready = rest.find((one) => one.online && one.trouble === undefined)
    const more = ready ? [`${ready.name} stands by`] : others.slice(0, 1).map(({ name }) => `${name} offers it too`)
    const why = [`through ${first.name}`, ...more, ...(judged.note === '' ? [] : [judged.note])].join('; ')
    return { prefix, state: 'used', why, via: carrierOf(first), standby: [...rest, ...others].map(carrierOf) }
  }
}

/** Higher carries first; among equals the order of IDs stays. */
function rank({ offer, primary }: Claim, prefix: string): number {
  return (offer.trouble === undefined ? 4 : 0) + (offer.online ? 2 : 0) + (primary.has(prefix) ? 1 : 0)
}

function carrierOf({ id, stableId, name, online }: RouteOffer): RouteCarrier {
  return { id, stableId, name, online }
}

function sameRow(a: PlannedRoute, b: PlannedRoute): boolean {
  return a.state === b.state && a.why === b.why && sameCarrier(a.via, b.via) && a.standby.length === b.standby.length && a.standby.every((one, i) => sameCarrier(one, b.standby[i]))
}

function sameCarrier(a: RouteCarrier | undefined, b: RouteCarrier | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.id === b.id && a.stableId === b.stableId && a.name === b.name && a.online === b.online)
}

/** Where an entry of this key is, or belongs. */
function placeOf(entries: readonly Entry[], key: string): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (entries[middle]!.key < key) low = middle + 1
    else high = middle
  }
  return low
}
