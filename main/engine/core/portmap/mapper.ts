/**
 * Gets a UDP port of the router for us and keeps it: which service to ask, when, and when to be silent. Pure machine.
 *
 *   idle ──wanted──► probe (all services at once, 250 ms) ──found──► ask (one after the other) ──given──► idle, mapped
 *     ▲                        │ nothing                               │ all refused
 *     └────── pause 20 s, 1, 5 min (counted while wanted) ◄────────────┘
 *
 * Without a mapping nothing is sent unless somebody wants one, so an idle node is silent. A mapping has one timer: renewal at
 * half of its life, then at half of what is left. Answers tell when the router started: one that started anew is asked again
 * at once, for the same port. Another router or another address of ours: all that was known is forgotten.
 * Answers that fit no question are counted and dropped.
 * Source: RFC 6886, RFC 6887; order and times of tailscale net/portmapper @ de9ec7e, read 2026-08.
 */
import { equal } from '../../base/bytes.ts'
import { isDecodeError } from '../../base/errors.ts'
import { formatAddrPort, type AddrPort } from '../../base/ip.ts'
import { isRestarted, type EpochSeen } from './epoch.ts'
import { externalFault } from './external.ts'
import { GivingBack } from './giving-back.ts'
import { decodePcpReply, encodePcpAnnounce, encodePcpMapRequest, PCP_VERSION, type PcpReply } from './pcp.ts'
import { decodePmpReply, encodePmpAddressRequest, encodePmpMapRequest, type PmpReply } from './pmp.ts'
import { pcpRefusal, pmpRefusal } from './results.ts'
import { PORT_MAP_SERVICES, SERVICE_NAMES } from './types.ts'
import type { FoundServices, PortMapEvent, PortMapOutput, PortMapping, PortMapService, PortMapTarget, RouterLink, UpnpAnswer, UpnpPlace } from './types.ts'

/** Asked for; RFC 6886 §3.3. */
export const LIFETIME_SEC = 7200
const MAX_LIFETIME_SEC = 86_400
/** Routers that give less are not asked more often than this allows. */
const MIN_LIFETIME_SEC = 20
/** So long an answer is waited for before a port is asked for of those that did answer; later ones count as well. */
const PROBE_MS = 250
const TRUST_MS = 10 * 60_000
const RESEND_MS: readonly number[] = [250, 750]
const ASK_MS = 1750
const UPNP_ASK_MS = 6000
/** No probe for a person sooner after the last. */
const PROBE_AGAIN_MS = 5000
const PAUSES_MS: readonly number[] = [20_000, 60_000, 300_000]
/** While there is traffic, the router is asked this often whether it still is the one that gave the port. */
const CHECK_MS = 20_000
const MIN_RENEW_MS = 10_000
/** Result of both protocols. */
const WRONG_VERSION = 1

type Step =
  | { readonly kind: 'idle' }
  | { readonly kind: 'probe'; readonly why: string; readonly askId: number; readonly startedMs: number; readonly endsAtMs: number; readonly waiting: Set<PortMapService> }
  | {
      readonly kind: 'ask'
      readonly why: string
      readonly askId: number
      readonly service: PortMapService
      readonly left: readonly PortMapService[]
      readonly isRenewal: boolean
      readonly startedMs: number
      readonly sent: number
      readonly endsAtMs: number
      /** NAT-PMP tells port and address apart. */
      readonly got: { readonly port: number; readonly lifetimeSec: number } | undefined
      readonly outerIp: string | undefined
    }

const IDLE: Step = { kind: 'idle' }

export class Mapper {
  readonly #nonce: Uint8Array
  readonly counters = { portmapBadAnswer: 0, portmapUnasked: 0 }
  #target: PortMapTarget | undefined
  #link: RouterLink | undefined
  #step: Step = IDLE
  #mapping: PortMapping | undefined
  #seen = new Map<PortMapService, number>()
  #found: FoundServices | undefined
  #places: readonly UpnpPlace[] = []
  #epochs = new Map<PortMapService, EpochSeen>()
  #wishPort = 0
  #askId = 0
  /** Of the search under way; 0 = none. */
  #searchId = 0
  #probedMs = Number.NEGATIVE_INFINITY
  #checkedMs = Number.NEGATIVE_INFINITY
  #pauseUntilMs = Number.NEGATIVE_INFINITY
  #failures = 0
  readonly #givingBack: GivingBack
  #why = 'no network'
  #outputs: PortMapOutput[] = []
  #events: PortMapEvent[] = []

