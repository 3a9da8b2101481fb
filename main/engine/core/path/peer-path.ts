/**
 * The path machine of one peer: which of its addresses are tried when, which one carries the traffic, and when the relay
 * does. Pure: time comes in, pings and path changes come out.
 *
 *   relay ──pong──▶ direct ──three pongs missed, or trust run out──▶ both ──no pong until trust is long gone──▶ relay
 *                     ▲                                               │
 *                     └─────────────────── pong ◀─────────────────────┘
 *   peer-relay stands between relay and direct: used as soon as it is proven, left for any direct address that answers
 *
 * - An address carries traffic only after it answered a ping of ours (traffic both ways), and alone only while that
 *   answer is fresh (6.5 s). The address is the one that we pinged, never the one that a packet came from.
 * - Where full-size packets get lost and small ones do not (`size-proof.ts`), the relay carries the traffic, if there is one.
 * - Pings are sent only while the peer is in use or called us; an idle peer is silent and has no timer.
 * - What others can make us send is bounded: a thousand addresses, replayed pings, a flood of calls.
 * Source: tailscale wgengine/magicsock/endpoint.go @ de9ec7e, read 2026-08, for rules and times; the quick rounds, the
 * quick detection of a dead path and the hysteresis are ours.
 */
import type { AddrPort } from '../../base/ip.ts'
import { refusedAddr } from './acceptable.ts'
import { isBetterPath } from './better.ts'
import type { Candidate, CandidateSource } from './candidates.ts'
import { CandidateSet, latencyOf, mayPing, noteLatency, viewOf } from './candidates.ts'
import { Allowance } from '../../base/allowance.ts'
import { Discovery } from './discovery.ts'
import type { PathEvent, PathOutput } from './events.ts'
import { OpenPings, PING_TIMEOUT_MS } from './open-pings.ts'
import type { ProbePace } from './probe-pace.ts'
import type { MachineEvidence } from './reason/evidence.ts'
import { explainPath } from './reason/explain.ts'
import type { CandidateView, Path, UdpAddr } from './types.ts'
import { samePath } from './types.ts'
import { TRUST_MS, Watch } from './watch.ts'

/** Below this round trip nothing better is looked for (endpoint.go, goodEnoughLatency). */
const GOOD_ENOUGH_MS = 5
const UPGRADE_EVERY_MS = 60_000
/** After a call from the peer we ping for this long even without traffic of our own. */
const CALLED_FOR_MS = 4000
const CALLED_SPACING_MS = 1000
/** A ping back follows any older ping: what left before the peer's ping came may have died at the peer's door. */
const PING_BACK_SPACING_MS = 5
/** A person's ping keeps probing alive for this long. */
const ASKED_FOR_MS = 10_000
/** Of a peer with more addresses each round takes some. */
const MAX_A_ROUND = 24
/** While there is no peer relay, one is looked for this often; once there is a slow one, a better one (endpoint.go). */
const FIND_RELAY_EVERY_MS = 30_000
const BETTER_RELAY_EVERY_MS = 60_000

export interface PeerFacts {
  readonly endpoints: readonly AddrPort[]
  /** 0 = none known. */
  readonly homeRegion: number
  /** Why no direct path may be tried; undefined when it may. */
  readonly noDirect: 'no-disco-key' | 'switched-off' | undefined
  /** The relays are on this machine, so a peer may be too. */
  readonly allowLoopback: boolean
  /** A stranger's datagrams reach us: a public address of our own, or a mapped port. */
  readonly isOpen: boolean
  /** Direct paths are switched off, those through peer relays are not. */
  readonly peerRelayOnly?: boolean
  /** There is a node that would relay between the peer and us. */
  readonly hasPeerRelay?: boolean
}

/** What all machines of a node have in common. */
export interface PathShared {
  /** Time between pings on a direct path in use; asked each time. */
  readonly heartbeatMs: () => number
  readonly pace: ProbePace
}

