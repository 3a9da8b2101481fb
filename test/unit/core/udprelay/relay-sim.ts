/**
 * Two clients and a relay in virtual time: the real machines, joined by a network that delays, loses and doubles. DERP between
 * them never loses. Nothing is sealed: who a message is from is what the network says.
 */
import type { AddrPort } from '../../../../main/engine/base/ip.ts'
import type { DiscoPublicKey, NodePublicKey } from '../../../../main/engine/base/keys.ts'
import { discoKey, nodeKey } from '../../../../main/engine/base/keys.ts'
import type { UdpAddr } from '../../../../main/engine/core/path/types.ts'
import { RelaySearch } from '../../../../main/engine/core/udprelay/search.ts'
import { RelayServerSessions } from '../../../../main/engine/core/udprelay/server.ts'
import type { Random } from '../../../../main/engine/base/env.ts'

export const RELAY_NODE: NodePublicKey = nodeKey(new Uint8Array(32).fill(9))
export const RELAY_DISCO: DiscoPublicKey = discoKey(new Uint8Array(32).fill(90))
export const RELAY_ADDRS: readonly AddrPort[] = [{ ip: '203.0.113.1', port: 7000 }, { ip: '2001:db8::1', port: 7000 }]
const UDP_MS = 10
const DERP_MS = 30

export interface SimClient {
  readonly disco: DiscoPublicKey
  readonly addr: AddrPort
  readonly search: RelaySearch
  readonly found: { readonly atMs: number; readonly addr: UdpAddr; readonly latencyMs: number }[]
  sent: number
}

export class RelaySim {
  nowMs = 0
  readonly a: SimClient
  readonly b: SimClient
  readonly server: RelayServerSessions
  /** Datagrams that each client and the relay sent, in bytes of their body, for bounds. */
  relaySent = 0
  loss = 0
  /** Addresses at which the relay cannot be reached. */
  readonly dead = new Set<string>()
  relayAnswers = true
  readonly #random: Random
  #queue: { readonly atMs: number; readonly run: () => void }[] = []
  readonly #bound = new Map<number, readonly (AddrPort | undefined)[]>()

  constructor(random: Random) {
    this.#random = random
    const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => Math.floor(random.unit() * 256))
    this.server = new RelayServerSessions(0, { own: RELAY_DISCO, random: bytes })
    this.a = client(1, '198.51.100.1', 2)
    this.b = client(2, '198.51.100.2', 1)
  }

  start(who: SimClient): void {
    who.search.start(this.nowMs, [RELAY_NODE], 'test')
    this.drain(who)
  }

  run(forMs: number): void {
    const endMs = this.nowMs + forMs
    for (;;) {
      const timers = [this.a, this.b].map(({ search }) => search.nextTimeoutMs() ?? Infinity)
      this.#queue.sort((x, y) => x.atMs - y.atMs)
      const nextMs = Math.min(...timers, this.#queue[0]?.atMs ?? Infinity)
      if (nextMs > endMs) break
      this.nowMs = Math.max(this.nowMs, nextMs)
      if ((this.#queue[0]?.atMs ?? Infinity) <= this.nowMs) this.#queue.shift()!.run()
      else
        for (const one of [this.a, this.b]) {
          one.search.handleTimeout(this.nowMs)
          this.drain(one)
        }
    }
    this.nowMs = endMs
  }

  drain(who: SimClient): void {
    const other = who === this.a ? this.b : this.a
    for (const output of who.search.takeOutput()) {
      who.sent++
      switch (output.kind) {
        case 'allocate':
          this.#later(DERP_MS, () => this.#allocate(who, output.message.generation))
          break
        case 'call':
          this.#later(DERP_MS, () => {
            other.search.handleCall(this.nowMs, output.message.endpoint)
            this.drain(other)
          })
          break
        case 'control':
          this.#udp(output.to, () => this.#control(who, output.to, output.message))
          break
        case 'ping':
          this.#forward(who, output.to, () => {
            other.search.handlePing(this.nowMs, output.to)
            this.drain(other)
            this.#forward(other, output.to, () => {
              who.search.handlePong(this.nowMs, output.relayDisco, output.to.vni!, output.pingId)
              this.drain(who)
            })
          })
          break
        case 'found':
          who.found.push({ atMs: this.nowMs, addr: output.addr, latencyMs: output.latencyMs })
      }
    }
  }

  #allocate(who: SimClient, generation: number): void {
    if (!this.relayAnswers) return
    const endpoint = this.server.allocate(this.nowMs, this.a.disco, this.b.disco, RELAY_ADDRS)
    if (typeof endpoint === 'string') return
    this.#later(DERP_MS, () => {
      who.search.handleAllocated(this.nowMs, RELAY_NODE, { kind: 'allocate-relay-response', generation, endpoint })
      this.drain(who)
    })
  }

  #control(who: SimClient, at: UdpAddr, message: Parameters<RelayServerSessions['handleControl']>[4]): void {
    this.server.handleControl(this.nowMs, who.addr, message.vni, who.disco, message)
    for (const output of this.server.takeOutput()) {
      if (output.kind === 'bind') this.#bound.set(output.vni, output.ends)
      else if (output.kind === 'forget') this.#bound.delete(output.vni)
      else {
        this.relaySent++
        this.#udp(at, () => {
          who.search.handleChallenge(this.nowMs, { ip: at.ip, port: at.port }, at.vni!, RELAY_DISCO, output.message)
          this.drain(who)
        })
      }
    }
  }

  /** Through the session, as the packet thread would forward. */
  #forward(from: SimClient, via: UdpAddr, arrive: () => void): void {
    this.#udp(via, () => {
      const ends = this.#bound.get(via.vni!)
      if (ends?.every((end) => end !== undefined) && ends.some((end) => end!.ip === from.addr.ip)) this.#udp(via, arrive)
    })
  }

  #udp(relayAt: AddrPort, run: () => void): void {
    if (this.dead.has(relayAt.ip) || this.#random.unit() < this.loss) return
    this.#later(UDP_MS, run)
  }

  #later(ms: number, run: () => void): void {
    this.#queue.push({ atMs: this.nowMs + ms, run })
  }
}

function client(n: number, ip: string, other: number): SimClient {
  const disco = discoKey(new Uint8Array(32).fill(n))
  const peer = discoKey(new Uint8Array(32).fill(other))
  return { disco, addr: { ip, port: 41641 }, search: new RelaySearch({ own: disco, peer, allowLoopback: false }), found: [], sent: 0 }
}
