/**
 * One look at the network: STUN requests out, answers in, until nothing more can change the outcome. Pure machine.
 *
 *   running ──settled──▶ running ──done──▶ done
 *
 * `settled` comes as soon as the home choice is certain enough to act on: every region that could still be nearest had
 * its chance, or nothing at all answered. `done` comes when every question has its answer or has become idle, some time
 * after three regions have answered, or at the end of time. A login waits for the first, a person's report for the second.
 * While nothing answers, other questions are wanted: whether a portal holds web requests back (in full runs, after
 * 200 ms), then what round trips the relays have by other ways than UDP. Answers to them count only while STUN is silent.
 * Source for the end rules: tailscale net/netcheck/netcheck.go (GetReport, probeWouldHelp) @ de9ec7e, read 2026-08.
 */
import type { AddrPort } from '../../base/ip.ts'
import { formatAddrPort, isIp4, isLinkLocalIp, isLoopbackIp, isMulticastIp, isTailscaleIp, isUnspecifiedIp } from '../../base/ip.ts'
import type { PlannedProbe } from './plan.ts'
import type { NetcheckReport, PortMapFacts } from './report.ts'

const PROBE_TIMEOUT_MS = 3000
const REPORT_TIMEOUT_MS = 5000
const PORTAL_AFTER_MS = 200
const OTHER_WAYS_AFTER_MS = 600
/** Silence for so long settles a run, unless other ways are being tried; then they get as long again. */
const NO_ANSWER_SETTLES_MS = 1000
const ENOUGH_REGIONS = 3
/** A region that lost its first request gets the answer to its second within this. */
const RETRY_MS = 100
const SLACK_MS = 20

export interface ProbeOutput {
  readonly probeId: number
  readonly region: number
  readonly to: AddrPort
}

export type NetcheckEvent = { readonly kind: 'settled' | 'done'; readonly answers: number; readonly why: string }

/** Questions beside STUN. */
export type NetcheckWant = 'captive-portal' | 'other-ways'

export type OtherLatency = { readonly region: number; readonly way: 'https' | 'icmp'; readonly family: 4 | 6; readonly ms: number }

/** What is known of this machine beside the answers. */
export interface NetcheckFacts {
  readonly osHasIpv6: boolean
  readonly portMap: PortMapFacts | undefined
}

export interface RunOptions {
  readonly isFull: boolean
  /** Questions beside STUN that somebody here can ask. */
  readonly can: readonly NetcheckWant[]
}

interface Sent {
  readonly probe: PlannedProbe
  readonly sentMs: number
}

export class NetcheckRun {
  readonly isFull: boolean
  readonly startMs: number
  readonly #plan: PlannedProbe[]
  readonly #can: Set<NetcheckWant>
  /** "region family" pairs whose answer is waited for. */
  readonly #open = new Set<string>()
  readonly #sent = new Map<number, Sent>()
  /** Families with a request that the system took. */
  readonly #tried = { 4: 0, 6: 0 }
  readonly #v4 = new Map<number, number>()
  readonly #v6 = new Map<number, number>()
  readonly #https = new Map<number, number>()
  readonly #icmp = new Map<number, number>()
  readonly #otherFamilies = new Set<4 | 6>()
  readonly #globalV4 = new Map<string, number>()
  readonly #globalV6 = new Map<string, number>()
  #firstV4: AddrPort | undefined
  #lastV6: AddrPort | undefined
  /** First sight of each server: what address it saw. */
  readonly #seenBy = new Map<string, string>()
  /** When the last pair's first request leaves, after the start. */
  #latest = 0
  readonly #asked = new Set<NetcheckWant>()
  #icmpPossible = false
  #captivePortal: boolean | undefined
  #answers = 0
  #nextProbeId = 1
  #enoughUntilMs: number | undefined
  #settled = false
  #done = false
  #output: ProbeOutput[] = []
  #wants: NetcheckWant[] = []
  #events: NetcheckEvent[] = []