export class PeerPath {
  readonly #shared: PathShared
  readonly #candidates = new CandidateSet()
  readonly #discovery = new Discovery()
  readonly #calls = new Allowance(3, 2000)
  readonly #pingBacks = new Allowance(6, 500)
  readonly #hurries = new Allowance(2, 60_000)
  /** Every ping but those that watch the path in use. */
  readonly #searches = new Allowance(120, 50)
  #facts: PeerFacts = { endpoints: [], homeRegion: 0, noDirect: 'no-disco-key', allowLoopback: false, isOpen: false }
  #best: Watch | undefined
  #lostWhy: string | undefined
  /** The last path failed and there is no other yet. */
  #isDoubtful = false
  #inUse = false
  #probeUntilMs = Number.NEGATIVE_INFINITY
  #relayLookMs = Number.NEGATIVE_INFINITY
  #heardRegion = 0
  #goneFrom = 0
  #path: Path = { kind: 'none' }
  #sinceMs: number
  readonly #open = new OpenPings()
  #output: PathOutput[] = []
  #events: PathEvent[] = []

  constructor(nowMs: number, shared: PathShared) {
    this.#sinceMs = nowMs
    this.#shared = shared
  }

  get path(): Path {
    return this.#path
  }

  /** Since when the path is of its kind, monotonic. */
  get sinceMs(): number {
    return this.#sinceMs
  }

  get isActive(): boolean {
    return this.#inUse
  }

  /** Round trip over the direct path, if there is one. */
  get latencyMs(): number | undefined {
    return this.#best && latencyOf(this.#best.candidate)
  }

  /** One true sentence about the present path, as far as the machine alone can tell. */
  why(nowMs: number): string {
    return explainPath({ machine: this.evidence(nowMs) }).sentence
  }

