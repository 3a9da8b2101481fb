/**
 * The control session: from what is wanted and what happened to what is done next. Pure; one action at a time, besides
 * an old map stream that goes on while a new login is under way.
 *
 *   fetch-server-key → connect → register ⇄ wait-for-approval → open-stream → running
 *                                    ↑ 404, expired key             │ end of stream, silence for 120 s
 *                                    └──────── pause ←──────────────┘
 *
 * A saved key goes straight to the stream: the server says 404 when it does not know it. A new node key is used at most
 * once per login for an expired one. A key that was sent is sent again after a lost answer, because the server may
 * have taken it. An auth key that is refused ends the session; everything else is tried again.
 *
 * Source: tailscale control/controlclient/{direct,auto}.go; headscale v0.29.2 hscontrol/auth.go.
 */
import type { ErrorCode } from '../../base/errors.ts'
import type { PrivateKey } from '../../base/keys.ts'
import type { RegisterResponse, UserProfile } from '../tailcfg/types.ts'
import { isOpenableUrl } from './auth-url.ts'
import { backoffMs } from './backoff.ts'
import type { ControlState, Failure, Login, LoginStep, Outcome, SessionAction, SessionEvent } from './types.ts'

/** Control sends a keep-alive at least every 60 s. */
export const STREAM_SILENCE_MS = 120_000
/** How long each step's answer may take. */
const TIMEOUT_MS = { fetch: 20_000, connect: 70_000, register: 45_000, stream: STREAM_SILENCE_MS } as const
/** A stream that lasted this long was a good one: its end is no failure. */
const GOOD_STREAM_MS = 10_000

interface RegisterGoal {
  readonly kind: 'register'
  readonly key: PrivateKey
  readonly oldKey: PrivateKey | undefined
  /** The key was made for this login. */
  readonly fresh: boolean
  readonly followup: string
  /** The server did not know the key of a map request. */
  readonly removed: boolean
}

type Goal = RegisterGoal | { readonly kind: 'stream'; readonly key: PrivateKey }

type Step = 'fetch' | 'connect' | 'register' | 'stream'

interface ActPhase {
  readonly kind: 'act'
  readonly step: Step
  readonly id: number
  readonly sinceMs: number
  readonly deadlineMs: number | undefined
  /** A stream whose first map has come. */
  readonly running: boolean
}

type Phase = { readonly kind: 'rest' } | ActPhase | { readonly kind: 'pause'; readonly untilMs: number }

const REST: Phase = { kind: 'rest' }

export class Session {
  readonly #unit: () => number
  readonly #newKey: () => PrivateKey
  #login: Login | undefined
  #goal: Goal | undefined
  #phase: Phase = REST
  /** The map stream of the key before, kept while another login is under way. */
  #oldStream: number | undefined
  #haveServerKey = false
  #failures = 0
  #toldLogin = false
  #nextId = 1
  #why = ''
  #actions: SessionAction[] = []
  #events: SessionEvent[] = []

  /** `unit` gives jitter in [0, 1), `newKey` a fresh node key. */
  constructor(deps: { unit: () => number; newKey: () => PrivateKey }) {
    this.#unit = deps.unit
    this.#newKey = deps.newKey
  }

  /** Starts a login. `sameServer`: the connection and a running stream may go on meanwhile. */
  handleBegin(nowMs: number, login: Login, sameServer: boolean): void {
    this.#leave(sameServer)
    this.#login = login
    this.#failures = 0
    this.#toldLogin = false
    this.#haveServerKey &&= sameServer && this.#oldStream !== undefined
    if (!sameServer) this.#actions.push({ kind: 'disconnect', why: 'another server' })
    this.#goal = firstGoal(login, this.#newKey)
    this.#why = login.authKey !== undefined ? 'login with an auth key' : login.interactive ? 'login by link' : 'start with the saved key'
    this.#advance(nowMs)
  }

