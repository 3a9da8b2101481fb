/**
 * A control server, a network and a person as a model, for days of a session in milliseconds: no bytes, no keys, only
 * what answers come, when, and what the server knows after.
 *
 * Until the calm begins, anything goes wrong that the seed wants: answers that are lost after the server did the work,
 * 429 and 5xx, restarts (links are forgotten), slow answers, another server key with or without the old data, devices
 * deleted or expired, links refused. In the calm the server is good and the person signs in when asked to.
 */
import { PrivateKey } from '../../../main/engine/base/keys.ts'
import { Session } from '../../../main/engine/core/session/session.ts'
import type { ControlState, Failure, Outcome, RegisterAction, SessionAction } from '../../../main/engine/core/session/types.ts'
import { seededRandom } from '../clock.ts'

const URL = 'https://hs.example'
const LINK_MS = 15 * 60_000
const KEEP_ALIVE_MS = 55_000
const HOUR_MS = 3_600_000
const USER = { ID: 1, LoginName: 'ada', DisplayName: 'ada' }

interface Due {
  readonly atMs: number
  readonly order: number
  readonly call: () => void
}

interface Pending {
  readonly key: string
  readonly sinceMs: number
  ended: 'no' | 'approved' | 'refused' | 'ran-out'
  /** Answers the request that waits for it. */
  wake: (() => void) | undefined
}

export interface WorldOptions {
  readonly seed: number
  /** When the faults stop. */
  readonly calmAtMs: number
  /** Somebody signs in when asked to; else only what needs nobody can be reached. */
  readonly person: boolean
}

export class ModelWorld {
  nowMs = 0
  state: ControlState = { kind: 'idle' }
  requests = 0
  /** Most requests in any hour that began at a full hour. */
  mostInAnHour = 0
  readonly seen = new Set<string>()
  readonly #options: WorldOptions
  readonly #unit: () => number
  readonly #session: Session
  readonly #cancelled = new Set<number>()
  readonly #known = new Map<string, { expired: boolean }>()
  readonly #pending = new Map<string, Pending>()
  #due: Due[] = []
  #order = 0
  #keys = 0
  #links = 0
  #serverKey = 1
  #shownKey = 0
  #downUntilMs = 0
  #hour = 0
  #inHour = 0
  #savedKey: PrivateKey | undefined
  /** The stream that the server writes to. */
  #stream: { id: number; key: string } | undefined
  #personBusy = false

  constructor(options: WorldOptions) {
    this.#options = options
    const random = seededRandom(options.seed)
    this.#unit = () => random.unit()
    this.#session = new Session({ unit: this.#unit, newKey: () => this.#newKey() })
    if (!options.person) {
      this.#savedKey = this.#newKey()
      this.#known.set(nameOf(this.#savedKey), { expired: false })
    }
    this.#begin(false)
    this.#troubleLater()
  }

  /** Lets the world go on until `endMs`; throws when the session is stuck. */
  run(endMs: number): void {
    for (;;) {
      this.#pump()
      const timeout = this.#session.nextTimeout()
      const next = this.#due[0]
      const atMs = Math.min(timeout?.atMs ?? Infinity, next?.atMs ?? Infinity)
      if (this.#isStuck(timeout !== undefined)) throw new Error(`stuck at ${this.nowMs} ms: ${JSON.stringify(this.state)}`)
      if (atMs > endMs) break
      this.nowMs = Math.max(this.nowMs, atMs)
      if (next && next.atMs <= this.nowMs) {
        this.#due.shift()
        next.call()
      } else this.#session.handleTimeout(this.nowMs)
    }
    this.nowMs = endMs
  }

  get isCalm(): boolean {
    return this.nowMs >= this.#options.calmAtMs
  }

  /** Nothing under way, no timer, and no person asked: that must never be. */
  #isStuck(hasTimeout: boolean): boolean {
    const { kind } = this.state
    if (hasTimeout || this.#due.length > 0) return false
    return kind !== 'needs-login' && kind !== 'failed' && kind !== 'waiting'
  }

  #newKey(): PrivateKey {
    return numberedKey(this.#keys++)
  }

  #begin(sameServer: boolean): void {
    const interactive = this.#options.person && (this.#savedKey === undefined || this.state.kind !== 'idle')
    this.#session.handleBegin(this.nowMs, { controlUrl: URL, nodeKey: this.#savedKey, interactive }, sameServer)
  }

  #after(delayMs: number, call: () => void): void {
    const due = { atMs: this.nowMs + Math.max(1, Math.round(delayMs)), order: this.#order++, call }
    const at = this.#due.findIndex((other) => other.atMs > due.atMs)
    if (at < 0) this.#due.push(due)
    else this.#due.splice(at, 0, due)
  }

