/**
 * Drives the path machine of each peer: hands it what happened, carries out what it wants, and keeps one timer for all.
 * A machine is made at the first traffic, ping or call; a peer without one has a resting path that costs nothing.
 */
import type { Env } from '../base/env.ts'
import type { AddrPort } from '../base/ip.ts'
import { formatAddrPort } from '../base/ip.ts'
import type { PathOutput } from '../core/path/events.ts'
import { PeerPath } from '../core/path/peer-path.ts'
import type { PathShared, PeerFacts } from '../core/path/peer-path.ts'
import { ProbePace } from '../core/path/probe-pace.ts'
import type { MachineEvidence } from '../core/path/reason/evidence.ts'
import type { Path, PathView, UdpAddr } from '../core/path/types.ts'
import { DueQueue } from './due-queue.ts'
import type { PeerEntry } from './peer-table.ts'
import type { Paths } from './ports.ts'

/**
 * Direct paths in use are watched this closely while they are few, so that a dead one is left within a second or so. With very
 * many the pings are spread, but come before trust in a path runs out.
 */
const HEARTBEATS = [{ upTo: 8, everyMs: 700 }, { upTo: 32, everyMs: 1000 }, { upTo: 1000, everyMs: 3000 }] as const
const HEARTBEAT_MANY_MS = 4500
/** A datagram that cannot leave says the same of its address again and again. */
const UNREACHABLE_AGAIN_MS = 500
const UNREACHABLE_KEPT = 64

/** A round trip that is older is no longer shown. */
const RELAYED_FRESH_MS = 5 * 60_000

export interface PeerDriverDeps {
  readonly env: Env
  readonly paths: Paths
  /** A disco ping to an address; its pong goes to the machine under `pingId`. */
  readonly sendPing: (entry: PeerEntry, to: UdpAddr, pingId: number, sized: boolean) => void
  /** Our addresses to the peer, over its relay; `isDoubtful`: they may just have changed. */
  readonly call: (entry: PeerEntry, region: number, isDoubtful: boolean) => void
  readonly hasPeerRelay: (entry: PeerEntry) => boolean
  readonly findPeerRelay: (entry: PeerEntry, why: string) => void
  readonly isUdpOff: () => boolean
  /** UDP goes through peer relays alone. */
  readonly isDirectOff: () => boolean
  readonly allowLoopback: () => boolean
  /** Datagrams of strangers reach us. */
  readonly isOpen: () => boolean
  readonly onPath: (view: PathView) => void
}

export class PeerDriver {
  readonly #deps: PeerDriverDeps
  readonly #env: Env
  readonly #active = new Set<PeerEntry>()
  readonly #due = new DueQueue<PeerEntry>()
  readonly #shared: PathShared
  /** Addresses that could not be reached, and when that was told. */
  readonly #unreachable = new Map<string, number>()
  #cancelTimer: () => void = () => {}
  #timerAtMs = Number.POSITIVE_INFINITY

  constructor(deps: PeerDriverDeps) {
    this.#deps = deps
    this.#env = deps.env
    this.#shared = { heartbeatMs: () => HEARTBEATS.find(({ upTo }) => this.#active.size <= upTo)?.everyMs ?? HEARTBEAT_MANY_MS, pace: new ProbePace() }
  }

  /** Peers with traffic. */
  get activeCount(): number {
    return this.#active.size
  }

  get activePeers(): ReadonlySet<PeerEntry> {
    return this.#active
  }

