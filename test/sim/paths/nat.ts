/**
 * One NAT or firewall of a simulated network, as RFC 4787 tells them apart: what a mapping depends on, what the filter
 * depends on, whether the port is kept, whether a packet to its own outer address comes back in. Time comes in.
 */
import type { Random } from '../../../main/engine/base/env.ts'
import type { AddrPort } from '../../../main/engine/base/ip.ts'
import { formatAddrPort } from '../../../main/engine/base/ip.ts'

/** On what of the destination (mapping) or of the source (filter) it depends. */
export type Depends = 'nothing' | 'address' | 'address-and-port'

export interface NatRules {
  readonly mapping: Depends
  readonly filter: Depends
  /** The outer port is the inner one where that is free; else it is random. */
  readonly keepsPort: boolean
  readonly hairpin: boolean
  /** A mapping is forgotten after so long without a packet out. */
  readonly lifeMs: number
}

interface Mapping {
  readonly inner: AddrPort
  readonly port: number
  usedMs: number
  /** Destinations that packets went to, by the filter's key. */
  readonly seen: Map<string, number>
}

export class Nat {
  readonly rules: NatRules
  outerIp: string
  readonly #random: Random
  readonly #byKey = new Map<string, Mapping>()
  readonly #byPort = new Map<number, Mapping>()

  constructor(rules: NatRules, outerIp: string, random: Random) {
    this.rules = rules
    this.outerIp = outerIp
    this.#random = random
  }

  /** The source that the outside sees. */
  outbound(nowMs: number, from: AddrPort, to: AddrPort): AddrPort {
    const key = `${formatAddrPort(from)} ${keyOf(this.rules.mapping, to)}`
    let mapping = this.#byKey.get(key)
    if (!mapping || this.#isOld(mapping, nowMs)) {
      if (mapping) this.#byPort.delete(mapping.port)
      mapping = { inner: from, port: this.#freePort(nowMs, from.port), usedMs: nowMs, seen: new Map() }
      this.#byKey.set(key, mapping)
      this.#byPort.set(mapping.port, mapping)
    }
    mapping.usedMs = nowMs
    mapping.seen.set(keyOf(this.rules.filter, to), nowMs)
    return { ip: this.outerIp, port: mapping.port }
  }

  /** Where a packet from outside goes; undefined when it is dropped. */
  inbound(nowMs: number, from: AddrPort, to: AddrPort): AddrPort | undefined {
    const mapping = this.#byPort.get(to.port)
    if (!mapping || this.#isOld(mapping, nowMs)) return undefined
    const seenMs = mapping.seen.get(keyOf(this.rules.filter, from))
    return seenMs !== undefined && nowMs - seenMs <= this.rules.lifeMs ? mapping.inner : undefined
  }

  /** Forgets all: the router was restarted, or has another address. */
  restart(outerIp = this.outerIp): void {
    this.#byKey.clear()
    this.#byPort.clear()
    this.outerIp = outerIp
  }

  #isOld(mapping: Mapping, nowMs: number): boolean {
    return nowMs - mapping.usedMs > this.rules.lifeMs
  }

  #freePort(nowMs: number, wanted: number): number {
    let port = this.rules.keepsPort ? wanted : 0
    for (;;) {
      const taken = this.#byPort.get(port)
      if (port !== 0 && (!taken || this.#isOld(taken, nowMs))) return port
      port = 20_000 + Math.floor(this.#random.unit() * 40_000)
    }
  }
}

function keyOf(depends: Depends, addr: AddrPort): string {
  return depends === 'nothing' ? '' : depends === 'address' ? addr.ip : formatAddrPort(addr)
}