  /** All that the machine has seen itself. */
  evidence(nowMs: number): MachineEvidence {
    const region = this.#relayRegion()
    return {
      path: this.#path,
      noDirect: this.#facts.noDirect ?? (this.#facts.peerRelayOnly === true ? 'switched-off' : undefined),
      latencyMs: this.latencyMs,
      candidates: this.candidates(nowMs),
      answered: [...this.#candidates.values()].filter((one) => nowMs - one.lastPongMs < TRUST_MS).length,
      misses: this.#best?.misses ?? 0,
      isActive: this.#wantsDirect(nowMs),
      lostWhy: this.#lostWhy,
      isGone: region !== 0 && region === this.#goneFrom,
    }
  }

  candidates(nowMs: number): CandidateView[] {
    return [...this.#candidates.values()].map((one) => viewOf(nowMs, one, one === this.#best?.candidate))
  }

  /** Whether the peer may be at that address. */
  knows(addr: AddrPort): boolean {
    return this.#candidates.get(addr) !== undefined
  }

  /** What the network map says of the peer, whole. */
  handleFacts(nowMs: number, facts: PeerFacts): void {
    const homeMoved = facts.homeRegion !== this.#facts.homeRegion
    this.#facts = facts
    if (homeMoved) this.#goneFrom = 0
    if (facts.noDirect !== undefined) {
      this.#candidates.clear()
      this.#best = undefined
      this.#discovery.stop()
      this.#settle(nowMs)
      return
    }
    if (facts.peerRelayOnly === true) this.#candidates.dropDirect()
    if (this.#best && !this.#candidates.get(this.#best.candidate.addr)) this.#best = undefined
    const added = this.#candidates.replace('map', this.#usable(facts.endpoints), this.#best?.candidate)
    if (added.length > 0) this.#note('map', added, 'the network map lists them')
    if ((added.length > 0 || homeMoved) && this.#wantsDirect(nowMs) && !this.#isProvenDirect(nowMs)) {
      if (this.#discovery.dueMs === undefined) this.#discovery.start(nowMs, 'the network map brought new addresses', false)
      else this.#discovery.hurry(nowMs, 'the network map brought new addresses')
    }
    this.handleTimeout(nowMs)
  }

  /** Edges from the data plane: first packet after rest, or none for 45 s. */
  handleActivity(nowMs: number, kind: 'sending' | 'receiving' | 'idle'): void {
    if (kind === 'idle') {
      this.#inUse = false
      if (!this.#wantsDirect(nowMs)) this.#rest()
    } else {
      this.#inUse = true
      this.#look(nowMs, kind === 'sending' ? 'traffic to the peer started' : 'traffic from the peer started', false)
      // It may not have known us until now, and have dropped our pings.
      if (kind === 'receiving' && !this.#isProven(nowMs)) this.#discovery.hurry(nowMs, 'traffic from the peer started')
    }
    this.handleTimeout(nowMs)
  }

  /** A person asks for the path: probes for a while as if there was traffic. */
  handlePingRequest(nowMs: number): void {
    this.#probeUntilMs = Math.max(this.#probeUntilMs, nowMs + ASKED_FOR_MS)
    this.#look(nowMs, 'a ping was asked for', false)
    this.handleTimeout(nowMs)
  }

  /** An authentic ping came over UDP, `isSized` = as large as full packets; the pong is the caller's. */
  handlePing(nowMs: number, from: AddrPort, isSized = false): void {
    if (this.#facts.noDirect !== undefined || this.#usable([from]).length === 0) return
    const noted = this.#candidates.notePing(nowMs, from)
    if (!noted) return
    if (noted.isNew) this.#note('ping', [from], 'it pinged us from there')
    // What is large gets in again, so perhaps out too: until we know, its small pings get no answer.
    const isWorthIt = isSized && this.#isUseless(noted.candidate) ? mayPing(noted.candidate) : this.#isWorthPingBack(nowMs, noted.candidate)
    if (isWorthIt && this.#wantsDirect(nowMs) && this.#pingBacks.take(nowMs) && this.#searches.take(nowMs)) this.#ping(nowMs, noted.candidate, isSized && this.#isUseless(noted.candidate))
    this.handleTimeout(nowMs)
  }

  /**
   * Whether a ping that just came from there should be answered. A peer of another make does not see that its path loses large
   * packets: without our pongs it takes to the relay. Sized pings are answered, as they show that the path is whole again.
   */
  answersPing(from: UdpAddr, isSized: boolean): boolean {
    return isSized || !this.#isUseless(this.#candidates.get(from))
  }

  /** An authentic pong to a ping of ours came over UDP. False when nobody waits for it. */
  handlePong(nowMs: number, pingId: number): boolean {
    const ping = this.#open.take(pingId)
    if (!ping || this.#candidates.get(ping.candidate.addr) !== ping.candidate) return false
    this.#noteAnswer(nowMs, ping.candidate, nowMs - ping.sentMs, ping.sized, 'it answered our ping')
    return true
  }

  /** The peer answered a ping of ours in a session on a peer relay. */
  handlePeerRelay(nowMs: number, addr: UdpAddr, latencyMs: number): void {
    if (this.#facts.noDirect !== undefined || refusedAddr(addr, this.#facts.allowLoopback) !== undefined) return
    const isNew = this.#candidates.get(addr) === undefined
    const candidate = this.#candidates.addRelayed(addr, this.#best?.candidate)
    if (!candidate) return
    if (isNew) this.#note('peer-relay', [addr], 'it answered through a node that relays')
    this.#noteAnswer(nowMs, candidate, latencyMs, false, 'it answered our ping through a peer relay')
  }

  #noteAnswer(nowMs: number, candidate: Candidate, latencyMs: number, sized: boolean, why: string): void {
    if (candidate.lastPongMs === Number.NEGATIVE_INFINITY) {
      this.#events.push({ kind: 'first-pong', addr: candidate.addr, latencyMs, why })
    }
    candidate.lastPongMs = nowMs
    candidate.unanswered = 0
    if (sized) this.#noteSizedPong(nowMs, candidate)
    else candidate.size.noteSmallPong()
    // A large packet takes longer on a slow link, so it tells the round trip only where nothing else does.
    if (!sized || candidate.samplesMs.length === 0) noteLatency(candidate, latencyMs)
    if (!this.#isUseless(candidate)) this.#consider(nowMs, candidate)
    this.handleTimeout(nowMs)
  }

  /** The peer told us its addresses over the relay: the sender was checked by the caller. */
  handleCallMeMaybe(nowMs: number, endpoints: readonly AddrPort[]): void {
    if (this.#facts.noDirect !== undefined) return
    const added = this.#candidates.replace('call-me-maybe', this.#usable(endpoints), this.#best?.candidate)
    if (added.length > 0) this.#note('call-me-maybe', added, 'it told us over the relay')
    if (this.#calls.take(nowMs)) {
      this.#probeUntilMs = Math.max(this.#probeUntilMs, nowMs + CALLED_FOR_MS)
      if (this.#isProvenDirect(nowMs)) this.#pingAll(nowMs, PING_TIMEOUT_MS, 'the peer called', false)
      else {
        this.#look(nowMs, 'the peer called', false)
        // Two that answer each other's calls with calls would never stop.
        if (added.length > 0 || this.#hurries.take(nowMs)) this.#discovery.hurry(nowMs, 'the peer called')
        else if (this.#shared.pace.reserve(nowMs, this.#candidates.size) <= nowMs) this.#pingAll(nowMs, CALLED_SPACING_MS, 'the peer called', false)
      }
    }
    this.handleTimeout(nowMs)
  }

  /** The peer's disco key is another: what it heard of us under the old one was nothing to it. */
  handleKeyChange(nowMs: number): void {
    this.#open.clear()
    if (this.#wantsDirect(nowMs) && !this.#isProvenDirect(nowMs)) this.#discovery.start(nowMs, 'the peer has another disco key', true)
    this.handleTimeout(nowMs)
  }

  /** Something of the peer came through a relay region. */
  handleHeard(nowMs: number, region: number): void {
    if (region === this.#goneFrom) this.#goneFrom = 0
    if (region === this.#heardRegion) return
    this.#heardRegion = region
    this.#settle(nowMs)
  }

  /** The relay says that the peer is not there. */
  handlePeerGone(nowMs: number, region: number): void {
    this.#goneFrom = region
    if (this.#heardRegion === region) this.#heardRegion = 0
    this.#settle(nowMs)
  }

  /** A packet to that address could not leave because there is no way to it. */
  handleUnreachable(nowMs: number, to: AddrPort): void {
    const there = [...this.#candidates.values()].filter(({ addr }) => addr.ip === to.ip && addr.port === to.port)
    for (const candidate of there) candidate.lastPongMs = Number.NEGATIVE_INFINITY
    if (!this.#best || !there.includes(this.#best.candidate)) return
    this.#dropBest(nowMs, 'this machine has no way to its address any more')
    this.handleTimeout(nowMs)
  }

  /**
   * The network under us changed. `major`: addresses or routes are others, so nothing proven holds. `isSamePlace`: the machine
   * slept and is where it was, so the path is only doubted.
   */
  handleNetworkChange(nowMs: number, why: string, major: boolean, isSamePlace = false): void {
    if (major) this.#open.clear()
    if (major && isSamePlace) this.#best?.doubt(nowMs)
    else if (major) {
      this.#candidates.reset()
      if (this.#best) this.#dropBest(nowMs, why)
    }
    if (this.#wantsDirect(nowMs)) this.#discovery.start(nowMs, why, true)
    this.handleTimeout(nowMs)
  }

  nextTimeout(): { atMs: number; why: string } | undefined {
    const best = this.#best
    let next: { atMs: number; why: string } | undefined
    const consider = (atMs: number | undefined, why: string): void => {
      if (atMs !== undefined && (!next || atMs < next.atMs)) next = { atMs, why }
    }
    consider(this.#discovery.dueMs, 'round of pings')
    if (best && !best.isResting) {
      consider(best.dueMs, 'heartbeat or missing pong')
      consider(best.candidate.size.dueMs, 'size of packets')
    }
    if (best && (this.#path.kind === 'direct' || this.#path.kind === 'peer-relay') && this.#relayRegion() !== 0) consider(best.trustedUntilMs, 'trust ends')
    if (!this.#inUse && this.#probeUntilMs !== Number.NEGATIVE_INFINITY) consider(this.#probeUntilMs, 'probing ends')
    return next
  }

  handleTimeout(nowMs: number): void {
    this.#open.dropOld(nowMs)
    if (!this.#inUse && nowMs >= this.#probeUntilMs && this.#probeUntilMs !== Number.NEGATIVE_INFINITY) this.#rest()
    if (this.#facts.noDirect === undefined) {
      this.#watchBest(nowMs)
      if (this.#discovery.dueMs !== undefined && nowMs >= this.#discovery.dueMs) this.#runRound(nowMs)
    }
    this.#settle(nowMs)
  }

  takeOutput(): PathOutput[] {
    const out = this.#output
    this.#output = []
    return out
  }

  takeEvents(): PathEvent[] {
    const out = this.#events
    this.#events = []
    return out
  }

  #wantsDirect(nowMs: number): boolean {
    return this.#facts.noDirect === undefined && (this.#inUse || nowMs < this.#probeUntilMs)
  }

  #isProven(nowMs: number): boolean {
    return this.#best?.isProven(nowMs) === true
  }

  /** It loses what is large, and there is another way. */
  #isUseless(candidate: Candidate | undefined): boolean {
    return candidate?.size.isNarrow === true && this.#relayRegion() !== 0
  }

  #isProvenDirect(nowMs: number): boolean {
    return this.#isProven(nowMs) && this.#best!.candidate.addr.vni === undefined
  }

  #usable(addrs: readonly AddrPort[]): AddrPort[] {
    if (this.#facts.peerRelayOnly === true) return []
    const out: AddrPort[] = []
    for (const addr of addrs) {
      const reason = refusedAddr(addr, this.#facts.allowLoopback)
      if (reason === undefined) out.push(addr)
      else if (this.#events.length < 100) this.#events.push({ kind: 'candidate-refused', addr, reason, why: `not a place where a peer can be: ${reason}` })
    }
    return out
  }

  #note(source: CandidateSource, added: readonly UdpAddr[], why: string): void {
    this.#events.push({ kind: 'candidates', source, added, total: this.#candidates.size, why })
  }

  /** Starts looking for a path, or proves the one we have when its proof is old. */
  #look(nowMs: number, why: string, urgent: boolean): void {
    if (this.#facts.noDirect !== undefined) return
    const best = this.#best
    if (best?.isResting) this.#startWatch(nowMs, best)
    if (!this.#isProvenDirect(nowMs)) this.#discovery.start(nowMs, why, urgent)
    else if (this.#discovery.dueMs === undefined) this.#planUpgrade(nowMs)
  }

  /** Nobody needs the path: no pings, no timers beyond the end of trust. */
  #rest(): void {
    this.#probeUntilMs = Number.NEGATIVE_INFINITY
    this.#discovery.stop()
    this.#best?.rest()
    this.#best?.candidate.size.rest()
  }

  #runRound(nowMs: number): void {
    const atMs = this.#discovery.isReserved ? nowMs : this.#shared.pace.reserve(nowMs, Math.min(this.#candidates.size, MAX_A_ROUND))
    if (atMs > nowMs) {
      this.#discovery.reserve(atMs)
      return
    }
    this.#candidates.expire(nowMs, this.#best?.candidate)
    this.#pingAll(nowMs, this.#discovery.spacingMs, this.#discovery.why, true)
    // Where a direct path is near, its first pongs come sooner: then no relay is troubled.
    if (!this.#discovery.isYoung(nowMs)) this.#findPeerRelay(nowMs)
    this.#discovery.advance(nowMs)
    if (this.#isProvenDirect(nowMs)) this.#planUpgrade(nowMs)
  }

  #findPeerRelay(nowMs: number): void {
    if (this.#facts.hasPeerRelay !== true || this.#isProvenDirect(nowMs)) return
    const isProven = this.#isProven(nowMs)
    if (isProven && (this.latencyMs ?? 0) <= GOOD_ENOUGH_MS) return
    if (nowMs - this.#relayLookMs < (isProven ? BETTER_RELAY_EVERY_MS : FIND_RELAY_EVERY_MS)) return
    this.#relayLookMs = nowMs
    this.#output.push({ kind: 'find-peer-relay', why: isProven ? 'the peer relay is slow' : this.#discovery.why })
  }

  #planUpgrade(nowMs: number): void {
    if ((this.latencyMs ?? 0) > GOOD_ENOUGH_MS) this.#discovery.later(nowMs + UPGRADE_EVERY_MS, 'the direct path is slow')
    else this.#discovery.stop()
  }

  /** Pings the addresses that were not pinged for `spacingMs`, those that waited longest first, and calls the peer if it may. */
  #pingAll(nowMs: number, spacingMs: number, why: string, call: boolean): void {
    const due = [...this.#candidates.values()].filter((one) => mayPing(one) && (this.#isUseless(one) ? nowMs >= one.size.dueMs! : nowMs - one.lastPingMs >= spacingMs))
    if (due.length > MAX_A_ROUND) due.sort((a, b) => a.lastPingMs - b.lastPingMs)
    const round = due.slice(0, MAX_A_ROUND).filter(() => this.#searches.take(nowMs))
    for (const candidate of round) this.#ping(nowMs, candidate, this.#isUseless(candidate))
    const region = this.#relayRegion()
    const calls = call && region !== 0 && this.#facts.peerRelayOnly !== true && this.#discovery.mayCall(nowMs, this.#candidates.size > 0 || this.#facts.isOpen)
    if (calls) {
      this.#discovery.noteCall(nowMs)
      this.#output.push({ kind: 'call-me-maybe', region, isDoubtful: this.#isDoubtful })
    }
    if (round.length > 0 || calls) this.#events.push({ kind: 'probe-round', pinged: round.length, calledPeer: calls, why })
  }

  /** Its ping got in, so ours gets out: asked at once when there is no path, or when it may be a better one. */
  #isWorthPingBack(nowMs: number, candidate: Candidate): boolean {
    if (this.#isUseless(candidate) || !mayPing(candidate)) return false
    if (!this.#isProvenDirect(nowMs)) return nowMs - candidate.lastPingMs >= PING_BACK_SPACING_MS
    // Where both NATs give each destination its own port, every ping shows another port of the same place, and so without end.
    return candidate.addr.ip !== this.#best?.candidate.addr.ip && nowMs - candidate.lastPingMs >= PING_TIMEOUT_MS
  }

  #ping(nowMs: number, candidate: Candidate, sized = false): void {
    candidate.lastPingMs = nowMs
    candidate.owedPing = false
    candidate.unanswered++
    this.#output.push({ kind: 'ping', pingId: this.#open.add({ candidate, sentMs: nowMs, sized }), to: candidate.addr, sized })
    const watch = this.#best?.candidate === candidate ? this.#best : undefined
    if (sized) candidate.size.noteSent(nowMs, watch?.pongWaitMs() ?? PING_TIMEOUT_MS)
    else watch?.notePing(nowMs)
  }

  /** Heartbeat, missing pongs and packet size of the address that carries the traffic. */
  #watchBest(nowMs: number): void {
    const best = this.#best
    if (!best || best.isResting || !this.#wantsDirect(nowMs)) return
    const verdict = best.judge(nowMs, this.#shared.heartbeatMs())
    if (verdict === 'miss' || verdict === 'suspect' || verdict === 'dead') {
      this.#events.push({ kind: 'pong-missed', addr: best.candidate.addr, misses: best.misses, why: 'no pong in time on the path in use' })
    }
    if (verdict === 'dead') {
      this.#dropBest(nowMs, 'the direct path stopped answering')
      return
    }
    if (verdict === 'suspect') this.#startOver(nowMs, 'the direct path stopped answering')
    if (verdict !== 'wait') this.#ping(nowMs, best.candidate)
    this.#watchSize(nowMs, best.candidate)
  }

  #watchSize(nowMs: number, candidate: Candidate): void {
    const verdict = candidate.size.judge(nowMs)
    if (verdict === 'ask') {
      if (candidate.size.isAsked && !candidate.size.isNarrow && this.#isProven(nowMs)) this.#ping(nowMs, candidate)
      this.#ping(nowMs, candidate, true)
    }
    if (verdict !== 'narrow') return
    this.#events.push({ kind: 'narrow', addr: candidate.addr, isNarrow: true, why: 'it answers small pings but none as large as our packets' })
    if (this.#relayRegion() !== 0) this.#dropBest(nowMs, 'the direct path loses large packets')
  }

  #noteSizedPong(nowMs: number, candidate: Candidate): void {
    if (!candidate.size.noteSizedPong(nowMs)) return
    this.#events.push({ kind: 'narrow', addr: candidate.addr, isNarrow: false, why: 'it answered a ping as large as our packets' })
  }

  #startWatch(nowMs: number, best: Watch): void {
    best.beatAt(nowMs)
    best.candidate.size.start(nowMs)
  }

  /** The path in use failed: our own addresses may be others too. */
  #startOver(nowMs: number, why: string): void {
    this.#isDoubtful = true
    this.#discovery.start(nowMs, why, true)
  }

  #dropBest(nowMs: number, why: string): void {
    if (this.#best?.candidate.addr.vni !== undefined) this.#relayLookMs = Number.NEGATIVE_INFINITY
    this.#best = undefined
    this.#lostWhy = why
    this.#settle(nowMs)
    if (this.#wantsDirect(nowMs)) this.#startOver(nowMs, why)
  }

  /** An address just answered: is it the one to use? */
  #consider(nowMs: number, candidate: Candidate): void {
    const best = this.#best
    if (best?.candidate === candidate) best.notePong(nowMs)
    else {
      if (best && this.#isProven(nowMs) && !this.#isBetter(candidate, best.candidate)) return
      best?.candidate.size.rest()
      this.#best = new Watch(nowMs, candidate)
      if (this.#wantsDirect(nowMs)) {
        this.#best.beatAt(nowMs + this.#shared.heartbeatMs())
        candidate.size.start(nowMs)
      }
    }
    this.#isDoubtful = false
    this.#lostWhy = undefined
    if (this.#discovery.dueMs !== undefined || this.#wantsDirect(nowMs)) this.#planUpgradeOnce(nowMs)
  }

  #isBetter(candidate: Candidate, current: Candidate): boolean {
    if (candidate.size.isNarrow !== current.size.isNarrow) return current.size.isNarrow
    return isBetterPath({ addr: candidate.addr, latencyMs: latencyOf(candidate)! }, { addr: current.addr, latencyMs: latencyOf(current) ?? 0 })
  }

  /** Rounds stop once a path is proven; an upgrade already planned keeps its time. */
  #planUpgradeOnce(nowMs: number): void {
    if (!this.#isProvenDirect(nowMs)) return
    const dueMs = this.#discovery.dueMs
    if (dueMs === undefined || dueMs - nowMs <= STEADY_MAX_MS) this.#planUpgrade(nowMs)
  }

  #relayRegion(): number {
    const home = this.#facts.homeRegion
    if (home === 0 || (home === this.#goneFrom && this.#heardRegion !== 0)) return this.#heardRegion
    return home
  }

  #wantedPath(nowMs: number): Path {
    const region = this.#relayRegion()
    const best = this.#best
    if (!best) return region === 0 ? { kind: 'none' } : { kind: 'relay', region }
    const { vni, ...addr } = best.candidate.addr
    const isAlone = region === 0 || (this.#isProven(nowMs) && !best.candidate.size.isDoubtful)
    if (!isAlone) return { kind: 'both', ...(vni === undefined ? {} : { vni }), addr, region }
    return vni === undefined ? { kind: 'direct', addr } : { kind: 'peer-relay', addr, vni }
  }

  /** Tells the path when it is another than before. */
  #settle(nowMs: number): void {
    const from = this.#path
    const to = this.#wantedPath(nowMs)
    if (samePath(from, to)) return
    this.#path = to
    if (from.kind !== to.kind) this.#sinceMs = nowMs
    this.#output.push({ kind: 'set-path', path: to })
    this.#events.push({ kind: 'path', from, to, why: this.why(nowMs) })
  }
}

/** Gaps between rounds while no path is proven are at most this long; an upgrade is planned further off. */
const STEADY_MAX_MS = 30_000
