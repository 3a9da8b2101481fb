/**
 * The addresses at which a peer may be, where each was learnt, and what was heard of it. Pure, bounded.
 *
 *   map              from the network map; goes when the map drops it
 *   call-me-maybe    the peer told us over the relay; goes when its next list omits it
 *   ping             the peer pinged us from there; goes when it has not for 45 s
 *   peer-relay       a session on a node that relays, in which the peer answered; goes when it falls silent there
 *
 * Source: tailscale wgengine/magicsock/endpoint.go @ de9ec7e, read 2026-08.
 */
import type { AddrPort } from '../../base/ip.ts'
import { SizeProof } from './size-proof.ts'
import type { CandidateView, UdpAddr } from './types.ts'
import { formatUdpAddr } from './types.ts'

export type CandidateSource = 'map' | 'call-me-maybe' | 'ping' | 'peer-relay'

/** Together, whatever their source. */
export const MAX_CANDIDATES = 100
/** Of one source: no list may push the others out. */
const MAX_OF_SOURCE: Readonly<Record<CandidateSource, number>> = { map: 60, 'call-me-maybe': 60, ping: 16, 'peer-relay': 4 }
/** Places whose proof of size is kept. */
const MAX_PLACES = 64
const PINGED_US_KEEP_MS = 45_000
/** A relay forgets a session after 5 min without packets; longer than our own rest between two uses. */
const RELAYED_KEEP_MS = 290_000
const RELAYED_UNANSWERED = 8
/** Samples that the latency is the least of. */
const SAMPLES = 3

export interface Candidate {
  readonly addr: UdpAddr
  readonly sources: Set<CandidateSource>
  pingedUsMs: number
  /** A place that only pinged us may be a stranger's that passes on what it caught: it gets one ping for one, until it answers. */
  owedPing: boolean
  lastPingMs: number
  lastPongMs: number
  /** Pings since the last pong. */
  unanswered: number
  samplesMs: number[]
  /** Of the way to its place: addresses that differ by the port alone share it. */
  size: SizeProof
}

export class CandidateSet {
  readonly #byText = new Map<string, Candidate>()
  /** By IP and relay session, also of addresses that are gone: the next port of the place is like the last. */
  readonly #sizes = new Map<string, SizeProof>()

  get size(): number {
    return this.#byText.size
  }

  values(): Iterable<Candidate> {
    return this.#byText.values()
  }

  get(addr: UdpAddr): Candidate | undefined {
    return this.#byText.get(formatUdpAddr(addr))
  }