  /** `nonce`: 12 random bytes that make PCP mappings ours. */
  constructor(nonce: Uint8Array) {
    this.#nonce = nonce
    this.#givingBack = new GivingBack(nonce)
  }

  get mapping(): PortMapping | undefined {
    return this.#mapping
  }

  /** What the router has, as last asked; undefined = never asked. */
  get found(): FoundServices | undefined {
    return this.#found
  }

  /** Why there is a mapping or none. */
  get why(): string {
    return this.#why
  }

  /** Whether what the router offers is being found out. */
  get isProbing(): boolean {
    return this.#step.kind === 'probe' || this.#searchId !== 0
  }

  get isReleasing(): boolean {
    return this.#givingBack.isWaiting
  }

  /** The whole of what is wanted; undefined gives back what there is. */
  handleTarget(nowMs: number, target: PortMapTarget | undefined, why: string): void {
    const before = this.#target
    if (JSON.stringify(before) === JSON.stringify(target)) return
    this.#target = target
    this.#step = IDLE
    this.#searchId = 0
    const isSameLink = target !== undefined && target.gateway === this.#link?.gateway && target.selfIp === this.#link.selfIp
    const mapping = this.#mapping
    if (mapping && (!isSameLink || target.port !== mapping.internalPort || !target.allowed.includes(mapping.service))) {
      if (target === undefined || isSameLink) this.#outputs.push(this.#givingBack.start(nowMs, this.#link!, mapping))
      this.#lose(why)
    }
    this.#pauseUntilMs = Number.NEGATIVE_INFINITY
    this.#failures = 0
    if (target === undefined) {
      this.#why = why
      return
    }
    this.#givingBack.sayNoMore()
    if (isSameLink) return
    this.#link = { gateway: target.gateway, selfIp: target.selfIp }
    this.#seen.clear()
    this.#found = undefined
    this.#places = []
    this.#epochs.clear()
    this.#probedMs = this.#checkedMs = Number.NEGATIVE_INFINITY
    this.#why = 'the router was not asked yet'
    this.#events.push({ kind: 'router', why: 'the home router is another', gateway: target.gateway })
  }

