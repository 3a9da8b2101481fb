/**
 * A small internet for path machines: two nodes, each behind a NAT of some kind, a relay that always works, links with
 * delay and loss. Time is moved by hand and chance comes from a seed, so a failing run can be repeated.
 *
 *   none       public address, no filter           easy       one port for all, filter by address and port
 *   firewall   public address, stateful filter     restricted one port for all, filter by address
 *   cone       one port for all, no filter         hard       a port per destination, filter by address and port
 *   no-udp     nothing passes
 */
import type { AddrPort } from '../../../../main/engine/base/ip.ts'
import { formatAddrPort } from '../../../../main/engine/base/ip.ts'
import type { Random } from '../../../../main/engine/base/env.ts'
import type { PathEvent } from '../../../../main/engine/core/path/events.ts'
import { PeerPath } from '../../../../main/engine/core/path/peer-path.ts'
import type { PeerFacts } from '../../../../main/engine/core/path/peer-path.ts'
import { ProbePace } from '../../../../main/engine/core/path/probe-pace.ts'
import type { Path } from '../../../../main/engine/core/path/types.ts'

export type NatKind = 'none' | 'firewall' | 'cone' | 'restricted' | 'easy' | 'hard' | 'no-udp'

export interface Link {
  /** One way, in ms. */
  delayMs: number
  /** 0–1, each way. */
  loss: number
  /** Extra delay of up to this, in ms: also reorders. */
  jitterMs: number
}

interface Due {
  atMs: number
  order: number
  run: () => void
}

const MAPPING_LIFE_MS = 120_000
const STUN: AddrPort = { ip: '203.0.113.2', port: 3478 }

/** One side: its NAT, its path machine towards the other, and what happened. */
export class SimNode {
  readonly name: string
  readonly path: PeerPath
  readonly events: (PathEvent & { atMs: number })[] = []
  readonly changes: { atMs: number; path: Path }[] = []
  pings = 0
  calls = 0
  publicIp: string
  nat: NatKind
  readonly #localPort = 41641
  #mappings = new Map<string, { port: number; usedMs: number; peers: Map<string, number> }>()
  #nextPort = 20_000

  constructor(name: string, nat: NatKind, publicIp: string, heartbeatMs: number) {
    this.name = name
    this.nat = nat
    this.publicIp = publicIp
    this.path = new PeerPath(0, { heartbeatMs: () => heartbeatMs, pace: new ProbePace() })
  }

  /** The source address that the outside sees for a packet to `to`; undefined when the NAT lets nothing out. */
  outbound(nowMs: number, to: AddrPort): AddrPort | undefined {
    if (this.nat === 'no-udp') return undefined
    const keeps = this.nat === 'none' || this.nat === 'firewall'
    const key = this.nat === 'hard' ? formatAddrPort(to) : '*'
    let mapping = this.#mappings.get(key)
    if (!mapping || (nowMs - mapping.usedMs > MAPPING_LIFE_MS && !keeps)) {
      mapping = { port: keeps ? this.#localPort : this.#nextPort++, usedMs: nowMs, peers: new Map() }
      this.#mappings.set(key, mapping)
    }
    mapping.usedMs = nowMs
    mapping.peers.set(to.ip, nowMs)
    mapping.peers.set(formatAddrPort(to), nowMs)
    return { ip: this.publicIp, port: mapping.port }
  }

  /** Whether a packet from outside gets in. */
  inbound(nowMs: number, from: AddrPort, to: AddrPort): boolean {
    if (this.nat === 'no-udp' || to.ip !== this.publicIp) return false
    if (this.nat === 'none') return to.port === this.#localPort
    for (const mapping of this.#mappings.values()) {
      if (mapping.port !== to.port || nowMs - mapping.usedMs > MAPPING_LIFE_MS) continue
      const seenMs = this.nat === 'cone' ? nowMs : mapping.peers.get(this.nat === 'restricted' ? from.ip : formatAddrPort(from))
      if (seenMs !== undefined && nowMs - seenMs <= MAPPING_LIFE_MS) return true
    }
    return false
  }

  /** The NAT forgets all: a router restarted, or the machine moved to another network. */
  rebind(publicIp = this.publicIp): void {
    this.#mappings.clear()
    this.#nextPort += 1000
    this.publicIp = publicIp
  }

  /** What STUN says, which is what the node publishes. */
  endpoints(nowMs: number): AddrPort[] {
    const seen = this.outbound(nowMs, STUN)
    return seen ? [seen] : []
  }
}

export class NatSim {
  nowMs = 0
  readonly a: SimNode
  readonly b: SimNode
  readonly link: Link
  readonly relayDelayMs: number
  /** 'a' = nothing of a's reaches b over UDP. */
  blocked: 'none' | 'a' | 'b' | 'all' = 'none'
  readonly #random: Random
  #queue: Due[] = []
  #order = 0

  constructor(options: { a: NatKind; b: NatKind; random: Random; link?: Partial<Link>; relayDelayMs?: number; endpointsInMap?: boolean; heartbeatMs?: number }) {
    this.#random = options.random
    this.link = { delayMs: 20, loss: 0, jitterMs: 0, ...options.link }
    this.relayDelayMs = options.relayDelayMs ?? 30
    this.a = new SimNode('a', options.a, '198.51.100.1', options.heartbeatMs ?? 3000)
    this.b = new SimNode('b', options.b, '198.51.100.129', options.heartbeatMs ?? 3000)
    const know = options.endpointsInMap !== false
    this.#tellFacts(this.a, know ? this.b.endpoints(0) : [])
    this.#tellFacts(this.b, know ? this.a.endpoints(0) : [])
  }

