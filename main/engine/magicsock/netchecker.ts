/**
 * Runs netchecks over the WireGuard sockets: when, against which relays, and what follows from the result. Keeps the last
 * report and what control was told.
 *
 * The first run and one every 5 minutes are full, others look at home and the fastest regions. Between runs there is
 * silence unless the caller asks (traffic, a change of networks, a person) or the home relay is lost.
 */
import type { Env } from '../base/env.ts'
import type { AddrPort } from '../base/ip.ts'
import { isDecodeError } from '../base/errors.ts'
import { toHex } from '../base/bytes.ts'
import { HEARD_RECENTLY_MS } from '../core/netcheck/home.ts'
import { probePlan } from '../core/netcheck/plan.ts'
import type { NetcheckReport, PortMapFacts } from '../core/netcheck/report.ts'
import { differsMaterially, toNetInfo } from '../core/netcheck/report.ts'
import type { NetcheckFacts, NetcheckWant } from '../core/netcheck/run.ts'
import { NetcheckRun } from '../core/netcheck/run.ts'
import { decodeStunResponse, encodeStunRequest, STUN_TX_ID_BYTES } from '../core/stun/stun.ts'
import type { DerpMap, NetInfo } from '../core/tailcfg/types.ts'
import { HomeRegion } from './home-region.ts'
import { familiesOf, NetcheckTargets } from './netcheck-targets.ts'
import { tryOtherWays } from './other-ways.ts'
import type { LocalInterface, NetcheckPorts, Resolve, Underlay } from './ports.ts'

const FULL_EVERY_MS = 5 * 60_000
/** A relay that cannot be reached is lost again and again: no more than one look at the network in this time. */
const HOME_LOST_CHECK_MS = 5000

export interface NetcheckerDeps {
  readonly env: Env
  readonly underlay: Underlay
  readonly interfaces: () => readonly LocalInterface[]
  readonly resolve: Resolve | undefined
  readonly ports: NetcheckPorts
  /** There is what it takes: a node key and a socket. */
  readonly isReady: () => boolean
  /** When a frame came from the region's relay last, monotonic. */
  readonly heardAtMs: (region: number) => number | undefined
}

export interface NetcheckerFacts {
  /** Endpoints may be others; told when a run settles and when it ends. */
  onReport(report: NetcheckReport): void
  onHome(region: number): void
  onNetInfo(info: NetInfo): void
}

interface Waiter {
  readonly full: boolean
  readonly resolve: (report: NetcheckReport) => void
}

export class Netchecker {
  readonly #deps: NetcheckerDeps
  readonly #facts: NetcheckerFacts
  readonly #targets: NetcheckTargets
  readonly #homeRegion: HomeRegion
  #map: DerpMap = { Regions: {} }
  #run: NetcheckRun | undefined
  #preparing = false
  /** Which start the preparation under way belongs to. */
  #generation = 0
  #osHasIpv6 = false
  #portMap: PortMapFacts | undefined
  readonly #probes = new Map<string, { run: NetcheckRun; probeId: number }>()
  #lastReport: NetcheckReport | undefined
  #lastFullMs = Number.NEGATIVE_INFINITY
  #lastRunMs = Number.NEGATIVE_INFINITY
  #toldInfo: NetInfo | undefined
  #cancelTimer: () => void = () => {}
  #cancelHomeCheck: (() => void) | undefined
  #waiters: Waiter[] = []
  #again: { full: boolean; why: string } | undefined
  #stopped = false

  constructor(deps: NetcheckerDeps, facts: NetcheckerFacts) {
    this.#deps = deps
    this.#facts = facts
    this.#targets = new NetcheckTargets(deps.env.clock, deps.resolve)
    this.#homeRegion = new HomeRegion({ env: deps.env, heardAtMs: deps.heardAtMs, onHome: (region) => facts.onHome(region) })
  }

  get lastReport(): NetcheckReport | undefined {
    return this.#lastReport
  }

  get home(): number {
    return this.#homeRegion.region
  }

  /** When the last run began, monotonic. */
  get lastRunMs(): number {
    return this.#lastRunMs
  }

  get isRunning(): boolean {
    return this.#run !== undefined || this.#preparing
  }

  setMap(map: DerpMap): void {
    this.#map = map
    this.#abandon()
    this.#lastFullMs = Number.NEGATIVE_INFINITY
    this.#homeRegion.setMap(map)
  }

  /** Takes a region as home until measurements say otherwise; only while there is no home and the map has it. */
  keepHome(region: number): void {
    this.#homeRegion.keep(region)
  }

  setNodeSeed(seed: string): void {
    this.#homeRegion.setNodeSeed(seed)
  }

