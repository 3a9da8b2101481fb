/**
 * Outer addresses that were ours a moment ago and are told for a while longer: a STUN answer that was lost on the way must not make
 * peers forget a path that works.
 *
 * Each is kept for 5 min 10 s (one full look at the network and a bit) after it was found last, six of one IP address, and
 * sixteen IP addresses. Found again it counts anew. Another network begins with none.
 * Source: tailscale wgengine/magicsock/endpoint_tracker.go @ de9ec7e, read 2026-08.
 */
import { parseAddrPort } from '../base/ip.ts'
import type { Endpoint } from './ports.ts'

const KEPT_MS = 310_000
const MAX_PORTS = 6
const MAX_IPS = 16

interface Seen {
  readonly endpoint: Endpoint
  readonly untilMs: number
}

export class SeenEndpoints {
  /** Oldest first, by IP address; the address that was found last is last. */
  readonly #byIp = new Map<string, readonly Seen[]>()

  /** Notes what was found; answers what was found before and is still worth telling, oldest first. */
  update(nowMs: number, found: readonly Endpoint[]): Endpoint[] {
    for (const [ip, seen] of this.#byIp) this.#keep(ip, seen.filter(({ untilMs }) => untilMs > nowMs))
    for (const endpoint of found) {
      const { ip } = parseAddrPort(endpoint.addr)!
      const others = (this.#byIp.get(ip) ?? []).filter((one) => one.endpoint.addr !== endpoint.addr)
      this.#byIp.delete(ip)
      this.#keep(ip, [...others, { endpoint, untilMs: nowMs + KEPT_MS }].slice(-MAX_PORTS))
    }
    while (this.#byIp.size > MAX_IPS) this.#byIp.delete([...this.#byIp.keys()][0]!)
    const isFound = new Set(found.map(({ addr }) => addr))
    return [...this.#byIp.values()].flat().map(({ endpoint }) => endpoint).filter(({ addr }) => !isFound.has(addr))
  }

  clear(): void {
    this.#byIp.clear()
  }

  #keep(ip: string, seen: readonly Seen[]): void {
    if (seen.length === 0) this.#byIp.delete(ip)
    else this.#byIp.set(ip, seen)
  }
}
