/**
 * The IPv4 addresses of devices as routes of the system, in the order of their texts: kept from list to list of peers, so that a change
 * of a few among 10,000 costs those few and a copy of pointers. The same list while no address came or went.
 */
import { parseIp, TAILSCALE_RANGES, parsePrefix, prefixContains } from '../../base/ip.ts'
import { listChanges } from './list-changes.ts'
import type { DataplanePeer } from './types.ts'

/** From so many changes on sorting anew is cheaper than putting each in its place. */
const FEW = 64
const RANGE = parsePrefix(TAILSCALE_RANGES[0]!)!

export class DeviceRoutes {
  #peers: readonly DataplanePeer[] = []
  /** How many peers have a route: of two maps in a hurry two may. */
  readonly #counts = new Map<string, number>()
  #list: readonly string[] = []

  /** The /32s of these peers' own addresses. */
  update(peers: readonly DataplanePeer[]): readonly string[] {
    if (peers === this.#peers) return this.#list
    const { gone, come } = listChanges(this.#peers, peers)
    this.#peers = peers
    const touched = new Set<string>()
    for (const peer of gone) for (const route of ownRoutes(peer)) this.#count(route, -1, touched)
    for (const peer of come) for (const route of ownRoutes(peer)) this.#count(route, 1, touched)
    if (touched.size > FEW) return this.#rebuild()
    let list: string[] | undefined
    for (const route of touched) {
      const at = placeOf(list ?? this.#list, route)
      const isListed = (list ?? this.#list)[at] === route
      if (isListed === this.#counts.has(route)) continue
      list ??= this.#list.slice()
      if (isListed) list.splice(at, 1)
      else list.splice(at, 0, route)
    }
    return (this.#list = list ?? this.#list)
  }

  #count(route: string, by: number, touched: Set<string>): void {
    const count = (this.#counts.get(route) ?? 0) + by
    if (count > 0) this.#counts.set(route, count)
    else this.#counts.delete(route)
    touched.add(route)
  }

  #rebuild(): readonly string[] {
    const next = [...this.#counts.keys()].sort()
    const isSame = next.length === this.#list.length && next.every((route, i) => route === this.#list[i])
    return isSame ? this.#list : (this.#list = next)
  }
}

function ownRoutes({ routes }: DataplanePeer): readonly string[] {
  return routes.filter((route) => route.endsWith('/32') && !route.includes(':') && isInRange(route))
}

/** Most begin with "100.": what does not is a network behind the device. */
function isInRange(route: string): boolean {
  return route.startsWith('100.') && parseIp(route.slice(0, -3)) !== undefined && prefixContains(RANGE, route.slice(0, -3))
}

function placeOf(list: readonly string[], route: string): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (list[middle]! < route) low = middle + 1
    else high = middle
  }
  return low
}