  #pump(): void {
    for (let idle = false; !idle;) {
      const actions = this.#session.takeActions()
      const events = this.#session.takeEvents()
      for (const action of actions) this.#perform(action)
      for (const event of events) {
        if (event.kind === 'logged-in') this.#savedKey = event.nodeKey
        else this.#tell(event.state)
      }
      idle = actions.length === 0 && events.length === 0
    }
  }

  #tell(state: ControlState): void {
    this.state = state
    this.seen.add('code' in state && state.code !== undefined ? `${state.kind} ${state.code}` : state.kind)
    if (!this.#options.person || this.#personBusy) return
    if (state.kind === 'needs-login' || state.kind === 'failed') this.#personSoon(() => this.#begin(true))
    if (state.kind === 'waiting') this.#personSoon(() => this.#answerLink())
  }

  /** A person takes seconds, minutes, or a night. */
  #personSoon(act: () => void): void {
    this.#personBusy = true
    const delayMs = Math.min(1000 + this.#unit() ** 4 * 8 * HOUR_MS, Math.max(0, this.#options.calmAtMs - this.nowMs) + 20_000)
    this.#after(delayMs, () => {
      this.#personBusy = false
      const { kind } = this.state
      if (kind === 'needs-login' || kind === 'failed' || kind === 'waiting') act()
      this.#pump()
      if (!this.#personBusy) this.#tell(this.state)
    })
  }

  #answerLink(): void {
    if (this.state.kind !== 'waiting') return this.#begin(true)
    const pending = this.#pending.get(this.state.authUrl)
    if (!pending || this.#isDown) return
    const refuses = !this.isCalm && this.#unit() < 0.2
    pending.ended = refuses ? 'refused' : 'approved'
    if (!refuses) this.#admit(pending.key)
    pending.wake?.()
  }

  /** One device a machine and user: another key takes the place of the one before. */
  #admit(key: string): void {
    this.#known.clear()
    this.#known.set(key, { expired: false })
  }

  get #isDown(): boolean {
    return this.nowMs < this.#downUntilMs
  }

  #perform(action: SessionAction): void {
    if (action.kind === 'disconnect') return
    if (action.kind === 'cancel') {
      this.#cancelled.add(action.id)
      if (this.#stream?.id === action.id) this.#stream = undefined
      return
    }
    this.#count()
    if (this.#isDown) return this.#answer(action.id, 5 + this.#unit() * 100, fail('control-unreachable'))
    const lost = this.#chance(0.05)
    if (this.#chance(0.05)) return this.#answer(action.id, 50, this.#refusal())
    switch (action.kind) {
      case 'fetch-server-key': {
        const changed = this.#shownKey !== 0 && this.#shownKey !== this.#serverKey
        if (lost) return this.#lose(action.id)
        this.#shownKey = this.#serverKey
        return this.#answer(action.id, 20, { kind: 'server-key', changed })
      }
      case 'connect':
        if (lost) return this.#lose(action.id)
        return this.#answer(action.id, 30, this.#shownKey === this.#serverKey ? { kind: 'connected' } : fail('control-key-mismatch'))
      case 'register':
        return this.#register(action, lost)
      case 'open-stream':
        return this.#openStream(action.id, nameOf(action.nodeKey), lost)
    }
  }

  #refusal(): Outcome {
    const kind = Math.floor(this.#unit() * 4)
    if (kind === 0) return fail('control-rate-limited', { status: 429, retryAfterMs: Math.round(this.#unit() * 120_000) })
    if (kind === 1) return fail('control-rate-limited', { status: 429 })
    if (kind === 2) return fail('control-bad-response')
    return fail('control-unreachable', { status: 503 })
  }

  /** The request arrived or not; its answer never comes, or the connection breaks. */
  #lose(id: number): void {
    if (this.#unit() < 0.5) this.#answer(id, 200, fail('control-unreachable'))
  }

  #register(action: RegisterAction, lost: boolean): void {
    const key = nameOf(action.nodeKey)
    const give = (delayMs: number, outcome: Outcome): void => (lost ? this.#lose(action.id) : this.#answer(action.id, delayMs, outcome))
    const known = this.#known.get(key)
    if (known) return give(600, registered(known.expired ? { NodeKeyExpired: true } : {}))
    if (action.followup === '') return give(300, registered({ AuthURL: this.#newLink(key) }))
    const pending = this.#pending.get(action.followup)
    if (!pending) {
      const how = this.#unit()
      if (how < 0.2) return give(20, fail('control-not-found', { status: 404 }))
      if (how < 0.4) return give(20, registered({ Error: 'node not found in registration cache' }))
      return give(20, registered({ AuthURL: this.#newLink(key) }))
    }
    this.#poll(action.id, pending, give)
  }

  #poll(id: number, pending: Pending, give: (delayMs: number, outcome: Outcome) => void): void {
    // Some proxy on the way ends what takes long.
    if (this.#chance(0.2)) this.#after(60_000 + this.#unit() * HOUR_MS, () => this.#deliver(id, fail('control-unreachable')))
    const wake = (): void => {
      pending.wake = undefined
      if (pending.ended === 'approved') give(600, registered())
      else if (pending.ended !== 'no') give(20, registered({ AuthURL: this.#newLink(pending.key) }))
    }
    pending.wake = wake
    wake()
    if (pending.ended === 'no') pending.wake = wake
  }

  #newLink(key: string): string {
    const link = `${URL}/register/${++this.#links}`
    const pending: Pending = { key, sinceMs: this.nowMs, ended: 'no', wake: undefined }
    this.#pending.set(link, pending)
    this.#after(LINK_MS, () => {
      if (this.#pending.get(link) !== pending || pending.ended !== 'no') return
      pending.ended = 'ran-out'
      this.#pending.delete(link)
      pending.wake?.()
    })
    return link
  }

  #openStream(id: number, key: string, lost: boolean): void {
    if (!this.#known.has(key)) return this.#answer(id, 20, fail('control-not-found', { status: 404 }))
    if (lost) return this.#lose(id)
    this.#stream = { id, key }
    this.#after(400 + (this.#chance(0.05) ? 90_000 : 0), () => {
      if (this.#stream?.id !== id) return
      const known = this.#known.get(key)
      this.#session.handleStreamData(this.nowMs, id, { user: USER, expired: known?.expired === true })
      this.#keepAlive(id)
    })
  }

  #keepAlive(id: number): void {
    this.#after(KEEP_ALIVE_MS, () => {
      if (this.#stream?.id !== id) return
      // A connection may die without a word.
      if (this.#chance(0.01)) return
      this.#session.handleStreamData(this.nowMs, id)
      this.#keepAlive(id)
    })
  }

  #answer(id: number, delayMs: number, outcome: Outcome): void {
    this.#after(delayMs + (this.#chance(0.02) ? this.#unit() * 100_000 : 0), () => this.#deliver(id, outcome))
  }

  #deliver(id: number, outcome: Outcome): void {
    if (!this.#cancelled.has(id)) this.#session.handleOutcome(this.nowMs, id, outcome)
  }

  #chance(of: number): boolean {
    return this.#unit() < of && !this.isCalm
  }

  #count(): void {
    this.requests++
    const hour = Math.floor(this.nowMs / HOUR_MS)
    if (hour !== this.#hour) this.#inHour = 0
    this.#hour = hour
    this.mostInAnHour = Math.max(this.mostInAnHour, ++this.#inHour)
  }

  #troubleLater(): void {
    this.#after(this.#unit() * 2 * HOUR_MS, () => {
      if (this.isCalm) return
      this.#trouble(Math.floor(this.#unit() * 6))
      this.#troubleLater()
    })
  }

  #trouble(kind: number): void {
    switch (kind) {
      case 0:
        return this.#restart(this.#unit() * 2000)
      case 1:
        return this.#restart(this.#unit() * 3 * HOUR_MS)
      case 2:
        this.#serverKey++
        if (this.#options.person && this.#unit() < 0.5) this.#known.clear()
        return this.#restart(1000)
      case 3:
        if (this.#options.person) this.#known.clear()
        return
      case 4:
        for (const known of this.#known.values()) if (this.#options.person) known.expired = true
        return
      default:
        return this.#session.handleReconnect(this.nowMs, 'the network changed')
    }
  }

  #restart(downMs: number): void {
    this.#downUntilMs = Math.min(this.nowMs + downMs, this.#options.calmAtMs)
    const waiting = [...this.#pending.values()]
    this.#pending.clear()
    for (const pending of waiting) pending.wake = undefined
    const stream = this.#stream
    this.#stream = undefined
    const phaseBreaks = fail('control-unreachable')
    if (stream) this.#deliver(stream.id, { kind: 'stream-ended', why: 'the server went away' })
    this.#breakPolls(phaseBreaks)
  }

  /** Requests that are under way break with the connection; unknown numbers are not heard. */
  #breakPolls(outcome: Outcome): void {
    for (let id = Math.max(1, this.requests - 3); id <= this.requests; id++) this.#deliver(id, outcome)
  }
}

/** All worlds have the same keys: making one costs more than a day of the rest. */
const KEYS: PrivateKey[] = []

function numberedKey(n: number): PrivateKey {
  const bytes = new Uint8Array(32).fill(7)
  new DataView(bytes.buffer).setUint32(4, n)
  return (KEYS[n] ??= PrivateKey.fromRandom(bytes))
}

function nameOf(key: PrivateKey): string {
  return Buffer.from(key.bytes().subarray(4, 8)).toString('hex')
}

function fail(code: Failure['code'], more: Partial<Failure> = {}): Outcome {
  return { kind: 'failed', failure: { code, message: code, ...more } }
}

function registered(more: { NodeKeyExpired?: boolean; AuthURL?: string; Error?: string } = {}): Outcome {
  return { kind: 'registered', response: { User: { ID: 1 }, Login: { ID: 1, LoginName: 'ada' }, NodeKeyExpired: false, MachineAuthorized: true, AuthURL: '', ...more } }
}
