/**
 * The networks behind devices: who offers each, what becomes of it, who carries it. Kept from map to map, so that a change costs the
 * networks that it touches.
 *
 *   claim    one device's offers          entry   one prefix: its claimants, ascending, and its row
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

interface Entry {
  readonly prefix: string
  /** Orders rows: IPv4 first, then by address, then by size. */
  readonly key: string
  ids: readonly NodeId[]
  readonly lost: Set<NodeId>
  row: PlannedRoute
  isUsed: boolean
  carrier: NodeId | undefined
}

export class RouteBook {
  /** By prefix, IPv4 first; the same list while nothing changed. */
  rows: readonly PlannedRoute[] = []
  readonly #ownerOf: (prefix: string) => string | undefined
  readonly #claims = new Map<NodeId, RouteOffer>()
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

  /** What a device offers from here on; undefined: nothing. It comes into `touched` when that are other networks. */
  setOffer(id: NodeId, offer: RouteOffer | undefined, touched: Set<NodeId>): void {
    const before = this.#claims.get(id)
    if (before === offer) return
    if (offer) this.#claims.set(id, offer)
    else this.#claims.delete(id)
    for (const prefix of before?.prefixes ?? []) this.#dirty.add(prefix)
    for (const prefix of offer?.prefixes ?? []) this.#dirty.add(prefix)
    const [old, now] = [new Set(before?.prefixes), new Set(offer?.prefixes)]
    const gone = [...old].filter((prefix) => !now.has(prefix)).map((prefix) => this.#entry(prefix))
    const come = [...now].filter((prefix) => !old.has(prefix)).map((prefix) => this.#entry(prefix))
    for (const entry of gone) entry.ids = entry.ids.filter((one) => one !== id)
    for (const entry of come) entry.ids = [...entry.ids, id].sort((a, b) => a - b)
    for (const entry of gone) if (offer?.online === false && offer.advertised.includes(entry.prefix)) entry.lost.add(id)
    for (const prefix of [...(before?.advertised ?? []), ...(offer?.advertised ?? [])]) this.#noteLost(prefix, id, offer)
    if (gone.length + come.length > 0) touched.add(id)
  }

  /** A device that is back, or says no more that it has a network, has not lost it but given it up. */
  #noteLost(prefix: string, id: NodeId, offer: RouteOffer | undefined): void {
    const entry = this.#entries.get(prefix)
    if (!entry) return
    this.#dirty.add(prefix)
    if (offer?.online !== false || !offer.advertised.includes(prefix) || entry.ids.includes(id)) entry.lost.delete(id)
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
    if (changed) this.rows = this.#sorted.map(({ row }) => row)
  }

  /** Networks that a device may send from. */
  sourcesOf(id: NodeId): readonly string[] {
    return this.#claims.get(id)?.prefixes.filter((prefix) => this.#entries.get(prefix)!.isUsed) ?? []
  }

  /** Networks that are sent to a device. */
  carriedBy(id: NodeId): readonly string[] {
    return this.#claims.get(id)?.prefixes.filter((prefix) => this.#entries.get(prefix)!.carrier === id) ?? []
  }

  #entry(prefix: string): Entry {
    let entry = this.#entries.get(prefix)
    if (!entry) {
      const { ip, bits } = parsePrefix(prefix)!
      const key = `${ip.includes(':') ? 6 : 4}${toHex(parseIp(ip)!)}${String(bits).padStart(3, '0')}`
      entry = { prefix, key, ids: [], lost: new Set(), row: { prefix, state: 'refused', why: '', standby: [] }, isUsed: false, carrier: undefined }
      this.#entries.set(prefix, entry)
      this.#sorted.splice(placeOf(this.#sorted, key), 0, entry)
    }
    return entry
  }

  /** True when the list of rows is another. */
  #settle(entry: Entry, touched: Set<NodeId>): boolean {
    const { isUsed, carrier } = entry
    if (entry.ids.length === 0 && entry.lost.size === 0) {
      this.#entries.delete(entry.prefix)
      this.#sorted.splice(placeOf(this.#sorted, entry.key), 1)
      return true
    }
    const row = this.#decide(entry)
    if (entry.isUsed !== isUsed) for (const id of entry.ids) touched.add(id)
    if (entry.carrier !== carrier) for (const id of [carrier, entry.carrier]) if (id !== undefined) touched.add(id)
    const same = sameRow(entry.row, row)
    if (!same) entry.row = row
    return !same
  }

  #decide(entry: Entry): PlannedRoute {
    const { prefix } = entry
    const offers = (entry.ids.length > 0 ? entry.ids : [...entry.lost]).map((id) => this.#claims.get(id)!).sort((a, b) => rank(b, prefix) - rank(a, prefix))
    const owner = isDeviceAddress(prefix) ? this.#ownerOf(prefix) : undefined
    const judged: Judgement = owner === undefined ? this.#rules!.judge(prefix) : { state: 'refused', why: `it is the address of ${owner}` }
    entry.isUsed = judged.state === 'used'
    const first = offers[0]!
    entry.carrier = entry.isUsed && first.trouble === undefined && entry.ids.length > 0 ? first.id : undefined
    if (judged.state !== 'used') return { prefix, state: judged.state, why: judged.why, ...(judged.near === undefined ? {} : { near: judged.near }), standby: offers.map(carrierOf) }
    if (first.trouble !== undefined || !first.online) {
      return { prefix, state: 'no-router', why: `nobody carries it now: ${offers.slice(0, 3).map((one) => `${one.name} ${one.trouble ?? 'is offline'}`).join(', ')}`, standby: offers.map(carrierOf) }
    }
    const rest = offers.slice(1)
    const ready = rest.find((one) => one.online && one.trouble === undefined)
    const why = [`through ${first.name}`, ...(ready ? [`${ready.name} stands by`] : []), ...(judged.note === '' ? [] : [judged.note])].join('; ')
    return { prefix, state: 'used', why, via: carrierOf(first), standby: rest.map(carrierOf) }
  }
}

/** Higher carries first; among equals the order of IDs stays. */
function rank(offer: RouteOffer, prefix: string): number {
  return (offer.trouble === undefined ? 4 : 0) + (offer.online ? 2 : 0) + (offer.primary.includes(prefix) ? 1 : 0)
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
