/**
 * Runs netchecks over the WireGuard sockets: when, against which relays, and what follows from the result. Keeps the home
 * region, the last report, and what control was told.
 *
 * The first run and one every 5 minutes are full, others look at home and the fastest regions. Between runs there is
 * silence unless the caller asks (traffic, a change of networks, a person).
 */
import type { Env } from '../base/env.ts'
import type { AddrPort } from '../base/ip.ts'
import { isIp4, isLinkLocalIp, isLoopbackIp, isTailscaleIp, parseIp } from '../base/ip.ts'
import { isDecodeError } from '../base/errors.ts'
import { toHex } from '../base/bytes.ts'
import { chooseHome } from '../core/netcheck/home.ts'
import { probePlan, stunPort } from '../core/netcheck/plan.ts'
import type { ProbeTarget } from '../core/netcheck/plan.ts'
import type { NetcheckReport, PortMapFacts } from '../core/netcheck/report.ts'
import { differsMaterially, toNetInfo } from '../core/netcheck/report.ts'
import { NetcheckRun } from '../core/netcheck/run.ts'
import { decodeStunResponse, encodeStunRequest, STUN_TX_ID_BYTES } from '../core/stun/stun.ts'
import type { DerpMap, DerpNode, NetInfo } from '../core/tailcfg/types.ts'
import type { LocalInterface, Resolve, Underlay } from './ports.ts'

const FULL_EVERY_MS = 5 * 60_000
/** Round trips this old still count for the home choice. */
const HISTORY_MS = 5 * 60_000
/** Longest wait for names of relays before the measurable ones are probed. */
const RESOLVE_TIMEOUT_MS = 1000

export interface NetcheckerDeps {
  readonly env: Env
  readonly underlay: Underlay
  readonly interfaces: () => readonly LocalInterface[]
  readonly resolve: Resolve | undefined
  readonly isRelayConnected: (region: number) => boolean
}

export interface NetcheckerFacts {
  /** Endpoints may be others; told when a run settles and when it ends. */
  onReport(report: NetcheckReport): void
  onHome(region: number): void
  onNetInfo(info: NetInfo): void
}

export class Netchecker {
  readonly #deps: NetcheckerDeps
  readonly #facts: NetcheckerFacts
  #map: DerpMap = { Regions: {} }
  #nodeSeed = ''
  #home = 0
  #run: NetcheckRun | undefined
  #preparing = false
  /** Which start the preparation under way belongs to. */
  #generation = 0
  #families = { hasV4: true, hasV6: false }
  #portMap: PortMapFacts | undefined
  readonly #probes = new Map<string, { run: NetcheckRun; probeId: number }>()
  #lastReport: NetcheckReport | undefined
  #lastFullMs = Number.NEGATIVE_INFINITY
  #lastRunMs = Number.NEGATIVE_INFINITY
  #history: { atMs: number; latencies: ReadonlyMap<number, number> }[] = []
  #toldInfo: NetInfo | undefined
  #cancelTimer: () => void = () => {}
  #waiters: ((report: NetcheckReport) => void)[] = []
  #again: { full: boolean; why: string } | undefined
  #stopped = false

  constructor(deps: NetcheckerDeps, facts: NetcheckerFacts) {
    this.#deps = deps
    this.#facts = facts
  }

  get lastReport(): NetcheckReport | undefined {
    return this.#lastReport
  }

