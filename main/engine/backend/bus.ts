/**
 * The notify bus: what changed, to everybody who watches, each by its mask.
 *
 * A watcher takes lines while it keeps up; otherwise they queue, at most QUEUE_LIMIT. One that falls behind that loses its
 * queue, gets a last line that says so, and is let go: a slow reader never holds memory or the engine.
 *
 * Source: tailscale ipn/backend.go and ipnlocal/bus.go (1.102.5); test/vectors/localapi/watch-ipn-bus*.ndjson.
 */
import type { Env } from '../base/env.ts'
import { toHex } from '../base/bytes.ts'
import { WATCH } from '../../localapi/watch-mask.ts'
import type { HealthState, Notify, Warning } from '../../localapi/types.ts'

export const QUEUE_LIMIT = 128
const RATE_LIMIT_MS = 3_000

/** Where a watcher's lines go: the server's end of a connection. */
export interface WatchSink {
  /** Takes one notify; false = no more until `drained` is called. */
  write(notify: Notify): boolean
  end(): void
}

export interface Watcher {
  readonly sessionId: string
  /** The sink can take more. */
  drained(): void
  close(): void
}

interface Session {
  readonly mask: number
  readonly sink: WatchSink
  queue: Notify[]
  blocked: boolean
  /** Engine numbers held back by the rate limit. */
  held: Notify | undefined
  takeBack: (() => void) | undefined
  lastSentMs: number
  /** User profiles that it knows by now. */
  users: Map<string, unknown>
}

export class Bus {
  readonly #env: Env
  readonly #version: string
  readonly #standing: () => Partial<Notify>
  readonly #sessions = new Set<Session>()

  /** `standing`: what every message carries for now. */
  constructor(env: Env, version: string, standing: () => Partial<Notify> = () => ({})) {
    this.#env = env
    this.#version = version
    this.#standing = standing
  }

  /** Adds a watcher; `initial` makes its first message out of its session ID. */
  watch(mask: number, sink: WatchSink, initial: (sessionId: string) => Partial<Notify> | undefined): Watcher {
    const sessionId = toHex(this.#env.random.bytes(8))
    const session: Session = { mask, sink, queue: [], blocked: false, held: undefined, takeBack: undefined, lastSentMs: -RATE_LIMIT_MS, users: new Map() }
    this.#sessions.add(session)
    const first = initial(sessionId)
    if (first) this.#send(session, shapedFor(mask, this.#whole(first), true))
    return { sessionId, drained: () => this.#drain(session), close: () => this.#drop(session) }
  }

  /** Whether some watcher wants a bit of the mask. */
  wants(bit: number): boolean {
    for (const session of this.#sessions) if ((session.mask & bit) !== 0) return true
    return false
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Tells every watcher; those for whom nothing is left in it hear nothing. `patched` goes to those who take peer patches. */
  emit(part: Partial<Notify>, patched?: Partial<Notify>): void {
    // What stands in every message is no news in itself.
    const standing = Object.keys(this.#standing()).filter((field) => !(field in part))
    const whole = this.#whole(part)
    const narrow = patched ? this.#whole(patched) : whole
    for (const session of this.#sessions) {
      const shaped = newUsersOnly(session, shapedFor(session.mask, (session.mask & WATCH.peerPatches) !== 0 ? narrow : whole, false))
      if (!saysSomething(shaped, standing)) continue
      if ((session.mask & WATCH.rateLimit) !== 0 && isBoring(shaped, standing)) this.#hold(session, shaped)
      else this.#flushThen(session, shaped)
    }
  }

  /** Lets every watcher go. */
  close(): void {
    for (const session of this.#sessions) {
      this.#drop(session)
      session.sink.end()
    }
  }

  #whole(part: Partial<Notify>): Notify {
    return wholeNotify(this.#version, { ...this.#standing(), ...part })
  }

  #flushThen(session: Session, notify: Notify): void {
    if (session.held) {
      const held = session.held
      this.#unhold(session)
      this.#send(session, held)
    }
    this.#send(session, notify)
  }

  #hold(session: Session, notify: Notify): void {
    const now = this.#env.clock.nowMs()
    const waitMs = session.lastSentMs + RATE_LIMIT_MS - now
    if (waitMs <= 0) return this.#flushThen(session, notify)
    session.held = notify
    session.takeBack ??= this.#env.clock.after(waitMs, () => {
      const held = session.held
      this.#unhold(session)
      if (held && this.#sessions.has(session)) this.#send(session, held)
    })
  }

  #unhold(session: Session): void {
    session.takeBack?.()
    session.takeBack = undefined
    session.held = undefined
  }

  #send(session: Session, notify: Notify): void {
    session.lastSentMs = this.#env.clock.nowMs()
    if (!session.blocked) {
      session.blocked = !session.sink.write(notify)
      return
    }
    session.queue.push(notify)
    if (session.queue.length <= QUEUE_LIMIT) return
    this.#drop(session)
    session.sink.write(this.#whole({ ErrMessage: 'this watcher reads too slowly; its notifications were dropped. Watch again.' }))
    session.sink.end()
  }

  #drain(session: Session): void {
    session.blocked = false
    while (!session.blocked && session.queue.length > 0) session.blocked = !session.sink.write(session.queue.shift()!)
  }

