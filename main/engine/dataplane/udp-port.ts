/**
 * Which UDP port is ours, over restarts and changes of networks, and when the sockets are opened anew.
 *
 *   wanted    the configured port, else the one of last time: peers, firewalls and routers remember it
 *   anew      after a major change of networks, and when sending fails for the sockets' sake (refused, broken): at most once in
 *             5 s, more and more seldom while it does not help; the port is tried again as configured, as it was, as any
 *   any       while the server wants a port that tells nothing: a new one, and none is remembered
 *
 * Sockets that cannot be had are tried for again; meanwhile the relays carry everything.
 */
import type { Env } from '../base/env.ts'
import { errorText } from '../base/errors.ts'

const RETRY_MS = 5_000
const FAULT_FIRST_MS = 5_000
const FAULT_LAST_MS = 300_000
/** Sending that worked for so long forgives earlier faults. */
const FAULT_FORGIVEN_MS = 600_000

export interface UdpPortDeps {
  readonly env: Env
  /** 0 = none was named. */
  readonly configured: number
  /** The port of last time; 0 = not known. */
  readonly saved: number
  /** Opens the sockets anew, on the first of these that is free, else on any; throws EngineError. */
  readonly rebind: (ports: readonly number[]) => number
  readonly save: (port: number) => void
  /** The port that we have from here on; `isNamed`: a person chose it, and may have opened it at the router. */
  readonly onPort: (port: number, isNamed: boolean) => void
}

export class UdpPort {
  readonly #deps: UdpPortDeps
  #port = 0
  #wanted: number
  #isRandom = false
  #faultMs = Number.NEGATIVE_INFINITY
  #faultWaitMs = FAULT_FIRST_MS
  #cancelRetry: () => void = () => {}

  constructor(deps: UdpPortDeps) {
    this.#deps = deps
    this.#wanted = deps.configured === 0 ? deps.saved : deps.configured
  }

  /** The port to ask for at the start; 0 = any. */
  get first(): number {
    return this.#wanted
  }

  /** The port that we have; 0 before the start. */
  get now(): number {
    return this.#port
  }

  /** The sockets were opened at the start. */
  handleStarted(port: number): void {
    this.#take(port)
  }

  /** The server wants ports that tell nothing, or no longer. */
  setRandom(isRandom: boolean): void {
    if (isRandom === this.#isRandom) return
    this.#isRandom = isRandom
    this.#open(isRandom ? 'the server wants any port' : 'the server lets us have our usual port', isRandom ? [] : this.#ports())
  }

  /** The network under us is another. */
  handleNetworkChange(why: string): void {
    this.#open(why, this.#ports())
  }

  /** A datagram could not be sent. */
  handleSendError(code: string): void {
    if (code !== 'permission' && code !== 'broken') return
    const nowMs = this.#deps.env.clock.nowMs()
    const sinceMs = nowMs - this.#faultMs
    if (sinceMs < this.#faultWaitMs) return
    this.#faultWaitMs = sinceMs > FAULT_FORGIVEN_MS ? FAULT_FIRST_MS : Math.min(FAULT_LAST_MS, this.#faultWaitMs * 2)
    this.#faultMs = nowMs
    this.#open(code === 'permission' ? 'the system refuses to send' : 'the socket is broken', this.#ports())
  }

  stop(): void {
    this.#cancelRetry()
  }

  #ports(): number[] {
    return [...new Set(this.#isRandom ? [this.#port] : [this.#wanted, this.#port])].filter((port) => port !== 0)
  }

  #open(why: string, ports: readonly number[]): void {
    this.#cancelRetry()
    const { env, rebind } = this.#deps
    try {
      const port = rebind(ports)
      if (port !== this.#port) env.log.info(`UDP port ${this.#port} → ${port} (${why})`)
      env.journal.add({ part: 'dataplane', kind: 'rebound', why, port, before: this.#port })
      this.#take(port)
    } catch (error) {
      env.log.warn('no UDP socket is to be had', { error: errorText(error) })
      env.journal.add({ part: 'dataplane', kind: 'rebind-failed', why: errorText(error) })
      this.#cancelRetry = env.clock.after(RETRY_MS, () => this.#open(why, ports))
    }
  }

  #take(port: number): void {
    this.#port = port
    if (this.#deps.configured === 0 && !this.#isRandom && port !== this.#wanted) {
      this.#wanted = port
      this.#deps.save(port)
    }
    this.#deps.onPort(port, port === this.#deps.configured)
  }
}
