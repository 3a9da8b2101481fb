/**
 * The state of the WireGuard session with each peer, as far as the edges that the data plane tells show it.
 *
 *   none → handshake (we send and have no session) → established (a handshake came through) → expired (older than a session
 *   may be) → none (its keys are gone)      any → none (the peer left the map)
 *
 * Source: WireGuard paper §6.1 (Reject-After-Time 180 s, keys erased after three times that); tailscale ipn/backend.go (PeerState).
 */
import type { Env } from '../base/env.ts'
import type { NodePublicKey } from '../base/keys.ts'
import { nodeByKey } from '../core/netmap/find-node.ts'
import type { NetMap } from '../core/netmap/types.ts'
import { addressesOf } from '../core/plan/names.ts'
import type { Notify, PeerSession } from '../../localapi/types.ts'

const REJECT_AFTER_MS = 180_000
const FORGET_AFTER_MS = 3 * REJECT_AFTER_MS
/** As close as one peer is greeted. */
const GREETING_MS = 5_000

type SessionState = PeerSession['PeerWireGuardState']

interface Entry {
  readonly stableId: string
  state: SessionState
  /** Wall time. */
  sinceMs: number
  takeBack: (() => void) | undefined
}

export class PeerSessions {
  readonly #env: Env
  readonly #emit: (part: Partial<Notify>) => void
  readonly #greet: (ip: string) => void
  readonly #entries = new Map<NodePublicKey, Entry>()
  /** When each was greeted, monotonic. */
  readonly #greeted = new Map<NodePublicKey, number>()

  /** `greet` sends a peer something that makes a session where there is none. */
  constructor(env: Env, emit: (part: Partial<Notify>) => void, greet: (ip: string) => void = () => {}) {
    this.#env = env
    this.#emit = emit
    this.#greet = greet
  }

  /** Every session that is not `none`, by stable ID; undefined when there is none. */
  all(): Notify['PeerState'] | undefined {
    const states = [...this.#entries.values()].map((entry) => [entry.stableId, shown(entry)] as const)
    return states.length === 0 ? undefined : Object.fromEntries(states)
  }

  /** A handshake with the peer came through. */
  handleHandshake(peer: NodePublicKey, netMap: NetMap | undefined): void {
    const entry = this.#entry(peer, netMap)
    if (!entry) return
    this.#become(peer, entry, 'established')
    this.#after(entry, REJECT_AFTER_MS, () => {
      this.#become(peer, entry, 'expired')
      this.#after(entry, FORGET_AFTER_MS - REJECT_AFTER_MS, () => this.#forget(peer, entry))
    })
  }

  /** Packets for the peer begin; without a session that starts a handshake. */
  handleSending(peer: NodePublicKey, netMap: NetMap | undefined): void {
    const entry = this.#entry(peer, netMap)
    if (!entry || entry.state === 'established') return
    this.#become(peer, entry, 'handshake')
    this.#after(entry, FORGET_AFTER_MS, () => this.#forget(peer, entry))
  }

  /** The peer sends into a session that this engine does not have, as after its start: it would do so for 15 s before it asks for another. */
  handleStray(peer: NodePublicKey, netMap: NetMap | undefined): void {
    const nowMs = this.#env.clock.nowMs()
    for (const [one, atMs] of this.#greeted) if (nowMs - atMs >= GREETING_MS) this.#greeted.delete(one)
    const node = netMap && nodeByKey(netMap, peer)
    const ip = node && addressesOf(node)[0]
    if (ip === undefined || this.#greeted.has(peer) || this.#entries.get(peer)?.state === 'established') return
    this.#greeted.set(peer, nowMs)
    this.#env.journal.add({ part: 'dataplane', kind: 'stray', why: 'the device sends into a session of before this start; it is asked for a new one', peer })
    this.#greet(ip)
  }

  /** Drops the sessions of peers that are no longer in the map. */
  handleNetMap(netMap: NetMap | undefined): void {
    if (this.#entries.size === 0) return
    const present = new Set<string>([...(netMap?.peers.values() ?? [])].map((peer) => peer.Key))
    for (const [peer, entry] of this.#entries) if (!present.has(peer)) this.#forget(peer, entry)
  }

  stop(): void {
    for (const entry of this.#entries.values()) entry.takeBack?.()
    this.#entries.clear()
  }

  #entry(peer: NodePublicKey, netMap: NetMap | undefined): Entry | undefined {
    const known = this.#entries.get(peer)
    if (known) return known
    for (const node of netMap?.peers.values() ?? []) {
      if (node.Key === peer) return { stableId: node.StableID, state: 'none', sinceMs: 0, takeBack: undefined }
    }
    return undefined
  }

  #become(peer: NodePublicKey, entry: Entry, state: SessionState): void {
    if (entry.state === state) return
    entry.state = state
    entry.sinceMs = this.#env.clock.wallMs()
    if (state !== 'none') this.#entries.set(peer, entry)
    this.#emit({ PeerState: { [entry.stableId]: shown(entry) } })
  }

  #after(entry: Entry, delayMs: number, call: () => void): void {
    entry.takeBack?.()
    entry.takeBack = this.#env.clock.after(delayMs, call)
  }

  #forget(peer: NodePublicKey, entry: Entry): void {
    entry.takeBack?.()
    this.#entries.delete(peer)
    this.#become(peer, entry, 'none')
  }
}

function shown({ state, sinceMs }: Entry): PeerSession {
  return { PeerWireGuardState: state, PeerWireGuardStateAt: new Date(sinceMs).toISOString() }
}
