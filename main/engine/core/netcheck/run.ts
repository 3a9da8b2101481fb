/**
 * One look at the network: STUN requests out, answers in, until nothing more can change the outcome. Pure machine.
 *
 *   running ──settled──▶ running ──done──▶ done
 *
 * `settled` comes as soon as the home choice is certain enough to act on: every region that could still be nearest had
 * its chance, or nothing at all answered for a second. `done` comes when all have answered, when three regions have and
 * the others are twice as late, or at the end of time. A login waits for the first, a person's report for the second.
 * Source for the end rules: tailscale net/netcheck/netcheck.go @ de9ec7e, read 2026-08.
 */
import type { AddrPort } from '../../base/ip.ts'
import { formatAddrPort } from '../../base/ip.ts'
import type { PlannedProbe } from './plan.ts'
import type { NetcheckReport } from './report.ts'

const PROBE_TIMEOUT_MS = 3000
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

interface Sent {
  readonly probe: PlannedProbe
  readonly sentMs: number
}

export class NetcheckRun {
  readonly isFull: boolean
  readonly #startMs: number
  readonly #plan: PlannedProbe[]
  /** "region family" pairs that have not answered. */
  readonly #open = new Set<string>()
  readonly #sent = new Map<number, Sent>()
  readonly #v4 = new Map<number, number>()
  readonly #v6 = new Map<number, number>()
  readonly #globalV4 = new Map<string, number>()
  readonly #globalV6 = new Map<string, number>()
  #firstV4: AddrPort | undefined
  #lastV6: AddrPort | undefined
  /** First sight of each server: what address it saw. */
  readonly #seenBy = new Map<string, string>()
  readonly #latest: number
  #answers = 0
  #nextProbeId = 1
  #settled = false
  #done = false
  #output: ProbeOutput[] = []
  #events: NetcheckEvent[] = []

  /** `plan` as probePlan gives it. */
  constructor(nowMs: number, plan: readonly PlannedProbe[], isFull: boolean) {
    this.#startMs = nowMs
    this.#plan = [...plan]
    this.isFull = isFull
    for (const probe of plan) this.#open.add(pair(probe))
    this.#latest = plan.reduce((most, probe) => Math.max(most, firstDelay(plan, probe)), 0)
    this.handleTimeout(nowMs)
  }

  get isDone(): boolean {
    return this.#done
  }

  get isSettled(): boolean {
    return this.#settled
  }

  /** An answer to a request; false when nobody waits for it. */
  handleReply(nowMs: number, probeId: number, mapped: AddrPort): boolean {
    const sent = this.#sent.get(probeId)
    if (!sent) return false
    this.#sent.delete(probeId)
    this.#answers++
    const { region, family, to } = sent.probe
    const latencyMs = nowMs - sent.sentMs
    const latencies = family === 4 ? this.#v4 : this.#v6
    latencies.set(region, Math.min(latencyMs, latencies.get(region) ?? Number.POSITIVE_INFINITY))
    const text = formatAddrPort(mapped)
    const counters = family === 4 ? this.#globalV4 : this.#globalV6
    counters.set(text, (counters.get(text) ?? 0) + 1)
    if (family === 4) {
      this.#firstV4 ??= mapped
      this.#seenBy.set(formatAddrPort(to), text)
    } else this.#lastV6 = mapped
    this.#open.delete(pair(sent.probe))
    this.handleTimeout(nowMs)
    return true
  }

