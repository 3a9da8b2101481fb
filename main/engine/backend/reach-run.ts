/**
 * One look at whether a place can be reached: what is known without asking, then pings outside and inside the tunnel, then the machine
 * and the port. Each answer makes another ladder; the first that settles the verdict ends the wait for it.
 *
 *   locate → disco ping, TSMP ping (twice) → ICMP ping, TCP connection (opened and closed, nothing is sent)
 *
 * Bounded in time whatever is silent: 6 s for the device, 6 s for the port. A look that was given up asks nothing more.
 */
import type { Duplex } from 'node:stream'
import type { Clock } from '../base/env.ts'
import { EngineError, errorText } from '../base/errors.ts'
import type { NodePublicKey } from '../base/keys.ts'
import { addressesOf } from '../core/plan/names.ts'
import { ladderOf } from '../core/reach/ladder.ts'
import type { Answer, Ladder, ReachEvidence, TcpEnd } from '../core/reach/ladder.ts'
import type { ReachTarget } from '../core/reach/target.ts'
import { isIp4 } from '../base/ip.ts'
import type { PingResult, PingType } from '../../localapi/types.ts'
import type { Found, Located } from './reach-place.ts'
import type { DataplanePort, FlowReject } from './ports.ts'

/** The first ping of a peer that rests waits for a handshake, which may go by a relay. */
const DEVICE_MS = 6_000
const TSMP_TRY_MS = 3_000
const ICMP_MS = 3_000
const DIAL_MS = 6_000
/** What a device said of a refusal comes apart from the end of the connection, a moment earlier or later. */
const REASON_MS = 100

export interface ToldReject {
  readonly reason: FlowReject['reason']
  readonly atMs: number
}

export interface ReachRunDeps {
  readonly clock: Clock
  readonly dataplane: Pick<DataplanePort, 'dial' | 'statsOf'>
  readonly locate: (target: ReachTarget) => Promise<Located>
  readonly ping: (ip: string, type: PingType, timeoutMs: number) => Promise<PingResult>
  /** The reason that the device gave for this place when it last refused it, and when that was told (clock.nowMs). */
  readonly lastReject: (ip: string, port: number) => ToldReject | undefined
  readonly onChange: () => void
}

export class ReachRun {
  readonly target: ReachTarget
  readonly startedMs: number
  /** Wall time; undefined while it goes on. */
  endedMs: number | undefined
  found: Found | undefined
  ladder: Ladder
  #evidence: ReachEvidence
  readonly #deps: ReachRunDeps
  #gone = false