  get home(): number {
    return this.#home
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
    if (this.#home !== 0 && map.Regions[String(this.#home)] === undefined) this.#setHome(0, 'the region left the map')
  }

  /** Takes a region as home until measurements say otherwise; only while there is no home and the map has it. */
  keepHome(region: number): void {
    if (this.#home === 0 && this.#map.Regions[String(region)] !== undefined) this.#setHome(region, 'others know us there')
  }

  setNodeSeed(seed: string): void {
    this.#nodeSeed = seed
  }

  /** What port mapping knows of the gateway. */
  setPortMap(facts: PortMapFacts): void {
    this.#portMap = facts
    if (this.#lastReport) this.#tell({ ...this.#lastReport, upnp: facts.upnp, pmp: facts.pmp, pcp: facts.pcp })
  }

  /** Starts a run, or another one after the running one when that is not as full. `fresh`: what runs is out of date. */
  start(full: boolean, why: string, fresh = false): void {
    if (this.#stopped || Object.keys(this.#map.Regions).length === 0) return
    if (fresh) this.#abandon()
    if (this.isRunning) {
      if (full && this.#run?.isFull !== true) this.#again = { full, why }
      return
    }
    this.#preparing = true
    void this.#prepare(++this.#generation, full || this.#deps.env.clock.nowMs() - this.#lastFullMs >= FULL_EVERY_MS, why)
  }

  /** A full report, from a run that starts now or is under way. */
  report(): Promise<NetcheckReport> {
    return new Promise((resolve) => {
      if (this.#stopped || Object.keys(this.#map.Regions).length === 0) {
        resolve(this.#lastReport ?? new NetcheckRun(0, [], true).report(this.#deps.env.clock.wallMs(), this.#families))
        return
      }
      this.#waiters.push(resolve)
      this.start(true, 'a report was asked for')
    })
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

  stop(): void {
    this.#stopped = true
    this.#cancelTimer()
    this.#run = undefined
    this.#probes.clear()
    for (const waiter of this.#waiters.splice(0)) waiter(this.#lastReport ?? new NetcheckRun(0, [], true).report(this.#deps.env.clock.wallMs(), this.#families))
  }

  #abandon(): void {
    this.#generation++
    this.#run = undefined
    this.#preparing = false
    this.#probes.clear()
    this.#cancelTimer()
  }

  async #prepare(generation: number, full: boolean, why: string): Promise<void> {
    this.#families = familiesOf(this.#deps.interfaces())
    const targets = await this.#targets()
    if (this.#stopped || generation !== this.#generation) return
    this.#preparing = false
    const { clock } = this.#deps.env
    const last = full ? undefined : this.#lastReport?.regionLatencyMs
    this.#lastRunMs = clock.nowMs()
    if (full) this.#lastFullMs = clock.nowMs()
    this.#probes.clear()
    const plan = probePlan({ targets, map: this.#map, last, home: this.#home })
    this.#deps.env.journal.add({ part: 'netcheck', kind: 'run', why, full, probes: plan.length })
    this.#run = new NetcheckRun(clock.nowMs(), plan, full)
    this.#drain()
  }

  async #targets(): Promise<ProbeTarget[]> {
    const perRegion = Object.values(this.#map.Regions).map(async (region) => {
      const found: Record<4 | 6, AddrPort[]> = { 4: [], 6: [] }
      for (const node of region.Nodes ?? []) {
        const port = stunPort(node.STUNPort)
        if (port === undefined) continue
        for (const ip of await this.#addressesOf(node)) found[isIp4(ip) ? 4 : 6].push({ ip, port })
      }
      return ([4, 6] as const)
        .filter((family) => found[family].length > 0 && (family === 4 ? this.#families.hasV4 : this.#families.hasV6 || found[6].every((one) => isLoopbackIp(one.ip))))
        .map((family): ProbeTarget => ({ region: region.RegionID, family, addrs: found[family] }))
    })
    return (await Promise.all(perRegion)).flat()
  }

  async #addressesOf(node: DerpNode): Promise<readonly string[]> {
    if (node.STUNTestIP) return [node.STUNTestIP]
    const off = (field: string | undefined): boolean => field !== undefined && field !== '' && parseIp(field) === undefined
    const literals = [node.IPv4, node.IPv6, node.HostName].filter((text): text is string => text !== undefined && parseIp(text) !== undefined)
    if (literals.length > 0) return [...new Set(literals)]
    if (!this.#deps.resolve) return []
    const names = await Promise.race([this.#deps.resolve(node.HostName).catch(() => []), this.#after(RESOLVE_TIMEOUT_MS)])
    return names.filter((ip) => !off(isIp4(ip) ? node.IPv4 : node.IPv6))
  }

  #after(ms: number): Promise<readonly string[]> {
    return new Promise((resolve) => void this.#deps.env.clock.after(ms, () => resolve([])))
  }

  #drain(): void {
    const run = this.#run
    if (!run) return
    for (const { probeId, to } of run.takeOutput()) {
      const txId = this.#deps.env.random.bytes(STUN_TX_ID_BYTES)
      this.#probes.set(toHex(txId), { run, probeId })
      this.#deps.underlay.sendUdp(to, encodeStunRequest(txId))
    }
    for (const event of run.takeEvents()) {
      this.#deps.env.journal.add({ part: 'netcheck', ...event })
      if (event.kind === 'settled') this.#conclude(run)
      else this.#finish(run)
    }
    this.#schedule()
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
    const { clock } = this.#deps.env
    const found = run.report(clock.wallMs(), this.#families)
    this.#chooseHome(found)
    const mappingVariesByDestIp = found.mappingVariesByDestIp ?? (run.isFull ? undefined : this.#lastReport?.mappingVariesByDestIp)
    this.#tell({ ...found, preferredDerp: this.#home, mappingVariesByDestIp, upnp: this.#portMap?.upnp, pmp: this.#portMap?.pmp, pcp: this.#portMap?.pcp })
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
    const { clock } = this.#deps.env
    this.#run = undefined
    this.#conclude(run)
    const report = this.#lastReport!
    this.#history.push({ atMs: clock.nowMs(), latencies: report.regionLatencyMs })
    if (this.#history.length > 64) this.#history.shift()
    if (run.isFull) for (const waiter of this.#waiters.splice(0)) waiter(report)
    const again = this.#again
    this.#again = undefined
    if (again) this.start(again.full, again.why)
  }

  #chooseHome(found: NetcheckReport): void {
    const choice = chooseHome({
      current: found.regionLatencyMs,
      recent: this.#recentLatencies(found),
      map: this.#map,
      oldHome: this.#home,
      oldHomeConnected: this.#home !== 0 && this.#deps.isRelayConnected(this.#home),
      nodeSeed: this.#nodeSeed,
    })
    this.#setHome(choice.region, choice.why)
  }

  #recentLatencies(found: NetcheckReport): Map<number, number> {
    const sinceMs = this.#deps.env.clock.nowMs() - HISTORY_MS
    this.#history = this.#history.filter((one) => one.atMs >= sinceMs)
    const best = new Map(found.regionLatencyMs)
    for (const { latencies } of this.#history) {
      for (const [region, ms] of latencies) best.set(region, Math.min(ms, best.get(region) ?? Number.POSITIVE_INFINITY))
    }
    return best
  }

  #setHome(region: number, why: string): void {
    if (region === this.#home) return
    this.#deps.env.journal.add({ part: 'netcheck', kind: 'home', why, from: this.#home, region })
    this.#deps.env.log.info(`home relay ${this.#home} → ${region} (${why})`)
    this.#home = region
    this.#facts.onHome(region)
  }
}

/** Which families have an address that reaches beyond this link; loopback counts when there is nothing else. */
function familiesOf(interfaces: readonly LocalInterface[]): { hasV4: boolean; hasV6: boolean } {
  const outside = interfaces.map((one) => one.ip).filter((ip) => parseIp(ip) !== undefined && !isLoopbackIp(ip) && !isLinkLocalIp(ip) && !isTailscaleIp(ip))
  const hasV6 = outside.some((ip) => !isIp4(ip))
  return { hasV4: outside.some(isIp4) || !hasV6, hasV6 }
}
