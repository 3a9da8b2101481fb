/**
 * The one connection that we keep to one relay region, and when to make it anew.
 *
 *   resting ──want──▶ dialling ──▶ linked ──lost──▶ waiting ──back-off──▶ dialling
 *      ▲                                │ not home, nothing written for 60 s
 *      └────────────────────────────────┘
 *
 * The home region is wanted always, others from the first packet until they fall idle. Nodes are tried in the map's
 * order. Back-off doubles to 5 s with jitter and starts over once a relay has let us in.
 */
import type { Duplex } from 'node:stream'
import type { Env } from '../base/env.ts'
import { errorText } from '../base/errors.ts'
import type { PrivateKey } from '../base/keys.ts'
import { countFrames, wholeFramesWithin } from '../core/derp/frame.ts'
import type { PeerGone, Restarting } from '../core/derp/frame.ts'
import type { DerpNode, DerpRegion } from '../core/tailcfg/types.ts'
import { certificateFault, relayKeyOf } from './certificate.ts'
import { DerpConnection } from './connection.ts'
import type { Dial, RegionState } from './ports.ts'
import { dialOptions } from './relay-address.ts'

const IDLE_CLOSE_MS = 60_000
const BACKOFF_FIRST_MS = 100
const BACKOFF_MAX_MS = 5000
/** Connecting and TLS, for all nodes of the region together. */
const DIAL_TIMEOUT_MS = 10_000
/** The same for one node, and for TCP alone where another node is next. */
const NODE_TIMEOUT_MS = 5000
const CONNECT_TIMEOUT_MS = 1500
/** A relay may ask for a pause before reconnecting, but not for a long one. */
const RESTART_PAUSE_MAX_MS = 30_000
/** Packets kept while the connection is being made: a handshake and a few more. */
const QUEUE_BYTES = 64 * 1024

export interface LinkFacts {
  onDisco(src: Uint8Array, packet: Uint8Array): void
  onPackets(frames: Uint8Array): void
  onSource(src: Uint8Array): void
  onPeerGone(gone: PeerGone): void
  onHealth(text: string): void
  onState(state: RegionState, why: string): void
}

export interface LinkOptions {
  readonly region: DerpRegion
  readonly nodeKey: PrivateKey
  readonly isPlainHttp: (node: DerpNode) => boolean
  /** IPv6 was seen to work. */
  readonly prefersIpv6: () => boolean
}

export class RegionLink {
  readonly options: LinkOptions
  readonly #env: Env
  readonly #dial: Dial
  readonly #facts: LinkFacts
  #connection: DerpConnection | undefined
  #phase: 'resting' | 'dialling' | 'linked' | 'waiting' | 'stopped' = 'resting'
  #isHome = false
  #lastWriteMs = Number.NEGATIVE_INFINITY
  #failures = 0
  #pauseMs: number | undefined
  #cancelTimer: () => void = () => {}
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  #attempt = 0
  #why = 'not used yet'
  /** A relay that showed its key beforehand did not go on from there. */
  #fastStartFails = false
  /** Of connections that have ended. */
  #heardAtMs: number | undefined
  #dropped = 0

  constructor(env: Env, dial: Dial, options: LinkOptions, facts: LinkFacts) {
    this.#env = env
    this.#dial = dial
    this.options = options
    this.#facts = facts
  }

  get isConnected(): boolean {
    return this.#connection?.isOpen === true
  }

  /** When a frame came from a relay of the region last, monotonic. */
  get heardAtMs(): number | undefined {
    return this.isConnected ? this.#connection!.heardAtMs : this.#heardAtMs
  }

  /** State and reason for a person. */
  get text(): string {
    return `${this.#phase === 'linked' ? 'connected' : this.#phase}: ${this.#why}`
  }

  get droppedPackets(): number {
    return this.#dropped + (this.#connection?.droppedPackets ?? 0)
  }