  /** Drops the connection and starts again at once, for example after sleep or a change of network. */
  handleReconnect(nowMs: number, why: string): void {
    if (!this.#goal || this.#phase.kind === 'rest') return
    this.#leave(false)
    this.#actions.push({ kind: 'disconnect', why })
    this.#failures = 0
    this.#why = why
    this.#advance(nowMs)
  }

  /** Ends everything; `why` is given when the node key is gone (logout). */
  handleStop(why?: string): void {
    this.#leave(false)
    this.#goal = undefined
    this.#login = undefined
    this.#state(why === undefined ? { kind: 'idle' } : { kind: 'needs-login', why })
  }

  /** Answers an action. Answers to cancelled actions are ignored. */
  handleOutcome(nowMs: number, id: number, outcome: Outcome): void {
    if (id === this.#oldStream) this.#oldStream = undefined
    const phase = this.#phase
    if (phase.kind !== 'act' || phase.id !== id) return
    switch (outcome.kind) {
      case 'server-key':
        this.#haveServerKey = true
        return this.#act(nowMs, 'connect')
      case 'connected':
        return this.#act(nowMs, this.#goal?.kind === 'stream' ? 'stream' : 'register')
      case 'registered':
        return this.#registered(nowMs, outcome.response, nowMs - phase.sinceMs)
      case 'stream-ended':
        return this.#streamLost(nowMs, { code: 'control-unreachable', message: outcome.why })
      case 'failed':
        if (phase.step === 'stream') return this.#streamLost(nowMs, outcome.failure)
        return this.#failed(nowMs, outcome.failure)
    }
  }

  /** Any frame of the stream: feeds the watchdog. `map` is given when the frame was a map that was applied. */
  handleStreamData(nowMs: number, id: number, map?: { user: UserProfile; expired: boolean }): void {
    const phase = this.#phase
    if (phase.kind !== 'act' || phase.id !== id || this.#goal?.kind !== 'stream') return
    const first = map !== undefined && !phase.running
    const sinceMs = first ? nowMs : phase.sinceMs
    this.#phase = { ...phase, deadlineMs: nowMs + STREAM_SILENCE_MS, running: phase.running || first, sinceMs }
    if (!first) return
    this.#cancelOldStream()
    if (!this.#toldLogin) this.#events.push({ kind: 'logged-in', nodeKey: this.#goal.key, ...map })
    this.#toldLogin = true
    this.#state({ kind: 'running', sinceMs: nowMs })
  }

  /** The server asked us to read nothing for a while. */
  handleStreamSleep(nowMs: number, id: number, sleepMs: number): void {
    const phase = this.#phase
    if (phase.kind === 'act' && phase.id === id) this.#phase = { ...phase, deadlineMs: nowMs + sleepMs + STREAM_SILENCE_MS }
  }

  handleTimeout(nowMs: number): void {
    const phase = this.#phase
    if (phase.kind === 'pause' && phase.untilMs <= nowMs) return this.#advance(nowMs)
    if (phase.kind !== 'act' || phase.deadlineMs === undefined || phase.deadlineMs > nowMs) return
    this.#actions.push({ kind: 'cancel', id: phase.id })
    if (phase.step !== 'fetch') this.#actions.push({ kind: 'disconnect', why: 'the server is silent' })
    const failure: Failure = { code: 'timeout', message: 'the control server does not answer' }
    if (phase.step === 'stream') this.#streamLost(nowMs, failure)
    else this.#failed(nowMs, failure)
  }

  nextTimeout(): { atMs: number; why: string } | undefined {
    const phase = this.#phase
    if (phase.kind === 'pause') return { atMs: phase.untilMs, why: 'try again' }
    if (phase.kind === 'act' && phase.deadlineMs !== undefined) return { atMs: phase.deadlineMs, why: `no answer to ${phase.step}` }
    return undefined
  }

  takeActions(): SessionAction[] {
    return this.#actions.splice(0)
  }

  takeEvents(): SessionEvent[] {
    return this.#events.splice(0)
  }

  #advance(nowMs: number): void {
    this.#act(nowMs, this.#haveServerKey ? 'connect' : 'fetch')
  }

  #act(nowMs: number, step: Step): void {
    const goal = this.#goal!
    const id = this.#nextId++
    const waits = goal.kind === 'register' && goal.followup !== ''
    const deadlineMs = waits && step === 'register' ? undefined : nowMs + TIMEOUT_MS[step]
    this.#phase = { kind: 'act', step, id, sinceMs: nowMs, deadlineMs, running: false }
    // A person who waits for approval keeps the link on screen while the connection is mended.
    if (!waits) this.#working(nowMs, LOGIN_STEP[step])
    else if (step === 'register') this.#state({ kind: 'waiting', authUrl: goal.followup, sinceMs: nowMs })
    this.#actions.push(this.#actionOf(step, id, goal))
  }

  #actionOf(step: Step, id: number, goal: Goal): SessionAction {
    if (step === 'fetch') return { kind: 'fetch-server-key', id }
    if (step === 'connect') return { kind: 'connect', id }
    if (goal.kind === 'stream') return { kind: 'open-stream', id, nodeKey: goal.key }
    const { key: nodeKey, oldKey: oldNodeKey, followup } = goal
    const authKey = followup === '' ? this.#login?.authKey : undefined
    return { kind: 'register', id, nodeKey, oldNodeKey, authKey, followup, ephemeral: this.#login?.ephemeral === true }
  }

  #registered(nowMs: number, response: RegisterResponse, tookMs: number): void {
    const goal = this.#goal
    const login = this.#login
    if (goal?.kind !== 'register' || !login) return
    if (response.Error !== undefined && response.Error !== '') return this.#refused(nowMs, response.Error, login)
    if (response.NodeKeyExpired) return this.#expired(nowMs, goal, login)
    if (response.AuthURL !== '') return this.#link(nowMs, goal, login, response.AuthURL, tookMs)
    this.#goal = { kind: 'stream', key: goal.key }
    // The key is spent and the person has done their part: a later refusal must ask anew.
    this.#login = { controlUrl: login.controlUrl, nodeKey: goal.key, interactive: false }
    this.#toldLogin = true
    this.#events.push({ kind: 'logged-in', nodeKey: goal.key, user: profileOf(response), expired: false })
    this.#why = 'logged in'
    this.#working(nowMs, 'authorised')
    this.#act(nowMs, 'stream')
  }

  #refused(nowMs: number, text: string, login: Login): void {
    const message = withoutSecret(text, login.authKey)
    if (login.authKey !== undefined) return this.#fail('auth-key-invalid', message)
    this.#failed(nowMs, { code: 'control-refused', message })
  }

