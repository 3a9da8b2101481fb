/**
 * Which way packets of this computer's programs go to an address, under what the computer is made to look like. Pure.
 *
 *   system   as without us: its own networks, its own way out
 *   device   to a device of the network, or to us
 *   network  into the tunnel, to a network behind a device: the way's name is its prefix
 *   exit     into the tunnel, out by an exit node: the way's name is the device
 *   nowhere  kept in
 *
 * Two ways are the same when they are equal texts: a connection lives on only then.
 */
import { isLoopbackIp, networkOf, parsePrefix, prefixContains, TAILSCALE_RANGES } from '../../base/ip.ts'
import type { Prefix } from '../../base/ip.ts'

/** What goes where, of the whole computer; `undefined` routes: programs are left alone. */
export interface Roads {
  /** Prefixes into the tunnel, default routes among them while the internet does not go as always. */
  readonly routes: readonly string[]
  /** Prefixes that stay out of it although a larger one goes in. */
  readonly bypass: readonly string[]
  /** The exit node's stable ID; "" while traffic to the internet is kept in. Without default routes it means nothing. */
  readonly exitId: string
}

/** Nothing of the computer is in the tunnel. */
export const NO_ROADS: Roads = { routes: [], bypass: [], exitId: '' }

export class Ways {
  readonly #into: Nets
  readonly #past: Nets
  readonly #exitId: string

  constructor({ routes, bypass, exitId }: Roads) {
    this.#into = new Nets(routes)
    this.#past = new Nets(bypass)
    this.#exitId = exitId
  }

  /** The way to a canonical address, as a text to compare. */
  to(ip: string): string {
    const into = isLoopbackIp(ip) ? undefined : this.#into.find(ip)
    if (!into) return 'system'
    const past = this.#past.find(ip)
    return past && past.bits >= into.bits ? 'system' : wayInto(into, this.#exitId)
  }
}

/** Prefixes, to find the narrowest one around an address: the cost is the number of sizes, not of prefixes. */
class Nets {
  readonly #sizes: readonly number[]
  readonly #all: ReadonlySet<string>

  constructor(texts: readonly string[]) {
    const prefixes = texts.flatMap((text) => parsePrefix(text) ?? [])
    this.#sizes = [...new Set(prefixes.map(({ bits }) => bits))].sort((a, b) => b - a)
    this.#all = new Set(prefixes.flatMap(({ ip, bits }) => networkOf(ip, bits) ?? []))
  }

  find(ip: string): Prefix | undefined {
    for (const bits of this.#sizes) {
      const net = networkOf(ip, bits)
      if (net !== undefined && this.#all.has(net)) return parsePrefix(net)
    }
    return undefined
  }
}

function wayInto(prefix: Prefix, exitId: string): string {
  if (prefix.bits === 0) return exitId === '' ? 'nowhere' : `exit ${exitId}`
  return RANGES.some((range) => prefix.bits >= range.bits && prefixContains(range, prefix.ip)) ? 'device' : `network ${prefix.ip}/${prefix.bits}`
}

const RANGES = TAILSCALE_RANGES.map((text) => parsePrefix(text)!)