  /** Data flows: each side sees the other's first packet. */
  traffic(from: SimNode): void {
    const to = this.#other(from)
    from.path.handleActivity(this.nowMs, 'sending')
    this.#drain(from)
    this.#after(this.relayDelayMs, () => {
      to.path.handleActivity(this.nowMs, 'receiving')
      to.path.handleActivity(this.nowMs, 'sending')
      this.#drain(to)
    })
  }

  idle(): void {
    for (const node of [this.a, this.b]) {
      node.path.handleActivity(this.nowMs, 'idle')
      this.#drain(node)
    }
  }

  run(ms: number): void {
    const endMs = this.nowMs + ms
    for (;;) {
      const next = this.#next()
      if (!next || next.atMs > endMs) break
      this.nowMs = Math.max(this.nowMs, next.atMs)
      next.run()
    }
    this.nowMs = endMs
  }

  /** Runs until `done` or for at most `ms`; returns how long it took, or undefined. */
  runUntil(done: () => boolean, ms: number): number | undefined {
    const fromMs = this.nowMs
    while (!done()) {
      const next = this.#next()
      if (!next || next.atMs > fromMs + ms) return undefined
      this.nowMs = Math.max(this.nowMs, next.atMs)
      next.run()
    }
    return this.nowMs - fromMs
  }

  bothDirect(): boolean {
    return this.a.path.path.kind === 'direct' && this.b.path.path.kind === 'direct'
  }

  /** Whether a packet that `from` sends now on its path gets to the other side (loss aside). */
  arrives(from: SimNode): boolean {
    const path = from.path.path
    if (path.kind === 'none') return false
    if (path.kind !== 'direct') return true
    return this.#reaches(from, path.addr) !== undefined
  }

  /** The machine's new network facts, as the map would bring them. */
  republish(node: SimNode): void {
    this.#tellFacts(this.#other(node), node.endpoints(this.nowMs))
    this.#drain(this.#other(node))
  }

  #tellFacts(node: SimNode, endpoints: AddrPort[]): void {
    const facts: PeerFacts = { endpoints, homeRegion: 1, noDirect: undefined, allowLoopback: false, isOpen: false }
    node.path.handleFacts(this.nowMs, facts)
    this.#drain(node)
  }

  #other(node: SimNode): SimNode {
    return node === this.a ? this.b : this.a
  }

  #after(ms: number, run: () => void): void {
    this.#queue.push({ atMs: this.nowMs + ms, order: this.#order++, run })
  }

  /** The earliest of what is on its way and the machines' own timers. */
  #next(): Due | undefined {
    let next = this.#queue.reduce<Due | undefined>((least, due) => (!least || due.atMs < least.atMs || (due.atMs === least.atMs && due.order < least.order) ? due : least), undefined)
    for (const node of [this.a, this.b]) {
      const timeout = node.path.nextTimeout()
      if (!timeout || (next && timeout.atMs >= next.atMs)) continue
      next = { atMs: timeout.atMs, order: -1, run: () => this.#fire(node) }
    }
    if (next) this.#queue = this.#queue.filter((due) => due !== next)
    return next
  }

  #fire(node: SimNode): void {
    node.path.handleTimeout(this.nowMs)
    this.#drain(node)
  }

  /** Where a packet to `addr` ends up: the source that the receiver sees, or undefined. */
  #reaches(from: SimNode, addr: AddrPort): AddrPort | undefined {
    if (this.blocked === 'all' || this.blocked === from.name) return undefined
    const source = from.outbound(this.nowMs, addr)
    return source && this.#other(from).inbound(this.nowMs, source, addr) ? source : undefined
  }

  #send(from: SimNode, addr: AddrPort, arrive: (source: AddrPort) => void): void {
    // The NAT state changes when the packet leaves; the filter is asked when it arrives.
    const source = this.blocked === 'all' || this.blocked === from.name ? undefined : from.outbound(this.nowMs, addr)
    if (!source || this.#random.unit() < this.link.loss) return
    this.#after(this.link.delayMs + this.#random.unit() * this.link.jitterMs, () => {
      if (this.#other(from).inbound(this.nowMs, source, addr)) arrive(source)
    })
  }

  #drain(node: SimNode): void {
    const other = this.#other(node)
    for (const event of node.path.takeEvents()) node.events.push({ ...event, atMs: this.nowMs })
    for (const output of node.path.takeOutput()) {
      switch (output.kind) {
        case 'ping':
          node.pings++
          this.#send(node, output.to, (source) => {
            other.path.handlePing(this.nowMs, source)
            this.#drain(other)
            this.#send(other, source, () => {
              node.path.handlePong(this.nowMs, output.pingId)
              this.#drain(node)
            })
          })
          break
        case 'call-me-maybe': {
          node.calls++
          const endpoints = node.endpoints(this.nowMs)
          this.#after(2 * this.relayDelayMs, () => {
            other.path.handleCallMeMaybe(this.nowMs, endpoints)
            this.#drain(other)
          })
          break
        }
        case 'find-peer-relay':
          break
        case 'set-path':
          node.changes.push({ atMs: this.nowMs, path: output.path })
      }
    }
  }
}