  handleTimeout(nowMs: number): void {
    if (this.#done) return
    while (this.#plan.length > 0 && this.#startMs + this.#plan[0]!.delayMs <= nowMs) this.#send(nowMs, this.#plan.shift()!)
    const why = this.#doneWhy(nowMs)
    if (!this.#settled && (why !== undefined || nowMs >= this.#settlesAtMs())) {
      this.#settled = true
      this.#events.push({ kind: 'settled', answers: this.#answers, why: why ?? (this.#answers > 0 ? 'no other region can be nearer' : 'nothing has answered for a second') })
    }
    if (why === undefined) return
    this.#done = true
    this.#events.push({ kind: 'done', answers: this.#answers, why })
  }

  nextTimeout(): { atMs: number; why: string } | undefined {
    if (this.#done) return undefined
    const times = [this.#endsAtMs()]
    if (this.#plan.length > 0) times.push(this.#startMs + this.#plan[0]!.delayMs)
    if (!this.#settled) times.push(this.#settlesAtMs())
    return { atMs: Math.min(...times), why: 'netcheck' }
  }

  takeOutput(): ProbeOutput[] {
    const out = this.#output
    this.#output = []
    return out
  }

  takeEvents(): NetcheckEvent[] {
    const out = this.#events
    this.#events = []
    return out
  }

  /** What is known by now; `preferredDerp` is the caller's to fill. */
  report(wallMs: number, facts: { hasV4: boolean; hasV6: boolean }): NetcheckReport {
    const latency = new Map(this.#v4)
    for (const [region, ms] of this.#v6) latency.set(region, Math.min(ms, latency.get(region) ?? Number.POSITIVE_INFINITY))
    const seen = new Set(this.#seenBy.values())
    return {
      wallMs,
      udp: this.#answers > 0,
      ipv4: this.#v4.size > 0,
      ipv6: this.#v6.size > 0,
      ipv4CanSend: facts.hasV4,
      ipv6CanSend: facts.hasV6,
      osHasIpv6: facts.hasV6,
      icmpV4: undefined,
      mappingVariesByDestIp: seen.size > 1 ? true : this.#seenBy.size > 1 ? false : undefined,
      upnp: undefined,
      pmp: undefined,
      pcp: undefined,
      captivePortal: undefined,
      preferredDerp: 0,
      regionLatencyMs: latency,
      regionV4LatencyMs: new Map(this.#v4),
      regionV6LatencyMs: new Map(this.#v6),
      globalV4: this.#firstV4,
      globalV6: this.#lastV6,
      globalV4Counters: new Map(this.#globalV4),
      globalV6Counters: new Map(this.#globalV6),
    }
  }

  #send(nowMs: number, probe: PlannedProbe): void {
    // A region that has answered in this family needs no more tries.
    if (!this.#open.has(pair(probe))) return
    const probeId = this.#nextProbeId++
    this.#sent.set(probeId, { probe, sentMs: nowMs })
    this.#output.push({ probeId, region: probe.region, to: probe.to })
  }

  #bestMs(): number {
    return Math.min(...this.#v4.values(), ...this.#v6.values())
  }

  #settlesAtMs(): number {
    if (this.#answers === 0) return this.#startMs + NO_ANSWER_SETTLES_MS
    return this.#startMs + this.#latest + RETRY_MS + 2 * this.#bestMs() + SLACK_MS
  }

  #regionsHeard(): Set<number> {
    return new Set([...this.#v4.keys(), ...this.#v6.keys()])
  }

  #endsAtMs(): number {
    const lastMs = this.#startMs + PROBE_TIMEOUT_MS
    const heard = this.#regionsHeard()
    if (heard.size < ENOUGH_REGIONS) return lastMs
    const slowest = Math.max(...this.#v4.values(), ...this.#v6.values())
    return Math.min(lastMs, this.#startMs + this.#latest + slowest * (this.isFull ? 2 : 1) + SLACK_MS)
  }

  #doneWhy(nowMs: number): string | undefined {
    if (this.#open.size === 0) return 'all have answered'
    if (nowMs < this.#endsAtMs()) return undefined
    return this.#regionsHeard().size >= ENOUGH_REGIONS ? 'enough regions have answered' : 'the others did not answer in time'
  }
}

function pair(probe: PlannedProbe): string {
  return `${probe.region} ${probe.family}`
}

/** When the first request of a probe's region and family leaves. */
function firstDelay(plan: readonly PlannedProbe[], probe: PlannedProbe): number {
  return plan.find((one) => pair(one) === pair(probe))!.delayMs
}