  #expired(nowMs: number, goal: RegisterGoal, login: Login): void {
    if (goal.fresh || (login.authKey === undefined && !login.interactive)) {
      return this.#needsLogin('the login of this device has expired, log in again')
    }
    this.#goal = { ...goal, key: this.#newKey(), oldKey: goal.key, fresh: true, followup: '' }
    this.#why = 'the node key has expired'
    this.#act(nowMs, 'register')
  }

  #link(nowMs: number, goal: RegisterGoal, login: Login, url: string, tookMs: number): void {
    if (login.authKey === undefined && !login.interactive) {
      if (goal.removed) return this.#needsLogin('this device was removed from the tailnet, log in again', 'control-not-found')
      return this.#needsLogin('the control server does not know this device, log in again')
    }
    if (!isOpenableUrl(url, login.controlUrl)) {
      return this.#failed(nowMs, { code: 'control-bad-response', message: 'the control server sent a login link that must not be opened' })
    }
    if (tookMs >= GOOD_STREAM_MS || goal.followup === '') this.#failures = 0
    this.#goal = { ...goal, followup: url }
    if (url === goal.followup) return this.#pause(nowMs, backoffMs(++this.#failures, this.#unit()))
    this.#act(nowMs, 'register')
  }

  #streamLost(nowMs: number, failure: Failure): void {
    const phase = this.#phase
    const goal = this.#goal
    if (goal?.kind !== 'stream') return
    if (failure.status === 404) {
      this.#goal = { kind: 'register', key: goal.key, oldKey: undefined, fresh: false, followup: '', removed: true }
    }
    if (phase.kind === 'act' && phase.running && nowMs - phase.sinceMs >= GOOD_STREAM_MS) {
      this.#failures = 0
      this.#why = failure.message
      this.#state({ kind: 'lost', code: failure.code, message: failure.message, retryInMs: 0 })
      return this.#advance(nowMs)
    }
    this.#failed(nowMs, failure)
  }

  #failed(nowMs: number, failure: Failure): void {
    if (failure.code === 'control-version' && failure.status !== undefined) return this.#fail(failure.code, failure.message)
    if (failure.code === 'control-key-mismatch' || failure.code === 'control-version') this.#haveServerKey = false
    this.#failures++
    this.#why = failure.message
    const unit = this.#unit()
    const ownDelayMs = failure.code === 'control-rate-limited' ? Math.round(5000 + 5000 * unit) : backoffMs(this.#failures, unit)
    const delayMs = failure.retryAfterMs ?? ownDelayMs
    const waits = this.#goal?.kind === 'register' && this.#goal.followup !== ''
    if (!waits || this.#failures > 2) this.#state({ kind: 'lost', code: failure.code, message: failure.message, retryInMs: delayMs })
    this.#pause(nowMs, delayMs)
  }

  #pause(nowMs: number, delayMs: number): void {
    this.#phase = { kind: 'pause', untilMs: nowMs + delayMs }
  }

  #fail(code: ErrorCode, message: string): void {
    this.#phase = REST
    this.#state({ kind: 'failed', code, message })
  }

  #needsLogin(why: string, code?: ErrorCode): void {
    this.#phase = REST
    this.#state(code === undefined ? { kind: 'needs-login', why } : { kind: 'needs-login', why, code })
  }

  /** Leaves the present action; a running stream may be kept as the old one. */
  #leave(keepStream: boolean): void {
    const phase = this.#phase
    this.#phase = REST
    if (keepStream && phase.kind === 'act' && phase.step === 'stream' && phase.running) {
      this.#cancelOldStream()
      this.#oldStream = phase.id
      return
    }
    if (phase.kind === 'act') this.#actions.push({ kind: 'cancel', id: phase.id })
    if (!keepStream) this.#cancelOldStream()
  }

  #cancelOldStream(): void {
    if (this.#oldStream !== undefined) this.#actions.push({ kind: 'cancel', id: this.#oldStream })
    this.#oldStream = undefined
  }

  #working(nowMs: number, step: LoginStep): void {
    this.#state({ kind: 'working', step, sinceMs: nowMs, why: this.#why })
  }

  #state(state: ControlState): void {
    this.#events.push({ kind: 'state', state })
  }
}

const LOGIN_STEP: Readonly<Record<Step, LoginStep>> = {
  fetch: 'fetch-server-key',
  connect: 'connect',
  register: 'register',
  stream: 'wait-for-map',
}

function firstGoal(login: Login, newKey: () => PrivateKey): Goal {
  const saved = login.nodeKey
  if (saved && !login.interactive && login.authKey === undefined) return { kind: 'stream', key: saved }
  const reuse = saved !== undefined && !login.interactive
  return { kind: 'register', key: reuse ? saved : newKey(), oldKey: reuse ? undefined : saved, fresh: !reuse, followup: '', removed: false }
}

/** The person or tag behind a login. */
function profileOf(response: RegisterResponse): UserProfile {
  const { User: user, Login: login } = response
  return {
    ID: user.ID,
    LoginName: login.LoginName ?? '',
    DisplayName: user.DisplayName ?? login.DisplayName ?? login.LoginName ?? '',
    ProfilePicURL: user.ProfilePicURL ?? login.ProfilePicURL ?? '',
  }
}

/** The server's text, with the auth key cut out should it echo it. */
function withoutSecret(text: string, secret: string | undefined): string {
  return secret === undefined || secret === '' ? text : text.replaceAll(secret, '[auth key]')
}