  constructor(target: ReachTarget, deps: ReachRunDeps) {
    this.target = target
    this.#deps = deps
    this.startedMs = deps.clock.wallMs()
    this.#evidence = { target }
    this.ladder = ladderOf(this.#evidence, false)
  }

  get evidence(): ReachEvidence {
    return this.#evidence
  }

  /** Looks; never rejects. */
  async go(): Promise<void> {
    try {
      await this.#look()
    } catch (error) {
      this.#take({ port: { kind: 'failed', why: errorText(error) } })
    }
    this.#end()
  }

  /** Nothing more is asked; what is known stays. */
  abort(): void {
    if (this.endedMs !== undefined) return
    this.#gone = true
    this.#end()
  }

  async #look(): Promise<void> {
    const { evidence, found } = await this.#deps.locate(this.target)
    this.found = found
    this.#take(evidence)
    if (!found || this.#gone) return
    await this.#device(found)
    const { tunnel, disco } = this.#evidence
    const isThere = tunnel?.ok === true || (disco?.ok === true && this.#evidence.handshakeAgoMs !== undefined)
    if (!isThere || this.#gone) return
    await Promise.all([this.#machine(found), this.target.port === 0 ? undefined : this.#port(found)])
  }

  /** Both pings at once; what is inside the tunnel matters, so its answer is enough to go on. */
  async #device({ ip, node }: Found): Promise<void> {
    const own = addressesOf(node)
    const at = own.includes(ip) ? ip : (own.find((one) => isIp4(one) === isIp4(ip)) ?? own[0] ?? ip)
    const disco = this.#deps.ping(at, 'disco', DEVICE_MS).then((pong) => this.#take({ disco: answerOf(pong), ...pathOf(pong), ...this.#handshake(node.Key) }))
    const tunnel = async (): Promise<void> => {
      for (let left = DEVICE_MS / TSMP_TRY_MS; left > 0 && !this.#gone; left--) {
        const answer = answerOf(await this.#deps.ping(at, 'TSMP', TSMP_TRY_MS))
        if (answer.ok || left === 1) return this.#take({ tunnel: answer, ...this.#handshake(node.Key) })
      }
    }
    const inside = tunnel()
    await Promise.race([inside.then(() => (this.#evidence.tunnel?.ok === true ? undefined : disco)), Promise.all([disco, inside])])
    // A path that is told a moment later still becomes part of the ladder.
    void disco.catch(() => undefined)
  }

  async #machine({ ip }: Found): Promise<void> {
    this.#take({ host: answerOf(await this.#deps.ping(ip, 'ICMP', ICMP_MS)) })
  }

  async #port({ ip }: Found): Promise<void> {
    const { clock, dataplane } = this.#deps
    const startedMs = clock.nowMs()
    const end = await dataplane.dial(ip, this.target.port, DIAL_MS).then(
      (stream): TcpEnd => {
        close(stream)
        return { kind: 'connected', latencyMs: clock.nowMs() - startedMs }
      },
      (error: unknown) => this.#failure(ip, startedMs, error),
    )
    this.#take({ port: end })
  }

  async #failure(ip: string, startedMs: number, error: unknown): Promise<TcpEnd> {
    const code = error instanceof EngineError ? error.code : 'io'
    if (code === 'connection-refused') return { kind: 'refused' }
    if (code === 'timeout') return { kind: 'silent' }
    if (code !== 'access-denied') return /unreachable/.test(errorText(error)) ? { kind: 'unreachable' } : { kind: 'failed', why: errorText(error) }
    const { clock, lastReject } = this.#deps
    const told = lastReject(ip, this.target.port)
    if (!told || told.atMs < startedMs) await new Promise<void>((resolve) => void clock.after(REASON_MS, resolve))
    // Many alike are told once: what was said of the last one is said of this one too.
    const reason = lastReject(ip, this.target.port)?.reason
    return { kind: 'rejected', reason: reason === undefined || reason === 'not-ours' || reason === 'foreign-source' ? 'other' : reason }
  }

  #handshake(key: string): Pick<ReachEvidence, 'handshakeAgoMs'> {
    const atMs = this.#deps.dataplane.statsOf(key as NodePublicKey)?.lastHandshakeMs
    return atMs === undefined ? {} : { handshakeAgoMs: Math.max(0, this.#deps.clock.wallMs() - atMs) }
  }

  #take(more: Partial<ReachEvidence>): void {
    if (this.endedMs !== undefined) return
    this.#evidence = { ...this.#evidence, ...more }
    this.ladder = ladderOf(this.#evidence, false)
    this.#deps.onChange()
  }

  #end(): void {
    if (this.endedMs !== undefined) return
    this.endedMs = this.#deps.clock.wallMs()
    this.ladder = ladderOf(this.#evidence, true)
    this.#deps.onChange()
  }
}

function answerOf({ Err, LatencySeconds }: PingResult): Answer {
  return Err === '' ? { ok: true, latencyMs: LatencySeconds * 1000 } : { ok: false, why: Err }
}

function pathOf({ Err, Endpoint, PeerRelay, DERPRegionCode }: PingResult): Pick<ReachEvidence, 'path'> {
  if (Err !== '') return {}
  if (Endpoint !== '') return { path: { kind: 'direct', words: 'direct' } }
  return PeerRelay === '' ? { path: { kind: 'relay', words: `relay ${DERPRegionCode}` } } : { path: { kind: 'peer-relay', words: 'peer-relay' } }
}

function close(stream: Duplex): void {
  stream.on('error', () => {})
  stream.destroy()
}