  /** Makes `addrs` the whole list of a source, except what is `kept`; returns the addresses that are new to us. */
  replace(source: 'map' | 'call-me-maybe', addrs: readonly AddrPort[], kept: Candidate | undefined): AddrPort[] {
    const wanted = new Set(addrs.slice(0, MAX_OF_SOURCE[source]).map(formatUdpAddr))
    for (const [text, candidate] of this.#byText) {
      if (wanted.has(text) || !candidate.sources.delete(source)) continue
      if (candidate.sources.size === 0 && candidate !== kept) this.#byText.delete(text)
    }
    return addrs.slice(0, MAX_OF_SOURCE[source]).filter((addr) => this.#add(addr, source))
  }

  /** Notes a ping from an address; undefined when there is no room for it. */
  notePing(nowMs: number, addr: AddrPort): { candidate: Candidate; isNew: boolean } | undefined {
    const isNew = this.#add(addr, 'ping')
    const candidate = this.get(addr)
    if (!candidate) return undefined
    candidate.pingedUsMs = nowMs
    candidate.owedPing = true
    return { candidate, isNew }
  }

  /** Takes a session on a peer relay; past the limit the one that answered longest ago goes. */
  addRelayed(addr: UdpAddr, kept: Candidate | undefined): Candidate | undefined {
    const others = [...this.#byText].filter(([, one]) => one.sources.has('peer-relay') && one !== kept)
    if (others.length >= MAX_OF_SOURCE['peer-relay'] && !this.get(addr)) {
      this.#byText.delete(others.reduce((least, one) => (one[1].lastPongMs < least[1].lastPongMs ? one : least))[0])
    }
    this.#add(addr, 'peer-relay')
    return this.get(addr)
  }

  /** Drops addresses that only pinged us once and fell silent, and sessions on peer relays in which nothing is heard. */
  expire(nowMs: number, kept: Candidate | undefined): void {
    for (const [text, candidate] of this.#byText) {
      if (nowMs - candidate.pingedUsMs >= PINGED_US_KEEP_MS) candidate.sources.delete('ping')
      if (nowMs - candidate.lastPongMs >= RELAYED_KEEP_MS || candidate.unanswered >= RELAYED_UNANSWERED) candidate.sources.delete('peer-relay')
      if (candidate.sources.size === 0 && candidate !== kept) this.#byText.delete(text)
    }
  }

  /** Forgets everything heard: the network under us is another. The addresses stay, as the peers did not move. */
  reset(): void {
    this.#sizes.clear()
    for (const [text, candidate] of this.#byText) {
      // Relays know us by the address that we have lost.
      candidate.sources.delete('peer-relay')
      if (candidate.sources.size === 0) this.#byText.delete(text)
      candidate.lastPingMs = candidate.lastPongMs = Number.NEGATIVE_INFINITY
      candidate.unanswered = 0
      candidate.samplesMs = []
      candidate.size = this.#sizeOf(candidate.addr)
    }
  }

  /** Leaves only sessions on peer relays. */
  dropDirect(): void {
    for (const [text, candidate] of this.#byText) if (candidate.addr.vni === undefined) this.#byText.delete(text)
  }

  clear(): void {
    this.#byText.clear()
  }

  #add(addr: UdpAddr, source: CandidateSource): boolean {
    const text = formatUdpAddr(addr)
    const known = this.#byText.get(text)
    if (known) {
      known.sources.add(source)
      return false
    }
    if (this.#byText.size >= MAX_CANDIDATES) return false
    if (source === 'ping' && !this.#makeRoomForPing()) return false
    this.#byText.set(text, {
      addr,
      sources: new Set([source]),
      pingedUsMs: Number.NEGATIVE_INFINITY,
      owedPing: false,
      lastPingMs: Number.NEGATIVE_INFINITY,
      lastPongMs: Number.NEGATIVE_INFINITY,
      unanswered: 0,
      samplesMs: [],
      size: this.#sizeOf(addr),
    })
    return true
  }

  #sizeOf(addr: UdpAddr): SizeProof {
    const place = `${addr.ip} ${addr.vni ?? ''}`
    const size = this.#sizes.get(place) ?? new SizeProof()
    this.#sizes.delete(place)
    this.#sizes.set(place, size)
    if (this.#sizes.size > MAX_PLACES) this.#sizes.delete(this.#sizes.keys().next().value!)
    return size
  }

  /** Past the limit the one that pinged longest ago goes, unless it ever answered us. */
  #makeRoomForPing(): boolean {
    const learnt = [...this.#byText].filter(([, one]) => one.sources.size === 1 && one.sources.has('ping'))
    if (learnt.length < MAX_OF_SOURCE.ping) return true
    const oldest = learnt
      .filter(([, one]) => one.lastPongMs === Number.NEGATIVE_INFINITY)
      .reduce<[string, Candidate] | undefined>((least, one) => (!least || one[1].pingedUsMs < least[1].pingedUsMs ? one : least), undefined)
    return oldest !== undefined && this.#byText.delete(oldest[0])
  }
}

/** Whether a ping of ours may go there now. */
export function mayPing(candidate: Candidate): boolean {
  const isVouchedFor = candidate.lastPongMs !== Number.NEGATIVE_INFINITY || candidate.sources.size > (candidate.sources.has('ping') ? 1 : 0)
  return isVouchedFor || candidate.owedPing
}

/** Notes a round trip; the candidate's latency is the least of the last few. */
export function noteLatency(candidate: Candidate, latencyMs: number): void {
  candidate.samplesMs.push(latencyMs)
  if (candidate.samplesMs.length > SAMPLES) candidate.samplesMs.shift()
}

/** Least of the last few round trips; undefined when it never answered. */
export function latencyOf(candidate: Candidate): number | undefined {
  return candidate.samplesMs.length === 0 ? undefined : Math.min(...candidate.samplesMs)
}

/** What a person sees of it. */
export function viewOf(nowMs: number, candidate: Candidate, isBest: boolean): CandidateView {
  const ago = (atMs: number): number | undefined => (atMs === Number.NEGATIVE_INFINITY ? undefined : nowMs - atMs)
  return {
    addr: candidate.addr,
    sources: [...candidate.sources],
    lastPingAgoMs: ago(candidate.lastPingMs),
    lastPongAgoMs: ago(candidate.lastPongMs),
    pingedUsAgoMs: ago(candidate.pingedUsMs),
    latencyMs: latencyOf(candidate),
    unanswered: candidate.unanswered,
    isBest,
    carries: candidate.size.isNarrow ? 'small' : candidate.size.isWide ? 'full-size' : 'unknown',
  }
}
