/**
 * The relay that this node is for others: which sessions there are and who is bound to them. Pure. The packets themselves are
 * forwarded in the packet thread (native/dataplane/src/forward.rs) between the two addresses that are bound here.
 *
 *   allocated ──bind: challenge to where it came from; answer from there──▶ one end bound ──the same──▶ both bound
 *       └── 30 s without both ends ──▶ forgotten            both bound ── 5 min without packets from one of them ──▶ forgotten
 *
 * - A challenge is a keyed hash over what it vouches for (session, generation, both keys, address and port), so nothing is
 *   remembered of whoever does not answer; its secret is another every 2 min, the one before still counts.
 * - A challenge is as long as the bind that it answers: a forged source gets no more bytes than were sent in its name.
 * - A pair of keys has one session; a session number says nothing, and is drawn at random.
 * Source: tailscale net/udprelay/server.go @ de9ec7e, read 2026-08; bounds are ours.
 */
import { concat, equalSecret } from '../../base/bytes.ts'
import { macBlake2s } from '../../base/crypto.ts'
import type { AddrPort } from '../../base/ip.ts'
import { mapped, parseIp } from '../../base/ip.ts'
import type { DiscoPublicKey } from '../../base/keys.ts'
import { keyBytes } from '../../base/keys.ts'
import type { DiscoRelayBind, PeerRelayEndpoint } from '../disco/message.ts'
import type { DiscoPair } from './endpoint.ts'
import { discoPair } from './endpoint.ts'
import { MAX_VNI } from './geneve.ts'

export const BIND_LIFETIME_MS = 30_000
export const STEADY_LIFETIME_MS = 300_000
const SECRET_LIFETIME_MS = 120_000
export const MAX_SESSIONS = 4096
/** Sessions of one node, whoever the other ends are. */
export const MAX_SESSIONS_OF_ONE = 512

export interface RelayServerInput {
  readonly own: DiscoPublicKey
  readonly random: (count: number) => Uint8Array
}

interface End {
  readonly disco: DiscoPublicKey
  generation: number
  bound: AddrPort | undefined
}

export interface RelaySession {
  readonly vni: number
  readonly lamportId: bigint
  readonly clients: DiscoPair
  readonly ends: readonly [End, End]
  readonly allocatedMs: number
  /** Since when both ends are bound; undefined before. */
  readySinceMs: number | undefined
}

export type RelayServerOutput =
  /** To a client, in the session, from the relay's socket. */
  | { readonly kind: 'control'; readonly to: AddrPort; readonly client: DiscoPublicKey; readonly message: DiscoRelayBind }
  /** The packet thread knows the session, and forwards between these once there are both. */
  | { readonly kind: 'bind'; readonly vni: number; readonly ends: readonly [AddrPort | undefined, AddrPort | undefined] }
  | { readonly kind: 'forget'; readonly vni: number }

export type RelayServerEvent =
  | { readonly kind: 'session-made'; readonly vni: number; readonly sessions: number; readonly why: string }
  | { readonly kind: 'session-bound'; readonly vni: number; readonly addr: AddrPort; readonly why: string }
  | { readonly kind: 'session-ended'; readonly vni: number; readonly sessions: number; readonly why: string }

/** Why there is no session to be had. */
export type AllocateRefusal = 'full' | 'too-many-of-one' | 'not-a-pair'

export class RelayServerSessions {
  readonly #input: RelayServerInput
  readonly #byVni = new Map<number, RelaySession>()
  readonly #byPair = new Map<string, RelaySession>()
  readonly #ofOne = new Map<DiscoPublicKey, number>()
  #lamport = 0n
  #secret: Uint8Array
  #secretBefore: Uint8Array
  #secretMs: number
  #output: RelayServerOutput[] = []
  #events: RelayServerEvent[] = []
  readonly counters = { relayBinds: 0, relayAnswers: 0, relayBadAnswers: 0, relayUnknownSession: 0 }

  constructor(nowMs: number, input: RelayServerInput) {
    this.#input = input
    this.#secret = input.random(32)
    this.#secretBefore = this.#secret
    this.#secretMs = nowMs
  }

  get size(): number {
    return this.#byVni.size
  }

  sessions(): Iterable<RelaySession> {
    return this.#byVni.values()
  }

