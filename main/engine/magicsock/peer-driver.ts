/**
 * Drives the path machine of each peer: hands it what happened, carries out what it wants, and keeps one timer for all.
 * A machine is made at the first traffic, ping or call; a peer without one has a resting path that costs nothing.
 */
import type { Env } from '../base/env.ts'
import type { AddrPort } from '../base/ip.ts'
import type { PathOutput } from '../core/path/events.ts'
import { PeerPath } from '../core/path/peer-path.ts'
import type { PeerFacts } from '../core/path/peer-path.ts'
import type { Path, PathView } from '../core/path/types.ts'
import type { PeerEntry } from './peer-table.ts'
import type { Paths } from './ports.ts'

/** Direct paths in use are watched this closely while they are few, so that a dead one is left within two seconds. */
const HEARTBEAT_FEW_MS = 1000
const HEARTBEAT_MANY_MS = 3000
const FEW_PEERS = 32

export interface PeerDriverDeps {
  readonly env: Env
  readonly paths: Paths
  /** A disco ping to an address; its pong goes to the machine under `pingId`. */
  readonly sendPing: (entry: PeerEntry, to: AddrPort, pingId: number) => void
  /** Our addresses to the peer, over its relay. */
  readonly call: (entry: PeerEntry, region: number) => void
  readonly isDirectOff: () => boolean
  readonly allowLoopback: () => boolean
  readonly onPath: (view: PathView) => void
}

export class PeerDriver {
  readonly #deps: PeerDriverDeps
  readonly #env: Env
  readonly #active = new Set<PeerEntry>()
  /** Machines with a timer → when it is due. */
  readonly #armed = new Map<PeerEntry, number>()
  #cancelTimer: () => void = () => {}
  #timerAtMs = Number.POSITIVE_INFINITY

  constructor(deps: PeerDriverDeps) {
    this.#deps = deps
    this.#env = deps.env
  }

  /** Peers with traffic. */
  get activeCount(): number {
    return this.#active.size
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
    if (next) this.#armed.set(entry, next.atMs)
    else this.#armed.delete(entry)
    this.#schedule()
  }

  /** An edge from the data plane. */
  handleActivity(entry: PeerEntry, kind: 'sending' | 'receiving' | 'idle'): void {
    if (kind === 'idle') this.#active.delete(entry)
    else this.#active.add(entry)
    if (kind !== 'idle' || entry.machine) this.drive(entry, (machine, nowMs) => machine.handleActivity(nowMs, kind))
  }

  /** Nothing can be sent to an address. */
  handleUnreachable(to: AddrPort): void {
    for (const entry of this.#armed.keys()) {
      if (entry.machine) this.drive(entry, (machine, nowMs) => machine.handleUnreachable(nowMs, to))
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
      this.#armed.delete(entry)
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
      latencyMs: entry.machine?.latencyMs,
      sinceMs: clock.wallMs() - (clock.nowMs() - entry.sinceMs),
      why: this.#why(entry),
    }
  }

  /** The peer left the map. */
  forget(entry: PeerEntry): void {
    this.#active.delete(entry)
    this.#armed.delete(entry)
  }

  stop(): void {
    this.#cancelTimer()
    this.#armed.clear()
    this.#active.clear()
  }

  #makeMachine(entry: PeerEntry): PeerPath {
    const nowMs = this.#env.clock.nowMs()
    const machine = new PeerPath(nowMs, () => (this.#active.size <= FEW_PEERS ? HEARTBEAT_FEW_MS : HEARTBEAT_MANY_MS))
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
        this.#deps.sendPing(entry, output.to, output.pingId)
        return
      case 'call-me-maybe':
        this.#deps.call(entry, output.region)
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
      noDirect: config.expired || config.disco === undefined ? 'no-disco-key' : this.#deps.isDirectOff() ? 'switched-off' : undefined,
      allowLoopback: this.#deps.allowLoopback(),
    }
  }

  /** The path of a peer that was never used. */
  #restingPath({ config, heardRegion }: PeerEntry): Path {
    if (config.wireGuardOnly === true) return config.endpoints[0] ? { kind: 'direct', addr: config.endpoints[0] } : { kind: 'none' }
    const region = config.expired ? 0 : config.homeDerp === 0 ? heardRegion : config.homeDerp
    return region === 0 ? { kind: 'none' } : { kind: 'relay', region }
  }

  #why(entry: PeerEntry): string {
    if (entry.config.expired) return 'no path: its key has expired'
    if (entry.config.wireGuardOnly === true) return 'direct: it speaks WireGuard alone, at the address that the server names'
    if (entry.machine) return entry.machine.why(this.#env.clock.nowMs())
    return entry.path.kind === 'none' ? 'no path: its relay is not known' : 'relayed: no traffic yet, so no direct path was looked for'
  }

  /** One timer for all machines. */
  #schedule(): void {
    let atMs = Number.POSITIVE_INFINITY
    for (const dueMs of this.#armed.values()) atMs = Math.min(atMs, dueMs)
    if (atMs === this.#timerAtMs) return
    this.#cancelTimer()
    this.#timerAtMs = atMs
    if (atMs === Number.POSITIVE_INFINITY) return
    this.#cancelTimer = this.#env.clock.after(Math.max(0, atMs - this.#env.clock.nowMs()), () => this.#fire())
  }

  #fire(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY
    const nowMs = this.#env.clock.nowMs()
    for (const [entry, dueMs] of this.#armed) {
      if (dueMs <= nowMs) this.drive(entry, (machine, at) => machine.handleTimeout(at))
    }
    this.#schedule()
  }
}