  /** `plan` as probePlan gives it. */
  constructor(nowMs: number, plan: readonly PlannedProbe[], { isFull, can }: RunOptions) {
    this.startMs = nowMs
    this.#plan = [...plan]
    this.isFull = isFull
    this.#can = new Set(can.filter((want) => isFull || want !== 'captive-portal'))
    for (const probe of plan) {
      if (!this.#open.has(pair(probe))) this.#latest = probe.delayMs
      this.#open.add(pair(probe))
    }
    this.handleTimeout(nowMs)
  }

  get isDone(): boolean {
    return this.#done
  }

  get isSettled(): boolean {
    return this.#settled
  }

  /** STUN answers so far. */
  get answers(): number {
    return this.#answers
  }

  /** An answer to a request; false when nobody waits for it, or when it names an address that cannot be ours outside. */
  handleReply(nowMs: number, probeId: number, mapped: AddrPort): boolean {
    const sent = this.#sent.get(probeId)
    if (!sent || this.#done || !isPlausible(mapped, sent.probe)) return false
    this.#sent.delete(probeId)
    this.#answers++
    const { region, family, to } = sent.probe
    const latencyMs = nowMs - sent.sentMs
    const latencies = family === 4 ? this.#v4 : this.#v6
    const known = this.#regionsHeard().size
    keepLeast(latencies, region, latencyMs)
    const text = formatAddrPort(mapped)
    const counters = family === 4 ? this.#globalV4 : this.#globalV6
    counters.set(text, (counters.get(text) ?? 0) + 1)
    if (family === 4) {
      this.#firstV4 ??= mapped
      this.#seenBy.set(formatAddrPort(to), text)
    } else this.#lastV6 = mapped
    this.#close(sent.probe)
    if (known < ENOUGH_REGIONS && this.#regionsHeard().size === ENOUGH_REGIONS) {
      const slowestMs = Math.max(...this.#bestByRegion().values())
      this.#enoughUntilMs = nowMs + slowestMs * (this.isFull ? 2 : 1)
    }
    this.handleTimeout(nowMs)
    return true
  }

  /** The system had no way to send to this address. */
  handleUnreachable(nowMs: number, to: AddrPort): void {
    for (const [probeId, { probe }] of this.#sent) {
      if (probe.to.ip !== to.ip || probe.to.port !== to.port) continue
      this.#sent.delete(probeId)
      this.#tried[probe.family]--
      const isAlive = [...this.#sent.values()].some((one) => pair(one.probe) === pair(probe)) || this.#plan.some((one) => pair(one) === pair(probe))
      if (!isAlive) this.#close(probe)
    }
    this.handleTimeout(nowMs)
  }

  /** The portal question is answered; undefined: there was nobody to ask. */
  handlePortal(nowMs: number, found: boolean | undefined): void {
    this.#captivePortal = this.#answers === 0 ? found : undefined
    this.#asked.delete('captive-portal')
    this.handleTimeout(nowMs)
  }

  handleOtherLatency(nowMs: number, { region, way, family, ms }: OtherLatency): void {
    keepLeast(way === 'https' ? this.#https : this.#icmp, region, ms)
    this.#otherFamilies.add(family)
    this.handleTimeout(nowMs)
  }

  /** All other ways were tried; `icmpPossible`: the system lets this process ask by ICMP. */
  handleOtherWaysTried(nowMs: number, icmpPossible: boolean): void {
    this.#icmpPossible = icmpPossible
    this.#asked.delete('other-ways')
    this.handleTimeout(nowMs)
  }

  handleTimeout(nowMs: number): void {
    if (this.#done) return
    while (this.#plan.length > 0 && this.startMs + this.#plan[0]!.delayMs <= nowMs) this.#send(nowMs, this.#plan.shift()!)
    if (this.#answers === 0) {
      this.#want(nowMs, 'captive-portal', PORTAL_AFTER_MS)
      this.#want(nowMs, 'other-ways', OTHER_WAYS_AFTER_MS)
    }
    const why = this.#doneWhy(nowMs)
    if (!this.#settled && (why !== undefined || nowMs >= this.#settlesAtMs())) {
      this.#settled = true
      this.#events.push({ kind: 'settled', answers: this.#answers, why: why ?? (this.#answers > 0 ? 'no other region can be nearer' : 'nothing has answered so far') })
    }
    if (why === undefined) return
    this.#done = true
    this.#events.push({ kind: 'done', answers: this.#answers, why })
  }

  nextTimeout(): { atMs: number; why: string } | undefined {
    if (this.#done) return undefined
    const times = [this.#endsAtMs()]
    if (this.#plan.length > 0) times.push(this.startMs + this.#plan[0]!.delayMs)
    if (!this.#settled) times.push(this.#settlesAtMs())
    if (this.#answers === 0 && this.#can.has('captive-portal')) times.push(this.startMs + PORTAL_AFTER_MS)
    if (this.#answers === 0 && this.#can.has('other-ways')) times.push(this.startMs + OTHER_WAYS_AFTER_MS)
    return { atMs: Math.min(...times), why: 'netcheck' }
  }

  takeOutput(): ProbeOutput[] {
    const out = this.#output
    this.#output = []
    return out
  }

  /** What is to be asked beside STUN; answered by handlePortal and handleOtherWaysTried. */
  takeWants(): NetcheckWant[] {
    const out = this.#wants
    this.#wants = []
    return out
  }

  takeEvents(): NetcheckEvent[] {
    const out = this.#events
    this.#events = []
    return out
  }

  /** What is known by now; `preferredDerp` is the caller's to fill. */
  report(wallMs: number, { osHasIpv6, portMap }: NetcheckFacts): NetcheckReport {
    const isBlocked = this.#answers === 0
    const latency = this.#bestByRegion()
    if (isBlocked) for (const [region, ms] of [...this.#https, ...this.#icmp]) keepLeast(latency, region, ms)
    const seen = new Set(this.#seenBy.values())
    return {
      wallMs,
      udp: !isBlocked,
      ipv4: this.#v4.size > 0 || (isBlocked && this.#otherFamilies.has(4)),
      ipv6: this.#v6.size > 0 || (isBlocked && this.#otherFamilies.has(6)),
      ipv4CanSend: this.#tried[4] > 0,
      ipv6CanSend: this.#tried[6] > 0,
      osHasIpv6,
      icmpV4: isBlocked && this.#icmpPossible ? this.#icmp.size > 0 : undefined,
      mappingVariesByDestIp: seen.size > 1 ? true : this.#seenBy.size > 1 ? false : undefined,
      upnp: portMap?.upnp,
      pmp: portMap?.pmp,
      pcp: portMap?.pcp,
      captivePortal: isBlocked ? this.#captivePortal : undefined,
      preferredDerp: 0,
      regionLatencyMs: latency,
      regionV4LatencyMs: new Map(this.#v4),
      regionV6LatencyMs: new Map(this.#v6),
      httpsLatencyMs: new Map(isBlocked ? this.#https : []),
      globalV4: this.#firstV4,
      globalV6: this.#lastV6,
      globalV4Counters: new Map(this.#globalV4),
      globalV6Counters: new Map(this.#globalV6),
    }
  }

  #send(nowMs: number, probe: PlannedProbe): void {
    if (!this.#open.has(pair(probe))) return
    if (!this.#wouldHelp(probe)) {
      this.#close(probe)
      return
    }
    const probeId = this.#nextProbeId++
    this.#sent.set(probeId, { probe, sentMs: nowMs })
    this.#tried[probe.family]++
    this.#output.push({ probeId, region: probe.region, to: probe.to })
  }

  /** Whether an answer could tell anything that is not known yet. */
  #wouldHelp({ region, family }: PlannedProbe): boolean {
    if (!this.#v4.has(region) && !this.#v6.has(region)) return true
    return family === 6 ? this.#v6.size === 0 : this.#seenBy.size < 2
  }

  #close(probe: PlannedProbe): void {
    this.#open.delete(pair(probe))
  }

  #want(nowMs: number, want: NetcheckWant, afterMs: number): void {
    // With no STUN request under way there is nothing to wait for.
    if ((this.#open.size > 0 && nowMs < this.startMs + afterMs) || !this.#can.delete(want)) return
    this.#asked.add(want)
    this.#wants.push(want)
  }

  #bestByRegion(): Map<number, number> {
    const best = new Map(this.#v4)
    for (const [region, ms] of this.#v6) keepLeast(best, region, ms)
    return best
  }

  #settlesAtMs(): number {
    if (this.#answers === 0) {
      const isTrying = this.#asked.has('other-ways')
      return this.startMs + NO_ANSWER_SETTLES_MS * (isTrying ? 2 : 1)
    }
    const nearestMs = Math.min(...this.#v4.values(), ...this.#v6.values())
    return this.startMs + this.#latest + RETRY_MS + 2 * nearestMs + SLACK_MS
  }

  #regionsHeard(): Set<number> {
    return new Set([...this.#v4.keys(), ...this.#v6.keys()])
  }

  #endsAtMs(): number {
    const isAsking = this.#answers === 0 && this.#asked.size > 0
    const lastMs = this.startMs + (isAsking ? REPORT_TIMEOUT_MS : PROBE_TIMEOUT_MS)
    return Math.min(lastMs, this.#enoughUntilMs ?? lastMs)
  }

  #doneWhy(nowMs: number): string | undefined {
    const mayAskOn = this.#answers === 0 && (this.#asked.size > 0 || this.#can.has('other-ways'))
    if (this.#open.size === 0 && !mayAskOn) return this.#answers > 0 ? 'all have answered' : 'nobody can be asked'
    if (nowMs < this.#endsAtMs()) return undefined
    return this.#enoughUntilMs !== undefined ? 'enough regions have answered' : 'the others did not answer in time'
  }
}

/** A server may say anything: peers would be told to knock there. Only a server on loopback sees us on loopback. */
function isPlausible({ ip, port }: AddrPort, { family, to }: PlannedProbe): boolean {
  if (port === 0 || isIp4(ip) !== (family === 4)) return false
  if (isMulticastIp(ip) || isUnspecifiedIp(ip) || isTailscaleIp(ip) || isLinkLocalIp(ip)) return false
  return !isLoopbackIp(ip) || isLoopbackIp(to.ip)
}

function keepLeast(latencies: Map<number, number>, region: number, ms: number): void {
  latencies.set(region, Math.min(ms, latencies.get(region) ?? Number.POSITIVE_INFINITY))
}

function pair(probe: PlannedProbe): string {
  return `${probe.region} ${probe.family}`
}