  /** The session of a pair, made when there is none. `addrs`: where this relay is reached. */
  allocate(nowMs: number, a: DiscoPublicKey, b: DiscoPublicKey, addrs: readonly AddrPort[]): PeerRelayEndpoint | AllocateRefusal {
    if (a === b || a === this.#input.own || b === this.#input.own) return 'not-a-pair'
    const clients = discoPair(a, b)
    const session = this.#byPair.get(pairText(clients)) ?? this.#make(nowMs, clients)
    if (typeof session === 'string') return session
    return {
      server: this.#input.own, clients, lamportId: session.lamportId, vni: session.vni, addrs,
      bindLifetimeNs: BigInt(BIND_LIFETIME_MS) * 1_000_000n, steadyLifetimeNs: BigInt(STEADY_LIFETIME_MS) * 1_000_000n,
    }
  }

  /** Whether a session is that client's: only then is its message worth opening. */
  hasClient(vni: number, disco: DiscoPublicKey): boolean {
    return this.#byVni.get(vni)?.clients.includes(disco) === true
  }

  /** A bind or an answer of a client, opened with its key. `vni` is the header's. */
  handleControl(nowMs: number, from: AddrPort, vni: number, sender: DiscoPublicKey, message: DiscoRelayBind): void {
    const session = this.#byVni.get(vni)
    const index = session ? session.clients.indexOf(sender) : -1
    const end = session?.ends[index]
    if (!session || !end || message.vni !== vni || message.remote !== session.clients[1 - index]) {
      this.counters.relayUnknownSession++
      return
    }
    this.#turnSecret(nowMs)
    if (message.kind === 'bind-relay') {
      this.counters.relayBinds++
      const challenge = challengeOf(this.#secret, from, vni, sender, message)
      this.#output.push({ kind: 'control', to: from, client: sender, message: { ...message, kind: 'bind-relay-challenge', challenge } })
      return
    }
    if (message.kind !== 'bind-relay-answer' || message.generation < end.generation || !this.#vouches(from, vni, sender, message)) {
      this.counters.relayBadAnswers++
      return
    }
    this.counters.relayAnswers++
    end.generation = message.generation
    if (end.bound?.ip === from.ip && end.bound.port === from.port) return
    end.bound = from
    const [a, b] = session.ends
    if (a.bound && b.bound) session.readySinceMs ??= nowMs
    this.#events.push({ kind: 'session-bound', vni, addr: from, why: a.bound && b.bound ? 'both ends are bound' : 'one end is bound' })
    this.#output.push({ kind: 'bind', vni, ends: [a.bound, b.bound] })
  }

  /** Forgets sessions that rest. `idleMs`: how long each end of a session has not been heard, as the packet thread counts. */
  sweep(nowMs: number, idleMs: ReadonlyMap<number, readonly [number, number]>): void {
    this.#turnSecret(nowMs)
    for (const session of this.#byVni.values()) {
      if (session.readySinceMs === undefined) {
        if (nowMs - session.allocatedMs >= BIND_LIFETIME_MS) this.#end(session, 'its ends were not bound in time')
        continue
      }
      const readyForMs = nowMs - session.readySinceMs
      const quietMs = Math.max(...(idleMs.get(session.vni) ?? [readyForMs, readyForMs]).map((one) => Math.min(one, readyForMs)))
      if (quietMs >= STEADY_LIFETIME_MS) this.#end(session, 'one of its ends was not heard for 5 min')
    }
  }

  /** Ends every session. */
  clear(why: string): void {
    for (const session of this.#byVni.values()) this.#end(session, why)
  }

  takeOutput(): RelayServerOutput[] {
    const out = this.#output
    this.#output = []
    return out
  }

  takeEvents(): RelayServerEvent[] {
    const out = this.#events
    this.#events = []
    return out
  }

  #make(nowMs: number, clients: DiscoPair): RelaySession | AllocateRefusal {
    if (this.#byVni.size >= MAX_SESSIONS) return 'full'
    if (clients.some((disco) => (this.#ofOne.get(disco) ?? 0) >= MAX_SESSIONS_OF_ONE)) return 'too-many-of-one'
    const ends: [End, End] = [{ disco: clients[0], generation: 0, bound: undefined }, { disco: clients[1], generation: 0, bound: undefined }]
    const session: RelaySession = { vni: this.#freeVni(), lamportId: ++this.#lamport, clients, ends, allocatedMs: nowMs, readySinceMs: undefined }
    this.#byVni.set(session.vni, session)
    this.#byPair.set(pairText(clients), session)
    for (const disco of clients) this.#ofOne.set(disco, (this.#ofOne.get(disco) ?? 0) + 1)
    this.#output.push({ kind: 'bind', vni: session.vni, ends: [undefined, undefined] })
    this.#events.push({ kind: 'session-made', vni: session.vni, sessions: this.#byVni.size, why: 'a node that may use this relay asked for it' })
    return session
  }

  #end(session: RelaySession, why: string): void {
    this.#byVni.delete(session.vni)
    this.#byPair.delete(pairText(session.clients))
    for (const disco of session.clients) {
      const left = (this.#ofOne.get(disco) ?? 1) - 1
      if (left === 0) this.#ofOne.delete(disco)
      else this.#ofOne.set(disco, left)
    }
    this.#output.push({ kind: 'forget', vni: session.vni })
    this.#events.push({ kind: 'session-ended', vni: session.vni, sessions: this.#byVni.size, why })
  }

  #freeVni(): number {
    for (;;) {
      const [a, b, c] = this.#input.random(3) as unknown as [number, number, number]
      const vni = (a << 16) | (b << 8) | c
      if (vni >= 1 && vni <= MAX_VNI && !this.#byVni.has(vni)) return vni
    }
  }

  #turnSecret(nowMs: number): void {
    if (nowMs - this.#secretMs < SECRET_LIFETIME_MS) return
    this.#secretBefore = nowMs - this.#secretMs < 2 * SECRET_LIFETIME_MS ? this.#secret : this.#input.random(32)
    this.#secret = this.#input.random(32)
    this.#secretMs = nowMs
  }

  #vouches(from: AddrPort, vni: number, sender: DiscoPublicKey, message: DiscoRelayBind): boolean {
    return [this.#secret, this.#secretBefore].some((secret) => equalSecret(challengeOf(secret, from, vni, sender, message), message.challenge))
  }
}

function challengeOf(secret: Uint8Array, from: AddrPort, vni: number, sender: DiscoPublicKey, { generation, remote }: DiscoRelayBind): Uint8Array {
  const numbers = new DataView(new ArrayBuffer(10))
  numbers.setUint32(0, vni)
  numbers.setUint32(4, generation)
  numbers.setUint16(8, from.port)
  return macBlake2s(secret, 32, concat(new Uint8Array(numbers.buffer), keyBytes(sender), keyBytes(remote), mapped(parseIp(from.ip)!)))
}

function pairText([a, b]: DiscoPair): string {
  return `${a} ${b}`
}
