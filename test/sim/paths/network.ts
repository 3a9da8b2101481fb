/**
 * A simulated internet: sites of many kinds, links with delay, loss, jitter and a largest packet. Packets are bytes in IPv4 and
 * UDP headers of 28 bytes; each passes the NATs of its site outward and those of the other side inward. Nothing here is the
 * client's code, so that an oracle can ask the same network what is possible at all.
 *
 *   host ─ NAT ─ (NAT) ─┐
 *   host ─ NAT ─────────┼─ internet ─ servers
 *   host ───────────────┘
 */
import type { Random } from '../../../main/engine/base/env.ts'
import type { AddrPort } from '../../../main/engine/base/ip.ts'
import type { HandClock } from '../clock.ts'
import { Nat } from './nat.ts'
import type { Depends, NatRules } from './nat.ts'

export type SiteKind =
  | 'public' | 'firewall' | 'full-cone' | 'restricted' | 'easy' | 'easy-random-port' | 'hard' | 'hard-restricted' | 'hard-open' | 'double' | 'carrier'
  | 'hairpin' | 'out-only' | 'in-only' | 'no-udp'

export const SITE_KINDS: readonly SiteKind[] = [
  'public', 'firewall', 'full-cone', 'restricted', 'easy', 'easy-random-port', 'hard', 'hard-restricted', 'hard-open', 'double', 'carrier', 'hairpin', 'out-only', 'in-only', 'no-udp',
]

const HEADER_BYTES = 28
const LIFE_MS = 60_000

/** Called with the source that the receiver sees. */
export type Receive = (from: AddrPort, bytes: Uint8Array) => void

export interface Host {
  readonly name: string
  readonly kind: SiteKind
  readonly addr: AddrPort
  /** From the host outward; none for a public address. */
  readonly nats: Nat[]
  readonly firewall: Nat | undefined
  receive: Receive
}

function rules(mapping: Depends, filter: Depends, keepsPort: boolean, hairpin = false): NatRules {
  return { mapping, filter, keepsPort, hairpin, lifeMs: LIFE_MS }
}

const NATS: Readonly<Record<SiteKind, readonly NatRules[]>> = {
  'public': [],
  'firewall': [],
  'full-cone': [rules('nothing', 'nothing', true)],
  'restricted': [rules('nothing', 'address', true)],
  'easy': [rules('nothing', 'address-and-port', true)],
  'easy-random-port': [rules('nothing', 'address-and-port', false)],
  'hard': [rules('address-and-port', 'address-and-port', false)],
  'hard-restricted': [rules('address-and-port', 'address', false)],
  'hard-open': [rules('address-and-port', 'nothing', false)],
  'double': [rules('nothing', 'address-and-port', true), rules('nothing', 'address-and-port', true)],
  'carrier': [rules('nothing', 'address-and-port', true), rules('address-and-port', 'address-and-port', false)],
  'hairpin': [rules('nothing', 'address-and-port', true, true)],
  'out-only': [rules('nothing', 'address-and-port', true)],
  'in-only': [],
  'no-udp': [rules('nothing', 'nothing', true)],
}

export class Network {
  readonly clock: HandClock
  readonly #random: Random
  readonly #hosts: Host[] = []
  /** Of the internet, each way. */
  delayMs = 20
  loss = 0
  jitterMs = 0
  /** Whole IP packets larger than this vanish between sites; small ones pass. */
  largestBytes = Number.POSITIVE_INFINITY
  /** Names of hosts whose packets to other hosts vanish; servers are still reached. */
  readonly cut = new Set<string>()
  /** Answers of servers, by their address. */
  readonly servers = new Map<string, (from: AddrPort, bytes: Uint8Array) => Uint8Array | undefined>()
  sent = 0
  /** When a datagram of that host last reached another host. */
  readonly reachedMs = new Map<Host, number>()

  constructor(clock: HandClock, random: Random) {
    this.clock = clock
    this.#random = random
  }