  setHome(isHome: boolean): void {
    if (isHome === this.#isHome) return
    this.#isHome = isHome
    this.#connection?.setHome(isHome)
    if (isHome) this.#want('it is the home region')
    else if (this.#phase === 'linked') this.#restLater()
    else if (!this.#isWanted()) this.#rest('no longer the home region')
  }

  /** Sends whole SendPacket frames, owned from here on; opens the connection when there is none. */
  send(frames: Uint8Array): void {
    if (this.#phase === 'stopped') return
    const wasIdle = this.#lastWriteMs === Number.NEGATIVE_INFINITY
    this.#lastWriteMs = this.#env.clock.nowMs()
    if (this.#connection) {
      this.#connection.sendFrames(frames)
      if (wasIdle && this.#phase === 'linked') this.#restLater()
      return
    }
    this.#keep(frames)
    this.#want('a packet goes there')
  }

  /** Keeps packets until there is a connection; the oldest go first, since their senders have sent them again meanwhile. */
  #keep(frames: Uint8Array): void {
    const fits = wholeFramesWithin(frames, QUEUE_BYTES)
    if (fits < frames.length) this.#dropped += countFrames(frames.subarray(fits))
    while (this.#queuedBytes + fits > QUEUE_BYTES) {
      const oldest = this.#queue.shift()!
      this.#queuedBytes -= oldest.length
      this.#dropped += countFrames(oldest)
    }
    this.#queue.push(frames.subarray(0, fits))
    this.#queuedBytes += fits
  }

  forgetSource(): void {
    this.#connection?.forgetSource()
  }

  /**
   * After a change of networks: a connection whose local address no longer carries ends now and is made anew, another has to
   * answer a ping in time; who dials or waits dials now.
   */
  check(timeoutMs: number, why: string, carriesFrom: (localIp: string) => boolean): void {
    const localIp = this.#connection?.localIp
    if (localIp !== undefined && !carriesFrom(localIp)) this.#connection?.close(`its address here is gone: ${why}`)
    this.#connection?.check(timeoutMs, why)
    if (this.#phase !== 'waiting' && !(this.#phase === 'dialling' && !this.#connection)) return
    this.#failures = 0
    this.#cancelTimer()
    this.#phase = 'resting'
    this.#want(why)
  }

  /** Ends for good. */
  stop(why: string): void {
    if (this.#phase === 'stopped') return
    this.#isHome = false
    this.#lastWriteMs = Number.NEGATIVE_INFINITY
    const connection = this.#connection
    this.#rest(why)
    this.#phase = 'stopped'
    connection?.close(why)
  }

  #isWanted(): boolean {
    return this.#isHome || this.#env.clock.nowMs() - this.#lastWriteMs < IDLE_CLOSE_MS
  }

  #want(why: string): void {
    if (this.#phase !== 'resting') return
    this.#phase = 'dialling'
    this.#why = why
    this.#facts.onState('connecting', why)
    void this.#connect(++this.#attempt)
  }

  /** Tries the nodes in order. Ends with a connection in its greeting, or in `#fail`. */
  async #connect(attempt: number): Promise<void> {
    const { region, nodeKey } = this.options
    const nodes = (region.Nodes ?? []).filter((node) => node.STUNOnly !== true)
    const endMs = this.#env.clock.nowMs() + DIAL_TIMEOUT_MS
    let why = 'the region has no relay'
    for (const node of nodes) {
      let stream: Duplex
      try {
        const timeoutMs = Math.min(NODE_TIMEOUT_MS, endMs - this.#env.clock.nowMs())
        const connectTimeoutMs = node === nodes.at(-1) ? undefined : CONNECT_TIMEOUT_MS
        const how = timeoutMs <= 0 ? undefined : dialOptions(node, this.options.isPlainHttp(node), { timeoutMs, connectTimeoutMs, preferIpv6: this.options.prefersIpv6() })
        if (!how) continue
        stream = await this.#dial(node.HostName, how.port, how.options)
      } catch (error) {
        why = errorText(error)
        if (attempt !== this.#attempt) return
        continue
      }
      if (attempt !== this.#attempt) {
        stream.on('error', () => {})
        stream.destroy()
        return
      }
      const fault = certificateFault(node, stream, this.#env.clock.wallMs())
      if (fault !== undefined) {
        stream.on('error', () => {})
        stream.destroy()
        why = fault
        continue
      }
      this.#adopt(stream, node, node === nodes[0] ? undefined : nodes[0]!.Name, nodeKey)
      return
    }
    this.#fail(why)
  }

  #adopt(stream: Duplex, node: DerpNode, idealNode: string | undefined, nodeKey: PrivateKey): void {
    const relayKey = this.#fastStartFails ? undefined : relayKeyOf(stream)
    const connection = new DerpConnection(
      this.#env,
      stream,
      { host: node.HostName, idealNode, nodeKey, isHome: this.#isHome, relayKey },
      {
        onDisco: (src, packet) => this.#facts.onDisco(src, packet),
        onPackets: (frames) => this.#facts.onPackets(frames),
        onSource: (src) => this.#facts.onSource(src),
        onPeerGone: (gone) => this.#facts.onPeerGone(gone),
        onHealth: (text) => this.#facts.onHealth(text),
        onRestarting: (restarting) => this.#noteRestart(restarting),
        onOpen: () => this.#opened(),
        onEnded: (why) => {
          this.#fastStartFails ||= relayKey !== undefined && !connection.hasLoggedIn
          this.#ended(connection, why)
        },
      },
    )
    this.#connection = connection
    for (const frames of this.#queue) connection.sendFrames(frames)
    this.#queue = []
    this.#queuedBytes = 0
  }

  #opened(): void {
    this.#phase = 'linked'
    this.#failures = 0
    this.#pauseMs = undefined
    this.#facts.onState('connected', this.#why)
    this.#restLater()
  }

  #ended(connection: DerpConnection, why: string): void {
    this.#dropped += connection.droppedPackets
    if (connection.hasLoggedIn) this.#heardAtMs = connection.heardAtMs
    if (this.#connection !== connection) return
    this.#connection = undefined
    if (this.#phase === 'stopped' || this.#phase === 'resting') return
    this.#fail(why)
  }

  #fail(why: string): void {
    this.#cancelTimer()
    this.#why = why
    this.#facts.onState('lost', why)
    if (!this.#isWanted()) {
      this.#phase = 'resting'
      this.#dropQueue()
      return
    }
    this.#phase = 'waiting'
    const backoffMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(this.#failures++, 10))
    const delayMs = this.#pauseMs ?? backoffMs * (0.5 + this.#env.random.unit() / 2)
    this.#pauseMs = undefined
    this.#cancelTimer = this.#env.clock.after(delayMs, () => {
      this.#phase = 'resting'
      if (this.#isWanted()) this.#want(`again after: ${why}`)
      else this.#rest('no longer used')
    })
  }

  /** The relay says that it restarts: a spread-out pause instead of the back-off, then as usual. */
  #noteRestart(restarting: Restarting): void {
    this.#pauseMs = Math.min(restarting.reconnectInMs, RESTART_PAUSE_MAX_MS) * (1 + this.#env.random.unit() / 4)
  }

  #restLater(): void {
    this.#cancelTimer()
    if (this.#isHome || this.#phase !== 'linked') return
    const idleMs = this.#env.clock.nowMs() - this.#lastWriteMs
    const leftMs = Number.isFinite(idleMs) ? IDLE_CLOSE_MS - idleMs : IDLE_CLOSE_MS
    if (leftMs > 0) {
      if (!Number.isFinite(idleMs)) this.#lastWriteMs = this.#env.clock.nowMs()
      this.#cancelTimer = this.#env.clock.after(leftMs, () => this.#restLater())
      return
    }
    const connection = this.#connection
    this.#rest('idle for 60 s')
    connection?.close('idle for 60 s')
    this.#facts.onState('lost', 'idle for 60 s')
  }

  #rest(why: string): void {
    this.#attempt++
    this.#cancelTimer()
    this.#phase = 'resting'
    this.#why = why
    this.#connection = undefined
    this.#lastWriteMs = Number.NEGATIVE_INFINITY
    this.#dropQueue()
  }

  #dropQueue(): void {
    for (const frames of this.#queue) this.#dropped += countFrames(frames)
    this.#queue = []
    this.#queuedBytes = 0
  }
}
