/**
 * Drives the choice of an exit node (core/exit-node): hands it what the map, the prefs and the network say, asks devices
 * whether they answer, and has the plan made anew when it decides otherwise. What came of it is told from here: journal,
 * log, bus, server.
 *
 *   map, prefs, extras ─▶ planning() ─▶ machine ─▶ verdict ─▶ core/plan/egress        answers, timers ─▶ machine ─▶ plan again
 */
import type { Env } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import type { NodePublicKey } from '../base/keys.ts'
import { ExitNodes } from '../core/exit-node/exit-nodes.ts'
import type { ExitCandidate, ExitChoice, ExitMeasure, ExitStep, ExitWay } from '../core/exit-node/types.ts'
import type { Path } from '../core/path/types.ts'
import { peerByStableId } from '../core/netmap/find-node.ts'
import { DIRECT, exitFault, offersExit, UNRESOLVED_EXIT } from '../core/plan/egress.ts'
import type { Egress, ExitVerdict } from '../core/plan/egress.ts'
import { addressesOf, magicDnsSuffix, shortName } from '../core/plan/names.ts'
import type { PlanPrefs } from '../core/plan/plan.ts'
import type { Node } from '../core/tailcfg/types.ts'
import { egressNow } from './egress-now.ts'
import { SUGGEST_CAP } from './exit-node.ts'
import { egressJson } from './exit-nodes-page.ts'
import type { Knot } from './knot.ts'
import { serverNowMs } from './map-flow.ts'
import type { Model } from './model.ts'
import { settleFailure } from './policy-prefs.ts'
import type { DataplanePort, HealthPort, MagicsockPort } from './ports.ts'
import { carries } from './state.ts'

/** An answer that comes later is none. */
const PATIENCE_MS = 3000
/** How often it is looked at whether anything comes back while packets go out. */
const COUNT_EVERY_MS = 500
/** Somebody looks at the list; they may look again. */
const LOOKED_AT_MS = 120_000

export interface ExitNodeFlowDeps {
  readonly env: Env
  readonly model: Model
  readonly knot: Knot
  readonly magicsock: MagicsockPort
  readonly dataplane: DataplanePort
  readonly health: HealthPort
  readonly hasNetwork: () => boolean
}

/** Packets from and to a peer, with the time. */
interface Counts {
  readonly key: NodePublicKey
  readonly rx: number
  readonly tx: number
  readonly atMs: number
}

export class ExitNodeFlow {
  readonly #deps: ExitNodeFlowDeps
  readonly #machine = new ExitNodes()
  readonly #listeners: (() => void)[] = []
  #verdict: ExitVerdict | undefined
  #egress: Egress = DIRECT
  #sinceWallMs = 0
  #pauseEndsWallMs: number | undefined
  #lookedAtMs = Number.NEGATIVE_INFINITY
  /** A sign-in page of the network here is in the way. */
  #isPortal = false
  #cancelTimer: (() => void) | undefined
  #cancelCount: (() => void) | undefined
  /** Of the exit node in use, as counted last. */
  #counts: Counts | undefined