  /** Prefers a region as home while it answers; 0 = no more. */
  forceHome(region: number): void {
    this.#homeRegion.force(region)
    this.start(true, region === 0 ? 'no home is forced any more' : 'a person forces the home relay')
  }

  /** Another home until the next report; false when there is none. */
  pickNewHome(): boolean {
    if (!this.#homeRegion.moveAway()) return false
    if (this.#lastReport) this.#tell({ ...this.#lastReport, preferredDerp: this.home })
    return true
  }

  /** Whether the server can tell peers of another home; until then it stays. */
  setServerReachable(isReachable: boolean): void {
    if (this.#homeRegion.setCanTellPeers(isReachable)) this.start(false, 'peers can be told of another home again')
  }

  /** What port mapping knows of the gateway. */
  setPortMap(facts: PortMapFacts): void {
    this.#portMap = facts
    if (this.#lastReport) this.#tell({ ...this.#lastReport, upnp: facts.upnp, pmp: facts.pmp, pcp: facts.pcp })
  }

  /** The relay's connection: once home's is lost and stays so, another region should be home. */
  handleRelayState(region: number, state: 'connecting' | 'connected' | 'lost'): void {
    if (region !== this.home) return
    if (state === 'connected') {
      this.#cancelHomeCheck?.()
      this.#cancelHomeCheck = undefined
    }
    if (state !== 'lost') return
    const { clock } = this.#deps.env
    if (clock.nowMs() - this.#lastRunMs >= HOME_LOST_CHECK_MS) this.start(true, 'the home relay was lost')
    const heardAgoMs = clock.nowMs() - (this.#deps.heardAtMs(region) ?? Number.NEGATIVE_INFINITY)
    if (heardAgoMs >= HEARD_RECENTLY_MS) return
    this.#cancelHomeCheck ??= clock.after(HEARD_RECENTLY_MS - heardAgoMs, () => {
      this.#cancelHomeCheck = undefined
      if (region === this.home) this.start(true, 'the home relay did not come back', true)
    })
  }

  /** Starts a run, or another one after the running one when that is not as full. `fresh`: what runs is out of date. */
  start(full: boolean, why: string, fresh = false): void {
    if (!this.#canRun()) return
    if (fresh) this.#abandon()
    if (this.isRunning) {
      if (full && this.#run?.isFull !== true) this.#again = { full, why }
      return
    }
    this.#preparing = true
    void this.#prepare(++this.#generation, full || this.#isFullDue(), why)
  }

  /** A report from a run that starts now or is under way; `full`: one that looks at every region. */
  report(full = true): Promise<NetcheckReport> {
    return new Promise((resolve) => {
      if (!this.#canRun()) {
        resolve(this.#lastReport ?? this.#emptyReport())
        return
      }
      this.#waiters.push({ full, resolve })
      this.start(full, 'a report was asked for')
    })
  }

  /** Whether a portal answers in place of the relays; undefined: nobody could be asked. */
  async findPortal(): Promise<boolean | undefined> {
    return this.#deps.ports.portal?.(this.#map, this.home)
  }

  /** A STUN datagram; anything that no probe waits for is dropped (false). */
  handleStun(bytes: Uint8Array): boolean {
    const reply = decodeStunResponse(bytes)
    if (isDecodeError(reply)) return false
    const text = toHex(reply.txId)
    const probe = this.#probes.get(text)
    if (!probe) return false
    this.#probes.delete(text)
    const known = probe.run.handleReply(this.#deps.env.clock.nowMs(), probe.probeId, reply.mapped)
    this.#drain()
    return known
  }

  /** Nothing can be sent to this address. */
  handleUnreachable(to: AddrPort): void {
    if (!this.#run) return
    this.#run.handleUnreachable(this.#deps.env.clock.nowMs(), to)
    this.#drain()
  }

  stop(): void {
    this.#stopped = true
    this.#abandon()
    this.#cancelHomeCheck?.()
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(this.#lastReport ?? this.#emptyReport())
  }

  #canRun(): boolean {
    return !this.#stopped && this.#deps.isReady() && Object.keys(this.#map.Regions).length > 0
  }

  #isFullDue(): boolean {
    // A portal that kept us from measuring may have let us through.
    const wasHeldBack = this.#lastReport?.udp === false && this.#lastReport.captivePortal === true
    return wasHeldBack || this.#deps.env.clock.nowMs() - this.#lastFullMs >= FULL_EVERY_MS
  }

  #emptyReport(): NetcheckReport {
    return new NetcheckRun(0, [], { isFull: true, can: [] }).report(this.#deps.env.clock.wallMs(), this.#knownFacts)
  }

  get #knownFacts(): NetcheckFacts {
    return { osHasIpv6: this.#osHasIpv6, portMap: this.#portMap }
  }

  #abandon(): void {
    this.#generation++
    this.#run = undefined
    this.#preparing = false
    this.#probes.clear()
    this.#cancelTimer()
  }

  async #prepare(generation: number, full: boolean, why: string): Promise<void> {
    const families = familiesOf(this.#deps.interfaces())
    const { osHasIpv6, portal, httpsLatency } = this.#deps.ports
    const [targets, hasIpv6] = await Promise.all([this.#targets.of(this.#map, families), osHasIpv6?.() ?? families.hasV6])
    if (this.#stopped || generation !== this.#generation) return
    this.#preparing = false
    this.#osHasIpv6 = hasIpv6
    const { clock, journal } = this.#deps.env
    const last = full ? undefined : this.#lastReport
    const isFull = last === undefined || last.regionLatencyMs.size === 0
    this.#lastRunMs = clock.nowMs()
    if (isFull) this.#lastFullMs = clock.nowMs()
    this.#probes.clear()
    const plan = probePlan({ targets, map: this.#map, last, home: this.home })
    journal.add({ part: 'netcheck', kind: 'run', why, full: isFull, probes: plan.length })
    const can: NetcheckWant[] = [...(portal ? ['captive-portal' as const] : []), ...(httpsLatency ? ['other-ways' as const] : [])]
    this.#run = new NetcheckRun(clock.nowMs(), plan, { isFull, can })
    this.#drain()
  }

  #drain(): void {
    const run = this.#run
    if (!run) return
    for (const { probeId, to } of run.takeOutput()) {
      const txId = this.#deps.env.random.bytes(STUN_TX_ID_BYTES)
      this.#probes.set(toHex(txId), { run, probeId })
      this.#deps.underlay.sendUdp(to, encodeStunRequest(txId))
    }
    for (const want of run.takeWants()) void this.#ask(run, want)
    for (const event of run.takeEvents()) {
      this.#deps.env.journal.add({ part: 'netcheck', ...event })
      if (event.kind === 'settled') this.#conclude(run)
      else this.#finish(run)
    }
    this.#schedule()
  }

  async #ask(run: NetcheckRun, want: NetcheckWant): Promise<void> {
    const { ports, env } = this.#deps
    const { clock } = env
    const told = (tell: () => void): void => {
      if (this.#run !== run) return
      tell()
      this.#drain()
    }
    if (want === 'captive-portal') {
      const found = await ports.portal?.(this.#map, this.home)
      if (found !== undefined) env.journal.add({ part: 'netcheck', kind: 'portal', why: found ? 'somebody else answers plain web requests' : 'web requests reach the relays', found })
      told(() => run.handlePortal(clock.nowMs(), found))
      return
    }
    const icmpPossible = await tryOtherWays(ports, this.#map, this.home, (found) => {
      env.journal.add({ part: 'netcheck', why: 'no STUN answer so far', kind: 'other-latency', ...found })
      told(() => run.handleOtherLatency(clock.nowMs(), found))
    })
    told(() => run.handleOtherWaysTried(clock.nowMs(), icmpPossible))
  }

  #schedule(): void {
    this.#cancelTimer()
    const next = this.#run?.nextTimeout()
    if (!next) return
    const { clock } = this.#deps.env
    this.#cancelTimer = clock.after(next.atMs - clock.nowMs(), () => {
      this.#run?.handleTimeout(clock.nowMs())
      this.#drain()
    })
  }

  /** Takes over what is known: home, then endpoints and what control is told. */
  #conclude(run: NetcheckRun): void {
    const found = run.report(this.#deps.env.clock.wallMs(), this.#knownFacts)
    this.#homeRegion.choose(found, run.startMs)
    const mappingVariesByDestIp = found.mappingVariesByDestIp ?? (run.isFull ? undefined : this.#lastReport?.mappingVariesByDestIp)
    this.#tell({ ...found, preferredDerp: this.home, mappingVariesByDestIp })
  }

  #tell(report: NetcheckReport): void {
    this.#lastReport = report
    const info = toNetInfo(report, this.#portMap?.mapped)
    const isNews = this.#toldInfo === undefined || differsMaterially(info, this.#toldInfo)
    this.#facts.onReport(report)
    if (!isNews) return
    this.#toldInfo = info
    this.#facts.onNetInfo(info)
  }

  #finish(run: NetcheckRun): void {
    this.#run = undefined
    this.#conclude(run)
    const report = this.#lastReport!
    this.#homeRegion.remember(report)
    const served = this.#waiters.filter((one) => run.isFull || !one.full)
    this.#waiters = this.#waiters.filter((one) => !served.includes(one))
    for (const { resolve } of served) resolve(report)
    const again = this.#again
    this.#again = undefined
    if (again) this.start(again.full, again.why)
  }
}