  /** A host at a site of its own, or behind the NATs of another host's site. */
  addHost(name: string, kind: SiteKind, port: number, beside?: Host): Host {
    const n = this.#hosts.length + 1
    const isPublic = NATS[kind].length === 0
    const outerIp = `198.51.100.${n}`
    const ip = isPublic ? outerIp : beside ? `${beside.addr.ip.slice(0, beside.addr.ip.lastIndexOf('.'))}.${n + 1}` : `10.0.${n}.2`
    const nats = beside?.nats ?? NATS[kind].map((one, i) => new Nat(one, i === NATS[kind].length - 1 ? outerIp : `100.127.${n}.2`, this.#random))
    const firewall = kind === 'firewall' ? new Nat(rules('nothing', 'address-and-port', true), ip, this.#random) : undefined
    const host: Host = { name, kind, addr: { ip, port }, nats, firewall, receive: () => {} }
    this.#hosts.push(host)
    return host
  }

  /** A datagram leaves a host. */
  send(host: Host, to: AddrPort, bytes: Uint8Array): void {
    this.sent++
    if (host.kind === 'no-udp' || host.kind === 'in-only') return
    const neighbour = this.#hosts.find((one) => one.addr.ip === to.ip && one.addr.port === to.port && one.nats === host.nats && one !== host)
    if (neighbour && host.nats.length > 0) {
      const from = host.addr
      this.clock.after(1, () => this.#deliver(host, neighbour, from, bytes))
      return
    }
    const nowMs = this.clock.nowMs()
    let from = host.firewall ? host.firewall.outbound(nowMs, host.addr, to) : host.addr
    for (const nat of host.nats) {
      from = nat.outbound(nowMs, from, to)
      if (to.ip === nat.outerIp) return nat.rules.hairpin ? this.#hairpin(host, nat, from, to, bytes) : undefined
    }
    if (/^(10\.|100\.|192\.168\.)/.test(to.ip)) return
    const server = this.servers.get(to.ip)
    if (server) {
      const reply = server(from, bytes)
      if (reply) this.#travel(2 * this.delayMs, () => this.#arrive(host, to, from, reply))
      return
    }
    if (this.cut.has(host.name) || bytes.length + HEADER_BYTES > this.largestBytes) return
    const source = from
    this.#travel(this.delayMs, () => {
      for (const other of this.#hosts) if (other !== host && outerIpOf(other) === to.ip) this.#arrive(other, source, to, bytes, host)
    })
  }

  #hairpin(host: Host, nat: Nat, from: AddrPort, to: AddrPort, bytes: Uint8Array): void {
    const inner = nat.inbound(this.clock.nowMs(), from, to)
    const target = inner && this.#hosts.find((one) => one.nats === host.nats && one.addr.ip === inner.ip && one.addr.port === inner.port)
    if (target && target !== host) this.clock.after(2, () => this.#deliver(host, target, from, bytes))
  }

  #travel(ms: number, arrive: () => void): void {
    if (this.#random.unit() < this.loss) return
    this.clock.after(ms + this.#random.unit() * this.jitterMs, arrive)
  }

  /** From outside through the site's NATs to one host. */
  #arrive(host: Host, from: AddrPort, to: AddrPort, bytes: Uint8Array, sender?: Host): void {
    if (host.kind === 'no-udp' || host.kind === 'out-only') return
    const nowMs = this.clock.nowMs()
    let at: AddrPort | undefined = to
    for (const nat of host.nats.toReversed()) {
      at = nat.inbound(nowMs, from, at)
      if (!at) return
    }
    if (host.firewall && !host.firewall.inbound(nowMs, from, at)) return
    if (at.ip === host.addr.ip && at.port === host.addr.port) this.#deliver(sender, host, from, bytes)
  }

  #deliver(sender: Host | undefined, to: Host, from: AddrPort, bytes: Uint8Array): void {
    if (sender) this.reachedMs.set(sender, this.clock.nowMs())
    to.receive(from, bytes)
  }
}

/** The address of a host on the internet. */
export function outerIpOf(host: Host): string {
  return host.nats.at(-1)?.outerIp ?? host.addr.ip
}