  constructor(deps: ExitNodeFlowDeps) {
    this.#deps = deps
    deps.health.onChange(() => this.#notePortal())
  }

  /** What the plan is to go by. */
  planning(): Pick<PlanPrefs, 'exitNodeId' | 'exitNodeIp' | 'exitVerdict'> {
    const { prefs } = this.#deps.model.saved
    this.#verdict = this.#take(this.#step())
    return { exitNodeId: prefs.ExitNodeID, exitNodeIp: prefs.ExitNodeIP, exitVerdict: this.#verdict }
  }

  /** Tells what has changed of the way out. */
  refresh(): void {
    const { env, model, knot } = this.#deps
    // Until anything is known there is nothing to tell.
    if (model.life.name === 'NoState') return
    const before = this.#egress
    const after = egressNow(model)
    if (JSON.stringify(before) === JSON.stringify(after)) return
    this.#egress = after
    if (after.kind === 'exit' && model.active.has(after.key)) this.#watchCounts(after.key)
    if (before.kind !== after.kind || idOf(before) !== idOf(after)) this.#sinceWallMs = env.clock.wallMs()
    const why = after.kind === 'direct' ? 'no exit node is chosen' : after.why
    env.journal.add({ part: 'exit-node', kind: after.kind, why, ...(after.kind === 'direct' ? {} : { id: after.id, name: after.name }), from: before.kind })
    env.log.info(`exit node: ${shown(before)} → ${shown(after)} (${why})`)
    knot.emit({ Egress: egressJson(after) })
    knot.pushWants()
    knot.refreshWarnings()
    for (const call of this.#listeners) call()
  }

  /** Calls after each change of the way out and of what was measured. */
  onChange(call: () => void): void {
    this.#listeners.push(call)
  }

  /** Since when the way out is as it is, wall time. */
  get sinceWallMs(): number {
    return this.#sinceWallMs
  }

  get machine(): Pick<ExitNodes, 'lifeOf' | 'ranked' | 'current' | 'pause'> {
    return this.#machine
  }

  /** Somebody wants something sent out. */
  handleWish(): void {
    if (this.#machine.current === '') return
    this.#machine.handleWish(this.#deps.env.clock.nowMs())
    this.#turn()
  }

  /** Edges of the traffic with a peer. */
  handleActivity(peer: NodePublicKey, kind: 'sending' | 'receiving' | 'idle'): void {
    if (this.#egress.kind !== 'exit' || this.#egress.key !== peer) return
    if (kind === 'idle') {
      this.#cancelCount?.()
      this.#cancelCount = undefined
    } else if (kind === 'receiving') this.#hear(this.#egress.id, undefined)
    else this.#watchCounts(peer)
  }

  /** This machine's network is another, or it slept. */
  handleMove(why: string, isSamePlace: boolean): void {
    this.#machine.handleMove(this.#deps.env.clock.nowMs())
    if (!isSamePlace && this.#machine.pause) this.resume(`this computer is on another network: ${why}`)
    else this.#turn()
  }

  /** Lets traffic past the exit node for some time. Throws EngineError('not-found') when none is chosen. */
  pause(forMs: number, why: string): void {
    const { env } = this.#deps
    this.#step()
    this.#machine.handlePause({ why, untilMs: env.clock.nowMs() + forMs })
    if (!this.#machine.pause) throw new EngineError('not-found', 'No exit node is chosen, so there is nothing to pause.')
    this.#pauseEndsWallMs = env.clock.wallMs() + forMs
    env.journal.add({ part: 'exit-node', kind: 'pause', why, forMs })
    this.#turn()
  }

  /** Traffic goes through the exit node again. */
  resume(why: string): void {
    if (!this.#machine.pause) return
    this.#machine.handleResume()
    this.#deps.env.journal.add({ part: 'exit-node', kind: 'resume', why })
    this.#turn()
  }

  /** Asks every device that offers itself once. */
  measureAll(): void {
    this.look()
    this.#machine.measureAll()
    this.#turn()
  }

  /** Somebody looks: the list is kept up for a while. */
  look(): void {
    this.#lookedAtMs = this.#deps.env.clock.nowMs()
    this.#machine.handleFacts(this.#lookedAtMs, this.#facts())
  }

  stop(): void {
    this.#cancelTimer?.()
    this.#cancelCount?.()
    this.#listeners.length = 0
  }

  /** A pause was for the sign-in page of the network here: it ends with it. */
  #notePortal(): void {
    const isPortal = this.#deps.health.state().Warnings?.['captive-portal-detected'] !== undefined
    if (isPortal === this.#isPortal) return
    this.#isPortal = isPortal
    this.#deps.knot.refreshWarnings()
    if (!isPortal) this.resume('the sign-in page of this network is gone')
  }

  /** Steps because of something that happened, and has planned what is decided otherwise. */
  #turn(): void {
    const verdict = this.#take(this.#step())
    if (JSON.stringify(verdict) !== JSON.stringify(this.#verdict)) {
      this.#verdict = verdict
      this.#deps.knot.planAgain()
    }
    this.#noteChosen()
  }

  #step(): ExitStep {
    const nowMs = this.#deps.env.clock.nowMs()
    this.#machine.handleFacts(nowMs, this.#facts())
    return this.#machine.step(nowMs)
  }

  /** Carries out a step; its verdict, with the time of a pause. */
  #take({ verdict, ask, chosen, wakeAtMs }: ExitStep): ExitVerdict | undefined {
    const { clock } = this.#deps.env
    for (const id of ask) this.#ask(id)
    const isNew = chosen !== undefined && chosen !== this.#deps.model.saved.prefs.ExitNodeID
    const wakeInMs = isNew ? 0 : wakeAtMs - clock.nowMs()
    this.#cancelTimer?.()
    this.#cancelTimer = wakeInMs === Infinity ? undefined : clock.after(Math.max(0, wakeInMs), () => this.#turn())
    const ends = this.#machine.pause ? this.#pauseEndsWallMs : undefined
    return verdict?.kind === 'pause' && ends !== undefined ? { ...verdict, untilMs: ends } : verdict
  }

  /** The one that was chosen by itself is noted as the stock daemon does it, so that it is used at once after a restart. */
  #noteChosen(): void {
    const { model, knot } = this.#deps
    const { prefs } = model.saved
    const { current } = this.#machine
    if (!carries(model.life) || (prefs.AutoExitNode ?? '') === '' || current === '' || prefs.ExitNodeID === current) return
    knot.takePrefs({ ...prefs, ExitNodeID: current })
  }

  #facts(): Parameters<ExitNodes['handleFacts']>[1] {
    const { model, env, hasNetwork } = this.#deps
    const { extras } = model.saved
    const choice = this.#choice()
    const isOfInterest = choice.kind !== 'none' || env.clock.nowMs() - this.#lookedAtMs < LOOKED_AT_MS
    const candidates = isOfInterest ? this.#candidates(choice.kind === 'none' ? '' : choice.id) : NO_CANDIDATES
    return { choice, failure: settleFailure(extras.ExitNodeFailure, model.policy), order: extras.ExitNodeOrder, candidates, hasNetwork: hasNetwork() }
  }

  #choice(): ExitChoice {
    const { model } = this.#deps
    const { prefs } = model.saved
    if (!carries(model.life)) return { kind: 'none' }
    const id = prefs.ExitNodeID === UNRESOLVED_EXIT ? '' : prefs.ExitNodeID
    if ((prefs.AutoExitNode ?? '') !== '') return { kind: 'auto', id }
    return id === '' ? { kind: 'none' } : { kind: 'node', id }
  }

  #candidates(chosenId: string): ReadonlyMap<string, ExitCandidate> {
    const { model, env } = this.#deps
    const { netMap } = model
    if (!netMap) return NO_CANDIDATES
    const suffix = magicDnsSuffix(netMap.self)
    const nowMs = serverNowMs(env.clock, model)
    const nodes = [...netMap.peers.values()].filter((node) => offersExit(node) || node.StableID === chosenId)
    return new Map(nodes.map((node) => [node.StableID, {
      id: node.StableID, name: shortName(node, suffix), online: node.Online ?? undefined, fault: exitFault(node, nowMs), recommended: node.CapMap?.[SUGGEST_CAP] !== undefined,
    }]))
  }

  #nodeOf(id: string): Node | undefined {
    const { netMap } = this.#deps.model
    return netMap && peerByStableId(netMap, id)
  }

  /** Whatever answers counts: path finding, or the tunnel itself, which is asked only where traffic goes or is to go. */
  #ask(id: string): void {
    const { magicsock, dataplane } = this.#deps
    const node = this.#nodeOf(id)
    const ip = node && addressesOf(node)[0]
    if (!node || ip === undefined) return
    const key = node.Key as NodePublicKey
    const isBare = node.IsWireGuardOnly === true
    const silent = (): void => {}
    if (!isBare) magicsock.ping(key, 0, PATIENCE_MS).then(({ latencyMs, via }) => this.#hear(id, { latencyMs, way: via.kind }), silent)
    if (isBare || id === this.#machine.current) {
      dataplane.ping(isBare ? 'icmp' : 'tsmp', ip, 0, PATIENCE_MS).then(({ latencyMs }) => this.#hear(id, { latencyMs, way: isBare ? 'direct' : wayOf(magicsock.pathTo(key)?.path) }), silent)
    }
  }

  #hear(id: string, measure: ExitMeasure | undefined): void {
    const before = this.#machine.lifeOf(id)
    this.#machine.handleHeard(this.#deps.env.clock.nowMs(), id, measure)
    this.#turn()
    if (measure && JSON.stringify(before.measure) !== JSON.stringify(measure)) for (const call of this.#listeners) call()
  }

  /** While packets go to the exit node: does anything come back? What made the traffic begin counts as sent from now on. */
  #watchCounts(key: NodePublicKey): void {
    if (this.#cancelCount && this.#counts?.key === key) return
    this.#counts = { ...this.#count(key), tx: -1 }
    this.#armCount()
  }

  #armCount(): void {
    this.#cancelCount ??= this.#deps.env.clock.after(COUNT_EVERY_MS, () => this.#lookAtCounts())
  }

  #lookAtCounts(): void {
    this.#cancelCount = undefined
    const egress = this.#egress
    if (egress.kind !== 'exit' || !this.#deps.model.active.has(egress.key)) return
    const before = this.#counts
    const now = this.#count(egress.key)
    this.#counts = now
    this.#armCount()
    if (before?.key !== egress.key) return
    if (now.rx !== before.rx) this.#hear(egress.id, undefined)
    else if (now.tx !== before.tx) {
      this.#machine.handleOneWay(now.atMs, before.atMs)
      this.#turn()
    }
  }

  #count(key: NodePublicKey): Counts {
    const { rxPackets = 0, txPackets = 0 } = this.#deps.dataplane.statsOf(key) ?? {}
    return { key, rx: rxPackets, tx: txPackets, atMs: this.#deps.env.clock.nowMs() }
  }
}

const NO_CANDIDATES: ReadonlyMap<string, ExitCandidate> = new Map()

function wayOf(path: Path | undefined): ExitWay {
  return path?.kind === 'direct' || path?.kind === 'peer-relay' ? path.kind : 'relay'
}

function idOf(egress: Egress): string {
  return egress.kind === 'direct' ? '' : egress.id
}

function shown(egress: Egress): string {
  return egress.kind === 'direct' ? 'none' : `${egress.kind} ${egress.name || egress.id}`.trim()
}