  /** Our address is being looked for. `fresh`: a person wants to know what the router offers. */
  handleWanted(nowMs: number, why: string, fresh = false): void {
    if (!this.#target || this.#target.allowed.length === 0 || this.#step.kind !== 'idle') return
    if (fresh) {
      if (nowMs - this.#probedMs >= PROBE_AGAIN_MS) this.#probe(nowMs, why)
      return
    }
    if (this.#mapping) return this.#check(nowMs, this.#mapping)
    if (nowMs < this.#pauseUntilMs) return
    const known = this.#known(nowMs)
    if (known.length === 0) this.#probe(nowMs, why)
    else this.#ask(nowMs, known, why, false)
  }

  /** A datagram from port 5351 of the gateway itself, borrowed. */
  handleDatagram(nowMs: number, bytes: Uint8Array): void {
    const reply = bytes[0] === PCP_VERSION ? decodePcpReply(bytes) : decodePmpReply(bytes)
    if (isDecodeError(reply)) {
      this.counters.portmapBadAnswer++
      return
    }
    const service = bytes[0] === PCP_VERSION ? 'pcp' : 'pmp'
    if (!this.#target?.allowed.includes(service)) {
      if ('lifetimeSec' in reply && reply.lifetimeSec === 0) this.#handleGone(nowMs, false)
      else this.counters.portmapUnasked++
      return
    }
    this.#noteEpoch(service, { epochSec: reply.epochSec, atMs: nowMs })
    if (service === 'pcp') this.#handlePcp(nowMs, reply as PcpReply)
    else this.#handlePmp(nowMs, reply as PmpReply)
    this.#settle(nowMs)
  }

  /** Where descriptions lie, as far as anybody answered the search; told again as more do, and when it is over. */
  handleSearched(nowMs: number, askId: number, places: readonly UpnpPlace[], isOver: boolean): void {
    if (this.#searchId !== askId) return
    if (isOver) this.#searchId = 0
    if (places.length > 0) {
      this.#places = places
      this.#answered(nowMs, 'upnp')
    } else if (isOver) this.#heard(nowMs, 'upnp')
    this.#settle(nowMs)
  }

  /** The answer to an output; `link` is that output's. */
  handleUpnp(nowMs: number, { askId, link }: { readonly askId: number; readonly link: RouterLink }, answer: UpnpAnswer): void {
    const step = this.#step
    if (step.kind !== 'ask' || step.askId !== askId) {
      // Given after all: nobody keeps it alive, so it goes back.
      if (answer.kind === 'mapped') this.#outputs.push({ kind: 'upnp-unmap', link, control: answer.control, externalPort: answer.external.port })
      return
    }
    if (answer.kind === 'refused') this.#failed(nowMs, answer.why, true)
    else this.#given(nowMs, answer.external, answer.lifetimeSec === 0 ? LIFETIME_SEC : answer.lifetimeSec, answer)
    this.#settle(nowMs)
  }

  handleTimeout(nowMs: number): void {
    const again = this.#givingBack.handleTimeout(nowMs)
    if (again) this.#outputs.push(again)
    const step = this.#step
    if (step.kind === 'probe' && nowMs >= step.endsAtMs) this.#finishProbe(nowMs, step)
    else if (step.kind === 'ask') this.#askTimeout(nowMs, step)
    const mapping = this.#mapping
    if (mapping && nowMs >= mapping.endsAtMs) {
      this.#lose('the router did not renew it')
      this.#step = IDLE
      this.#probe(nowMs, 'the mapping ended')
    } else if (mapping && this.#step.kind === 'idle' && nowMs >= mapping.renewAtMs) {
      this.#ask(nowMs, [mapping.service], 'half of its life is over', true)
    }
    this.#settle(nowMs)
  }

  nextTimeout(): { atMs: number; why: string } | undefined {
    const step = this.#step
    const due: { atMs: number; why: string }[] = []
    if (step.kind === 'probe') due.push({ atMs: step.endsAtMs, why: 'probe' })
    if (step.kind === 'ask') due.push({ atMs: Math.min(step.endsAtMs, resendAt(step)), why: 'ask' })
    if (this.#givingBack.isWaiting) due.push({ atMs: this.#givingBack.dueMs, why: 'giving back' })
    if (this.#mapping) due.push({ atMs: step.kind === 'idle' ? Math.min(this.#mapping.renewAtMs, this.#mapping.endsAtMs) : this.#mapping.endsAtMs, why: 'renewal' })
    return due.length === 0 ? undefined : due.reduce((a, b) => (a.atMs <= b.atMs ? a : b))
  }

  takeOutput(): PortMapOutput[] {
    return this.#outputs.splice(0)
  }

  takeEvents(): PortMapEvent[] {
    return this.#events.splice(0)
  }

  #known(nowMs: number): PortMapService[] {
    return PORT_MAP_SERVICES.filter((service) => this.#target!.allowed.includes(service) && nowMs - (this.#seen.get(service) ?? Number.NEGATIVE_INFINITY) < TRUST_MS)
  }

  #send(bytes: Uint8Array): void {
    this.#outputs.push({ kind: 'send', link: this.#link!, bytes })
  }

  #probe(nowMs: number, why: string): void {
    const { allowed } = this.#target!
    this.#probedMs = nowMs
    this.#step = { kind: 'probe', why, askId: ++this.#askId, startedMs: nowMs, endsAtMs: nowMs + PROBE_MS, waiting: new Set(allowed) }
    if (allowed.includes('pmp')) this.#send(encodePmpAddressRequest())
    if (allowed.includes('pcp')) this.#send(encodePcpAnnounce(this.#link!.selfIp))
    if (!allowed.includes('upnp')) return
    this.#searchId = this.#askId
    this.#outputs.push({ kind: 'search', link: this.#link!, askId: this.#askId })
  }

  /** The service is there. Routers are slow at times: one that answers after its probe is asked for a port then. */
  #answered(nowMs: number, service: PortMapService): void {
    this.#seen.set(service, nowMs)
    if (this.#step.kind === 'probe') return this.#heard(nowMs, service)
    if (this.#found && !this.#found[service]) this.#noteFound({ ...this.#found, [service]: true }, 'a late answer')
    if (this.#step.kind === 'idle' && !this.#mapping) this.#ask(nowMs, [service], 'a late answer', false)
  }

  /** A probe's answer, good or bad: the last one ends the probe. */
  #heard(nowMs: number, service: PortMapService): void {
    if (this.#step.kind !== 'probe') return
    this.#step.waiting.delete(service)
    if (this.#step.waiting.size === 0) this.#finishProbe(nowMs, this.#step)
  }

  #finishProbe(nowMs: number, step: Step & { kind: 'probe' }): void {
    this.#step = IDLE
    for (const [service, atMs] of this.#seen) if (atMs < step.startedMs) this.#seen.delete(service)
    const found = this.#known(nowMs)
    this.#noteFound({ pmp: found.includes('pmp'), pcp: found.includes('pcp'), upnp: found.includes('upnp') }, step.why)
    if (this.#mapping) {
      if (this.#mapping.service === 'upnp' && nowMs - this.#mapping.gotAtMs >= PROBE_AGAIN_MS) this.#ask(nowMs, ['upnp'], step.why, true)
      return
    }
    if (found.length > 0) return this.#ask(nowMs, found, step.why, false)
    this.#why = 'the router offers no port mapping'
    this.#pause(nowMs)
  }

  #noteFound(now: FoundServices, why: string): void {
    if (JSON.stringify(now) === JSON.stringify(this.#found)) return
    this.#found = now
    this.#events.push({ kind: 'services', why, gateway: this.#link!.gateway, found: PORT_MAP_SERVICES.filter((service) => now[service]) })
  }

  #ask(nowMs: number, services: readonly PortMapService[], why: string, isRenewal: boolean): void {
    const [service, ...left] = services
    const endsAtMs = nowMs + (service === 'upnp' ? UPNP_ASK_MS : ASK_MS)
    this.#step = { kind: 'ask', why, askId: ++this.#askId, service: service!, left, isRenewal, startedMs: nowMs, sent: 1, endsAtMs, got: undefined, outerIp: undefined }
    this.#sendAsk(service!)
  }

  #sendAsk(service: PortMapService): void {
    const { port } = this.#target!
    const link = this.#link!
    const externalPort = this.#wishPort === 0 ? port : this.#wishPort
    if (service === 'pmp') {
      this.#send(encodePmpAddressRequest())
      this.#send(encodePmpMapRequest(port, externalPort, LIFETIME_SEC))
    } else if (service === 'pcp') {
      this.#send(encodePcpMapRequest({ selfIp: link.selfIp, nonce: this.#nonce, internalPort: port, externalPort, externalIp: this.#mapping?.external.ip, lifetimeSec: LIFETIME_SEC }))
    } else {
      this.#outputs.push({ kind: 'upnp-map', link, askId: this.#askId, places: this.#places, known: this.#mapping?.control, port, externalPort, lifetimeSec: LIFETIME_SEC })
    }
  }

  #askTimeout(nowMs: number, step: Step & { kind: 'ask' }): void {
    if (nowMs >= step.endsAtMs) return this.#failed(nowMs, 'no answer', false)
    if (nowMs < resendAt(step)) return
    this.#step = { ...step, sent: step.sent + 1 }
    this.#sendAsk(step.service)
  }

  #handlePmp(nowMs: number, reply: PmpReply): void {
    const step = this.#step
    const asked = step.kind === 'ask' && step.service === 'pmp' ? step : undefined
    switch (reply.kind) {
      case 'address':
        if (asked) this.#step = { ...asked, outerIp: reply.ip }
        else this.#answered(nowMs, 'pmp')
        break
      case 'mapped':
        if (reply.lifetimeSec === 0) return this.#handleGone(nowMs, asked !== undefined && reply.internalPort === this.#target!.port && !this.#givingBack.isWaiting)
        if (!asked || reply.internalPort !== this.#target!.port) return void this.counters.portmapUnasked++
        this.#step = { ...asked, got: { port: reply.externalPort, lifetimeSec: reply.lifetimeSec } }
        break
      case 'refused':
        if (asked) return this.#failed(nowMs, pmpRefusal(reply.result), true)
        // That is how a router without PCP answers a question in PCP.
        if (reply.result === WRONG_VERSION) return step.kind === 'ask' && step.service === 'pcp' ? this.#failed(nowMs, pcpRefusal(reply.result), true) : this.#heard(nowMs, 'pcp')
        if (step.kind === 'probe') this.#refused('pmp', pmpRefusal(reply.result))
        return this.#heard(nowMs, 'pmp')
    }
    if (this.#step.kind === 'ask' && this.#step.service === 'pmp' && this.#step.got && this.#step.outerIp !== undefined) {
      const { got, outerIp } = this.#step
      this.#given(nowMs, { ip: outerIp, port: got.port }, got.lifetimeSec, undefined)
    }
  }

  #handlePcp(nowMs: number, reply: PcpReply): void {
    const step = this.#step
    const asked = step.kind === 'ask' && step.service === 'pcp' ? step : undefined
    if (reply.kind === 'announce') {
      if (reply.result === 0) return this.#answered(nowMs, 'pcp')
      // And that is how one without NAT-PMP answers a question in NAT-PMP.
      if (reply.result === WRONG_VERSION) return step.kind === 'ask' && step.service === 'pmp' ? this.#failed(nowMs, pmpRefusal(reply.result), true) : this.#heard(nowMs, 'pmp')
      if (step.kind === 'probe') this.#refused('pcp', pcpRefusal(reply.result))
      return this.#heard(nowMs, 'pcp')
    }
    if (reply.kind === 'refused') return asked ? this.#failed(nowMs, pcpRefusal(reply.result), true) : this.#heard(nowMs, 'pcp')
    if (!equal(reply.nonce, this.#nonce) || !reply.isUdp) return void this.counters.portmapUnasked++
    if (reply.result === 0 && reply.lifetimeSec === 0) return this.#handleGone(nowMs, asked !== undefined && !this.#givingBack.isWaiting)
    if (!asked || reply.internalPort !== this.#target!.port) return void this.counters.portmapUnasked++
    if (reply.result !== 0) return this.#failed(nowMs, pcpRefusal(reply.result), true)
    this.#given(nowMs, { ip: reply.externalIp, port: reply.externalPort }, reply.lifetimeSec, undefined)
  }

  /** A port for no time: the answer to giving it back, or a refusal in other words. */
  #handleGone(nowMs: number, isRefusal: boolean): void {
    if (isRefusal) this.#failed(nowMs, 'it gives the port for no time', true)
    else if (!this.#givingBack.handleAnswer()) this.counters.portmapUnasked++
  }

  #given(nowMs: number, external: AddrPort, lifetimeSec: number, upnp: (UpnpAnswer & { kind: 'mapped' }) | undefined): void {
    const step = this.#step
    if (step.kind !== 'ask') return
    const lifeMs = 1000 * Math.min(MAX_LIFETIME_SEC, Math.max(MIN_LIFETIME_SEC, lifetimeSec))
    const mapping: PortMapping = {
      service: step.service, external, gotAtMs: nowMs, isForgotten: false,
      internalPort: this.#target!.port,
      renewAtMs: nowMs + lifeMs / 2,
      endsAtMs: nowMs + lifeMs,
      control: upnp?.control,
    }
    const fault = external.port === 0 ? 'without a port' : externalFault(external.ip, [this.#link!.gateway, this.#link!.selfIp])
    if (fault !== undefined) {
      this.#outputs.push(this.#givingBack.start(nowMs, this.#link!, mapping))
      return this.#failed(nowMs, `its outer address is ${formatAddrPort(external)}, ${fault}`, true)
    }
    this.#step = IDLE
    this.#failures = 0
    this.#checkedMs = nowMs
    this.#wishPort = external.port
    const before = this.#mapping
    this.#mapping = mapping
    this.#seen.set(step.service, nowMs)
    const told = { service: step.service, external: formatAddrPort(external), lifetimeSec }
    this.#why = `the router gave ${told.external} by ${SERVICE_NAMES[step.service]}`
    if (before && formatAddrPort(before.external) === told.external) this.#events.push({ kind: 'renewed', why: step.why, ...told })
    else this.#events.push({ kind: 'mapping', why: this.#why, ...told })
  }

  /** One service said no (`isRefusal`) or nothing: the next one, or a pause. */
  #failed(nowMs: number, why: string, isRefusal: boolean): void {
    const step = this.#step
    if (step.kind !== 'ask') return
    this.#step = IDLE
    this.#refused(step.service, why)
    const mapping = this.#mapping
    if (mapping && step.isRenewal) {
      if (!isRefusal && !mapping.isForgotten) {
        this.#mapping = { ...mapping, renewAtMs: nowMs + Math.max(MIN_RENEW_MS, (mapping.endsAtMs - nowMs) / 2) }
        return
      }
      this.#seen.delete(step.service)
      this.#lose(isRefusal ? this.#why : 'the router started anew and does not answer')
      return isRefusal ? this.#probe(nowMs, 'the mapping was not renewed') : this.#pause(nowMs)
    }
    if (!isRefusal) this.#seen.delete(step.service)
    if (step.left.length > 0) this.#ask(nowMs, step.left, step.why, false)
    else this.#pause(nowMs)
  }

  #refused(service: PortMapService, why: string): void {
    const text = why === 'no answer' ? `the router did not answer (${SERVICE_NAMES[service]})` : `the router refused: ${why} (${SERVICE_NAMES[service]})`
    this.#why = text
    this.#events.push({ kind: 'refused', why: text, service })
  }

  #pause(nowMs: number): void {
    this.#pauseUntilMs = nowMs + PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)]!
    this.#failures++
  }

  #lose(why: string): void {
    if (!this.#mapping) return
    this.#mapping = undefined
    this.#why = why
    this.#events.push({ kind: 'mapping', why, service: undefined, external: undefined, lifetimeSec: 0 })
  }

  /**
   * One small question shows by its answer's epoch whether the router still knows us. One that speaks UPnP alone tells no epoch: it
   * is asked for the port again, more seldom.
   */
  #check(nowMs: number, mapping: PortMapping): void {
    const hasEpoch = mapping.service !== 'upnp' || this.#found?.pmp === true || this.#found?.pcp === true
    if (nowMs - this.#checkedMs < (hasEpoch ? CHECK_MS : TRUST_MS)) return
    this.#checkedMs = nowMs
    if (!hasEpoch) this.#ask(nowMs, ['upnp'], 'the router may have started anew', true)
    else if (mapping.service === 'pmp' || (mapping.service === 'upnp' && this.#found?.pmp === true)) this.#send(encodePmpAddressRequest())
    else this.#send(encodePcpAnnounce(this.#link!.selfIp))
  }

  #noteEpoch(service: PortMapService, now: EpochSeen): void {
    const before = this.#epochs.get(service)
    this.#epochs.set(service, now)
    if (before && this.#mapping && isRestarted(before, now)) this.#mapping = { ...this.#mapping, isForgotten: true }
  }

  #settle(nowMs: number): void {
    if (this.#step.kind === 'idle' && this.#mapping?.isForgotten === true) this.#ask(nowMs, [this.#mapping.service], 'the router started anew', true)
  }
}

function resendAt(step: Step & { kind: 'ask' }): number {
  return step.service === 'upnp' ? Number.POSITIVE_INFINITY : step.startedMs + (RESEND_MS[step.sent - 1] ?? Number.POSITIVE_INFINITY)
}