  #drop(session: Session): void {
    this.#unhold(session)
    session.queue = []
    this.#sessions.delete(session)
  }
}

/** A Notify with every field that is always there, in the usual order. */
export function wholeNotify(version: string, part: Partial<Notify>): Notify {
  const { SessionID, ErrMessage, LoginFinished, State, Prefs, SelfChange, InitialStatus, NetMap, Engine, BrowseToURL, ClientVersion, Health, SuggestedExitNode, Policy, Transfers, FilesWaiting, IncomingFiles, OutgoingFiles, ...peers } = part
  return {
    Version: version,
    ...(SessionID !== undefined ? { SessionID } : {}),
    ErrMessage: ErrMessage ?? null,
    LoginFinished: LoginFinished ?? null,
    State: State ?? null,
    Prefs: Prefs ?? null,
    ...(SelfChange !== undefined ? { SelfChange } : {}),
    ...(InitialStatus !== undefined ? { InitialStatus } : {}),
    NetMap: NetMap ?? null,
    ...peers,
    Engine: Engine ?? null,
    BrowseToURL: BrowseToURL ?? null,
    ...(FilesWaiting !== undefined ? { FilesWaiting } : {}),
    ...(IncomingFiles !== undefined ? { IncomingFiles } : {}),
    ...(OutgoingFiles !== undefined ? { OutgoingFiles } : {}),
    DriveShares: null,
    ...(ClientVersion !== undefined ? { ClientVersion } : {}),
    ...(Health !== undefined ? { Health } : {}),
    ...(SuggestedExitNode !== undefined ? { SuggestedExitNode } : {}),
    ...(Policy !== undefined ? { Policy } : {}),
    ...(Transfers !== undefined ? { Transfers } : {}),
  }
}

/** What of a notify a watcher with this mask gets. */
function shapedFor(mask: number, notify: Notify, first: boolean): Notify {
  const patches = (mask & WATCH.peerPatches) !== 0
  const changes = patches || (mask & WATCH.peerChanges) !== 0
  const out: Record<string, unknown> = { ...notify }
  if (!changes) for (const field of ['PeersChanged', 'PeersRemoved', 'UserProfiles']) delete out[field]
  if (!patches) delete out['PeerChangedPatch']
  if ((mask & WATCH.peerWireGuardState) === 0) delete out['PeerState']
  if ((mask & WATCH.sysPolicyChanges) === 0) delete out['Policy']
  if ((mask & WATCH.transfers) === 0) delete out['Transfers']
  if ((mask & WATCH.machine) === 0) {
    delete out['Machine']
    delete out['Trial']
  }
  if (!first) out['NetMap'] = null
  if (notify.Health && (mask & WATCH.healthActions) === 0) out['Health'] = withActionsInText(notify.Health)
  return out as unknown as Notify
}

/** Leaves away the profiles that this watcher has had as they are. */
function newUsersOnly({ users }: Session, notify: Notify): Notify {
  if (!notify.UserProfiles) return notify
  const fresh = Object.entries(notify.UserProfiles).filter(([id, user]) => users.get(id) !== user)
  for (const [id, user] of fresh) users.set(id, user)
  const { UserProfiles: _, ...rest } = notify
  return fresh.length === 0 ? rest : { ...notify, UserProfiles: Object.fromEntries(fresh) }
}

function withActionsInText(health: HealthState): HealthState {
  if (health.Warnings === null) return health
  const out: Record<string, Warning> = {}
  for (const [code, warning] of Object.entries(health.Warnings)) {
    const { PrimaryAction: action, ...rest } = warning
    out[code] = action ? { ...rest, Text: `${rest.Text} ${action.Label}: ${action.URL}` } : warning
  }
  return { Warnings: out }
}

function saysSomething(notify: Notify, standing: readonly string[]): boolean {
  return Object.entries(notify).some(([field, value]) => field !== 'Version' && !standing.includes(field) && value !== null && value !== undefined)
}

/** Only engine numbers may be held back. */
function isBoring(notify: Notify, standing: readonly string[]): boolean {
  return Object.entries(notify).every(([field, value]) => field === 'Version' || field === 'Engine' || standing.includes(field) || value === null || value === undefined)
}
