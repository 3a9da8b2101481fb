/**
 * One handshake with a peer relay, and through it with the peer. Pure.
 *
 *   bind sent to every address ──first fitting challenge──▶ answer, then ping through ──pong──▶ ready
 *            └──────────────── lifetime of the bind, at most 30 s ───────────────▶ over
 *
 * A ping of the peer that came through the session shows that the peer is bound too: ours is sent again, ten in all.
 * Source: tailscale wgengine/magicsock/relaymanager.go @ de9ec7e, read 2026-08; repeated binds are ours (one lost datagram
 * would else cost 30 s).
 */
import type { AddrPort } from '../../base/ip.ts'
import type { DiscoPublicKey } from '../../base/keys.ts'
import type { DiscoRelayBind, PeerRelayEndpoint } from '../disco/message.ts'

const MAX_MS = 30_000
const MAX_PINGS = 10
/** Binds and pings are repeated at these times after the start of their step. */
const AGAIN_MS = [400, 1200, 3000, 7000] as const

export type HandshakeOutput =
  /** To the relay itself, in the session. */
  | { readonly kind: 'control'; readonly to: AddrPort; readonly message: DiscoRelayBind }
  /** To the peer, through the session. */
  | { readonly kind: 'ping'; readonly to: AddrPort; readonly pingId: number }

export interface HandshakeInput {
  readonly endpoint: PeerRelayEndpoint
  /** At least one. */
  readonly addrs: readonly AddrPort[]
  readonly peer: DiscoPublicKey
  /** Not zero, and another in each handshake with that relay. */
  readonly generation: number
}

export class RelayHandshake {
  readonly endpoint: PeerRelayEndpoint
  readonly #input: HandshakeInput
  readonly #endMs: number
  /** Where the relay answered. */
  #at: AddrPort | undefined
  #pings = 0
  #stepMs: number
  #again = 0
  readonly #sent = new Map<number, number>()
  #challenge: Uint8Array | undefined
  #output: HandshakeOutput[] = []

  constructor(nowMs: number, input: HandshakeInput) {
    this.#input = input
    this.endpoint = input.endpoint
    this.#endMs = nowMs + Math.min(MAX_MS, Number(input.endpoint.bindLifetimeNs / 1_000_000n))
    this.#stepMs = nowMs
    this.#bind()
  }

  /** Where the relay answered; undefined before. */
  get at(): AddrPort | undefined {
    return this.#at
  }

  /** False when the challenge is not for this handshake, or another came first. */
  handleChallenge(nowMs: number, from: AddrPort, vni: number, message: DiscoRelayBind): boolean {
    const fits =
      vni === this.endpoint.vni && message.vni === vni && message.generation === this.#input.generation && message.remote === this.#input.peer && this.#isTried(from)
    if (this.#at !== undefined || !fits) return false
    this.#at = from
    this.#challenge = message.challenge.slice()
    this.#stepMs = nowMs
    this.#again = 0
    this.#answer()
    this.#ping(nowMs)
    return true
  }

  /** The peer's ping came through the session. */
  handlePing(nowMs: number, from: AddrPort): void {
    if (this.#at && sameAddr(this.#at, from)) this.#ping(nowMs)
  }

  /** Round trip of a ping that was answered; undefined when it is none of ours. */
  handlePong(nowMs: number, pingId: number): number | undefined {
    const sentMs = this.#sent.get(pingId)
    return sentMs === undefined ? undefined : nowMs - sentMs
  }

  nextTimeoutMs(): number {
    return Math.min(this.#endMs, this.#dueMs())
  }

  /** Repeats what had no answer; false when the time is over. */
  handleTimeout(nowMs: number): boolean {
    if (nowMs >= this.#endMs) return false
    if (nowMs < this.#dueMs()) return true
    // Steps that were slept through are one.
    while (nowMs >= this.#dueMs()) this.#again++
    if (this.#at === undefined) this.#bind()
    else {
      // The answer may be what was lost; a relay that has it ignores another.
      this.#answer()
      this.#ping(nowMs)
    }
    return true
  }

  takeOutput(): HandshakeOutput[] {
    const out = this.#output
    this.#output = []
    return out
  }

  #dueMs(): number {
    const after = AGAIN_MS[this.#again]
    return after === undefined ? Number.POSITIVE_INFINITY : this.#stepMs + after
  }

  #isTried(from: AddrPort): boolean {
    return this.#input.addrs.some((addr) => sameAddr(addr, from))
  }

  #bind(): void {
    for (const to of this.#input.addrs) this.#output.push({ kind: 'control', to, message: this.#message('bind-relay', new Uint8Array(32)) })
  }

  #answer(): void {
    this.#output.push({ kind: 'control', to: this.#at!, message: this.#message('bind-relay-answer', this.#challenge!) })
  }

  #ping(nowMs: number): void {
    if (this.#pings >= MAX_PINGS) return
    const pingId = ++this.#pings
    this.#sent.set(pingId, nowMs)
    this.#output.push({ kind: 'ping', to: this.#at!, pingId })
  }

  #message(kind: DiscoRelayBind['kind'], challenge: Uint8Array): DiscoRelayBind {
    return { kind, vni: this.endpoint.vni, generation: this.#input.generation, remote: this.#input.peer, challenge }
  }
}

function sameAddr(a: AddrPort, b: AddrPort): boolean {
  return a.ip === b.ip && a.port === b.port
}