  /** Runs the peer's machine and does what it wants done. */
  drive(entry: PeerEntry, handle: (machine: PeerPath, nowMs: number) => void): void {
    // Its address is fixed: there is nothing to find.
    if (entry.config.wireGuardOnly === true) return
    const machine = (entry.machine ??= this.#makeMachine(entry))
    handle(machine, this.#env.clock.nowMs())
    for (const event of machine.takeEvents()) {
      this.#env.journal.add({ part: 'path', peer: entry.config.key, ...event })
      if (event.kind === 'path') this.#env.log.info(`peer ${entry.config.id}: ${event.from.kind} → ${event.to.kind} (${event.why})`)
    }
    for (const output of machine.takeOutput()) this.#carryOut(entry, output)
    const next = machine.nextTimeout()
    if (next) this.#due.set(entry, next.atMs)
    else this.#due.delete(entry)
    this.#schedule()
  }

  /** An edge from the data plane. */
  handleActivity(entry: PeerEntry, kind: 'sending' | 'receiving' | 'idle'): void {
    if (kind === 'idle') this.#active.delete(entry)
    else this.#active.add(entry)
    if (kind !== 'idle' || entry.machine) this.drive(entry, (machine, nowMs) => machine.handleActivity(nowMs, kind))
  }

  /** Nothing can be sent to an address. */
  handleUnreachable(peers: Iterable<PeerEntry>, to: AddrPort): void {
    const nowMs = this.#env.clock.nowMs()
    const text = formatAddrPort(to)
    if (nowMs - (this.#unreachable.get(text) ?? Number.NEGATIVE_INFINITY) < UNREACHABLE_AGAIN_MS) return
    this.#unreachable.delete(text)
    this.#unreachable.set(text, nowMs)
    if (this.#unreachable.size > UNREACHABLE_KEPT) this.#unreachable.delete(this.#unreachable.keys().next().value!)
    for (const entry of peers) {
      if (entry.machine?.knows(to)) this.drive(entry, (machine, atMs) => machine.handleUnreachable(atMs, to))
    }
  }

  /** A relay says that the peer is not there. */
  handlePeerGone(entry: PeerEntry, region: number): void {
    if (entry.heardRegion === region) entry.heardRegion = 0
    if (entry.machine) this.drive(entry, (machine, nowMs) => machine.handlePeerGone(nowMs, region))
    else this.#applyPath(entry, this.#restingPath(entry))
  }

  /** Something of the peer came through a relay region. */
  noteHeard(entry: PeerEntry, region: number): void {
    if (entry.heardRegion === region && !entry.machine) return
    entry.heardRegion = region
    if (entry.machine) this.drive(entry, (machine, nowMs) => machine.handleHeard(nowMs, region))
    else this.#applyPath(entry, this.#restingPath(entry))
  }

  /** What the map or our own modes say of the peer is another. */
  tellFacts(entry: PeerEntry): void {
    if (entry.config.wireGuardOnly === true && entry.machine) {
      entry.machine = undefined
      this.#due.delete(entry)
    }
    if (entry.machine) this.drive(entry, (machine, nowMs) => machine.handleFacts(nowMs, this.#factsOf(entry)))
    else this.#applyPath(entry, this.#restingPath(entry))
  }

  /** What a person sees of the peer's path. */
  view(entry: PeerEntry): PathView {
    const { clock } = this.#env
    return {
      peer: entry.config.key,
      path: entry.path,
      latencyMs: entry.path.kind === 'relay' ? this.#relayedMs(entry) : entry.machine?.latencyMs,
      sinceMs: clock.wallMs() - (clock.nowMs() - entry.sinceMs),
      evidence: this.#evidence(entry),
    }
  }

  /** The peer left the map. */
  forget(entry: PeerEntry): void {
    this.#active.delete(entry)
    this.#due.delete(entry)
  }

  stop(): void {
    this.#cancelTimer()
    this.#due.clear()
    this.#active.clear()
  }

  #makeMachine(entry: PeerEntry): PeerPath {
    const nowMs = this.#env.clock.nowMs()
    const machine = new PeerPath(nowMs, this.#shared)
    if (entry.heardRegion !== 0) machine.handleHeard(nowMs, entry.heardRegion)
    machine.handleFacts(nowMs, this.#factsOf(entry))
    return machine
  }

  #carryOut(entry: PeerEntry, output: PathOutput): void {
    switch (output.kind) {
      case 'set-path':
        this.#applyPath(entry, output.path)
        return
      case 'ping':
        this.#deps.sendPing(entry, output.to, output.pingId, output.sized)
        return
      case 'find-peer-relay':
        this.#deps.findPeerRelay(entry, output.why)
        return
      case 'call-me-maybe':
        this.#deps.call(entry, output.region, output.isDoubtful)
    }
  }

  #applyPath(entry: PeerEntry, path: Path): void {
    const before = entry.path
    if (JSON.stringify(before) === JSON.stringify(path)) return
    if (before.kind !== path.kind) entry.sinceMs = this.#env.clock.nowMs()
    entry.path = path
    this.#deps.paths.setPath(entry.config.key, path)
    if (entry.machine) this.#deps.onPath(this.view(entry))
  }

  #factsOf(entry: PeerEntry): PeerFacts {
    const { config } = entry
    return {
      endpoints: config.endpoints,
      homeRegion: config.expired ? 0 : config.homeDerp,
      noDirect: config.expired || config.disco === undefined ? 'no-disco-key' : this.#deps.isUdpOff() ? 'switched-off' : undefined,
      allowLoopback: this.#deps.allowLoopback(),
      isOpen: this.#deps.isOpen(),
      peerRelayOnly: this.#deps.isDirectOff(),
      hasPeerRelay: this.#deps.hasPeerRelay(entry),
    }
  }

  /** The path of a peer that was never used. */
  #restingPath({ config, heardRegion }: PeerEntry): Path {
    if (config.wireGuardOnly === true) return config.endpoints[0] ? { kind: 'direct', addr: config.endpoints[0] } : { kind: 'none' }
    const region = config.expired ? 0 : config.homeDerp === 0 ? heardRegion : config.homeDerp
    return region === 0 ? { kind: 'none' } : { kind: 'relay', region }
  }

  /** Nobody pings through a relay but a person, so it is known only for a while. */
  #relayedMs({ relayed }: PeerEntry): number | undefined {
    return relayed && this.#env.clock.nowMs() - relayed.atMs < RELAYED_FRESH_MS ? relayed.latencyMs : undefined
  }

  #evidence(entry: PeerEntry): MachineEvidence {
    const { config, machine, path } = entry
    const seen = machine?.evidence(this.#env.clock.nowMs())
    const noDirect = config.expired ? 'expired' : config.wireGuardOnly === true ? 'fixed' : (seen?.noDirect ?? this.#factsOf(entry).noDirect)
    return seen ? { ...seen, noDirect } : { path, noDirect, latencyMs: undefined, candidates: [], answered: 0, misses: 0, isActive: false, lostWhy: undefined, isGone: false }
  }

  /** One timer for all machines. */
  #schedule(): void {
    const atMs = this.#due.nextMs ?? Number.POSITIVE_INFINITY
    if (atMs === this.#timerAtMs) return
    this.#cancelTimer()
    this.#timerAtMs = atMs
    if (atMs === Number.POSITIVE_INFINITY) return
    this.#cancelTimer = this.#env.clock.after(Math.max(0, atMs - this.#env.clock.nowMs()), () => this.#fire())
  }

  #fire(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY
    const nowMs = this.#env.clock.nowMs()
    // Driving one puts it back, due later; each is driven once a turn even if its clock stood still.
    const due: PeerEntry[] = []
    for (let entry = this.#due.take(nowMs); entry; entry = this.#due.take(nowMs)) due.push(entry)
    for (const entry of due) this.drive(entry, (machine, atMs) => machine.handleTimeout(atMs))
    this.#schedule()
  }
}
