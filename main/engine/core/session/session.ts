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
 * have taken it. An auth key that is refused ends the session. What waiting does not mend ends a login that somebody
 * waits for, after a while; what nobody waits for is tried for ever, ever more slowly. A login beside a good session
 * (renewing) that fails gives that session back.
 *
 * Nothing loops without a pause, and all ways end in running, waiting for a person, needs-login, failed, or a pause.
 *
 * Source: tailscale control/controlclient/{direct,auto}.go; headscale v0.29.2 hscontrol/auth.go.
 */
import type { ErrorCode } from '../../base/errors.ts'
import type { PrivateKey } from '../../base/keys.ts'
import type { RegisterResponse, UserProfile } from '../tailcfg/types.ts'
import { endOfLink, isForgottenLink, isLasting, linkFault, profileOf, refusalOf, withoutSecret } from './answers.ts'
import { backoffMs } from './backoff.ts'
import type { ControlState, Failure, Login, LoginStep, Outcome, Problem, SessionAction, SessionEvent } from './types.ts'

/** Control sends a keep-alive at least every 60 s. */
export const STREAM_SILENCE_MS = 120_000
/** How long each step's answer may take. */
const TIMEOUT_MS = { fetch: 20_000, connect: 70_000, register: 45_000, stream: STREAM_SILENCE_MS } as const
/** How long one wait for a person's approval lasts before it is taken up anew: an answer may be lost on a living connection. */
const POLL_MS = 60_000
/** How long somebody who was just let in waits for the first bytes of a map; twice as long at each further try. */
const FIRST_MAP_MS = 30_000
/** A stream that lasted this long was a good one: its end is no failure. */
const GOOD_STREAM_MS = 10_000
/** A stream that sent a map but did not last counts as no more failures in a row than this: tried again within seconds. */
const SHORT_STREAM_FAILURES = 20
/** What waiting does not mend is tried so long and so often before a login that somebody waits for is given up. */
const LASTING_MS = 10_000
const LASTING_TIMES = 5
/** Links are replaced so long and so often before nobody is waited for any more. */
const LINKS_MS = 2 * 3_600_000
const MAX_LINKS = 240
/** So many links may end before their time: somebody refuses this device, or the server keeps links but shortly. */
const MAX_EARLY_ENDS = 3
/** What a device that the server does not know any more is told. */
const REMOVED = 'this device was removed from the network by whoever runs the server: log in again, with a page or with a new auth key'
const REFUSED = 'the sign-in was refused at the server again and again, or ran out there: ask whoever runs the server, then log in again'
const REINSTALLED = 'the server has another key than before and does not know this device: it was set up anew, log in again'

/** A link to the sign-in page, since when there is it, and why it is there. */
interface Link {
  readonly url: string
  readonly sinceMs: number
  readonly why: string
  /** The connection broke while it was waited for. */
  readonly broke: boolean
  readonly problem?: Problem
}

interface RegisterGoal {
  readonly kind: 'register'
  readonly key: PrivateKey
  readonly oldKey: PrivateKey | undefined
  /** The key was made for this login. */
  readonly fresh: boolean
  readonly link: Link | undefined
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
  readonly deadlineMs: number
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
  /** The key of the session that another login is to take the place of, while that one is good. */
  #good: PrivateKey | undefined
  /** Somebody asked for this login and waits for its outcome. */
  #awaited = false
  #beganMs = 0
  #haveServerKey = false
  /** The server showed another key than before, and has sent no map since. */
  #reinstalled = false
  #failures = 0
  /** Failures of this login that waiting does not mend. */
  #lasting = { times: 0, sinceMs: 0 }
  /** First maps that did not come, in a row. */
  #lateMaps = 0
  #links = 0
  #earlyEnds = 0
  #toldLogin = false
  /** The link of the state told last. */
  #toldLink: string | undefined
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
    const good = this.#goal?.kind === 'stream' && this.#toldLogin ? this.#goal.key : this.#good
    this.#leave(sameServer)
    this.#login = login
    this.#awaited = isAsked(login)
    this.#good = sameServer && this.#awaited ? good : undefined
    this.#beganMs = nowMs
    this.#failures = this.#links = this.#earlyEnds = this.#lateMaps = 0
    this.#lasting = { times: 0, sinceMs: nowMs }
    this.#toldLogin = false
    this.#reinstalled &&= sameServer
    this.#haveServerKey &&= sameServer && this.#oldStream !== undefined
    if (!sameServer) this.#actions.push({ kind: 'disconnect', why: 'another server' })
    this.#goal = firstGoal(login, this.#newKey)
    this.#why = login.authKey !== undefined ? 'login with an auth key' : login.interactive ? 'login by link' : 'start with the saved key'
    this.#advance(nowMs)
  }

  /** Drops the connection and starts again at once, for example after sleep or a change of network. `doubtsServer`: its key is asked for anew. */
  handleReconnect(nowMs: number, why: string, doubtsServer = false): void {
    if (!this.#goal || this.#phase.kind === 'rest') return
    if (doubtsServer) this.#haveServerKey = false
    this.#leave(false)
    this.#actions.push({ kind: 'disconnect', why })
    this.#failures = 0
    this.#why = why
    this.#noteBreak()
    this.#advance(nowMs)
  }

  /** Ends everything; `why` is given when the node key is gone (logout). */
  handleStop(why?: string): void {
    this.#leave(false)
    this.#goal = this.#login = this.#good = undefined
    this.#state(why === undefined ? { kind: 'idle' } : { kind: 'needs-login', why })
  }

  /** Answers an action. Answers to cancelled actions are ignored. */
  handleOutcome(nowMs: number, id: number, outcome: Outcome): void {
    if (id === this.#oldStream) this.#oldStream = undefined
    const phase = this.#phase
    if (phase.kind !== 'act' || phase.id !== id) return
    switch (outcome.kind) {
      case 'server-key':
        return this.#gotServerKey(nowMs, outcome.changed === true)
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

  /** Any part of the stream: feeds the watchdog. `map` is given when it was a map that was applied. */
  handleStreamData(nowMs: number, id: number, map?: { user: UserProfile; expired: boolean }): void {
    const phase = this.#phase
    if (phase.kind !== 'act' || phase.id !== id || this.#goal?.kind !== 'stream') return
    const first = map !== undefined && !phase.running
    const sinceMs = first ? nowMs : phase.sinceMs
    this.#phase = { ...phase, deadlineMs: nowMs + STREAM_SILENCE_MS, running: phase.running || first, sinceMs }
    if (!first) return
    this.#cancelOldStream()
    this.#good = undefined
    this.#awaited = this.#reinstalled = false
    this.#lateMaps = 0
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
    if (phase.kind !== 'act' || phase.deadlineMs > nowMs) return
    this.#actions.push({ kind: 'cancel', id: phase.id })
    if (phase.step === 'register' && this.#goal?.kind === 'register' && this.#goal.link) return this.#act(nowMs, 'register')
    if (phase.step !== 'fetch') this.#actions.push({ kind: 'disconnect', why: 'the server is silent' })
    const noMap = phase.step === 'stream' && !phase.running && this.#toldLogin
    if (noMap) this.#lateMaps++
    const message = noMap ? 'the control server let this device in but sends no list of devices' : 'the control server does not answer'
    const failure: Failure = { code: 'timeout', message }
    if (phase.step === 'stream') this.#streamLost(nowMs, failure)
    else this.#failed(nowMs, failure)
  }

  nextTimeout(): { atMs: number; why: string } | undefined {
    const phase = this.#phase
    if (phase.kind === 'pause') return { atMs: phase.untilMs, why: 'try again' }
    if (phase.kind === 'act') return { atMs: phase.deadlineMs, why: `no answer to ${phase.step}` }
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
    const link = goal.kind === 'register' ? goal.link : undefined
    const deadlineMs = nowMs + (link && step === 'register' ? POLL_MS : this.#timeoutMs(step))
    this.#phase = { kind: 'act', step, id, sinceMs: nowMs, deadlineMs, running: false }
    // A person who waits for approval keeps the link on screen while the connection is mended.
    if (!link) this.#working(nowMs, LOGIN_STEP[step])
    else if (step === 'register' && this.#toldLink !== link.url) {
      this.#state({ kind: 'waiting', authUrl: link.url, sinceMs: link.sinceMs, why: link.why, ...(link.problem ? { problem: link.problem } : {}) })
      this.#toldLink = link.url
    }
    this.#actions.push(this.#actionOf(step, id, goal))
  }

  #timeoutMs(step: Step): number {
    if (step !== 'stream' || !this.#awaited) return TIMEOUT_MS[step]
    return Math.min(TIMEOUT_MS.stream, FIRST_MAP_MS * 2 ** this.#lateMaps)
  }

  #actionOf(step: Step, id: number, goal: Goal): SessionAction {
    if (step === 'fetch') return { kind: 'fetch-server-key', id }
    if (step === 'connect') return { kind: 'connect', id }
    if (goal.kind === 'stream') return { kind: 'open-stream', id, nodeKey: goal.key }
    const { key: nodeKey, oldKey: oldNodeKey, link } = goal
    const authKey = link ? undefined : this.#login?.authKey
    return { kind: 'register', id, nodeKey, oldNodeKey, authKey, followup: link?.url ?? '', ephemeral: this.#login?.ephemeral === true }
  }

  #gotServerKey(nowMs: number, changed: boolean): void {
    this.#haveServerKey = true
    if (changed) {
      this.#reinstalled = true
      this.#why = 'the server has another key than before: it was set up anew'
    }
    this.#act(nowMs, 'connect')
  }

  #registered(nowMs: number, response: RegisterResponse, tookMs: number): void {
    const goal = this.#goal
    const login = this.#login
    if (goal?.kind !== 'register' || !login) return
    if (response.Error !== undefined && response.Error !== '') return this.#refused(nowMs, goal, response.Error, login)
    if (response.NodeKeyExpired) return this.#expired(nowMs, goal)
    if (response.AuthURL !== '') return this.#gotLink(nowMs, goal, response.AuthURL, tookMs)
    this.#goal = { kind: 'stream', key: goal.key }
    // The key is spent and the person has done their part: a later refusal must ask anew.
    this.#login = { controlUrl: login.controlUrl, nodeKey: goal.key, interactive: false }
    this.#good = undefined
    this.#toldLogin = true
    this.#events.push({ kind: 'logged-in', nodeKey: goal.key, user: profileOf(response), expired: false })
    this.#why = 'logged in'
    this.#working(nowMs, 'authorised')
    this.#act(nowMs, 'stream')
  }

  #refused(nowMs: number, goal: RegisterGoal, text: string, login: Login): void {
    const message = withoutSecret(text, login.authKey)
    switch (refusalOf(text)) {
      case 'forgotten-link':
        if (goal.link) return this.#forgotten(nowMs, goal)
        break
      case 'other-machine':
        if (!goal.fresh && isAsked(login)) return this.#withNewKey(nowMs, goal, 'the server knows the key of this device as that of another machine')
        return this.#needsLogin(nowMs, `the server knows the key of this device as that of another machine (${message}): log in again, this device then gets a key of its own`, 'device-mismatch')
      case 'auth-key':
        if (login.authKey !== undefined) return this.#fail(nowMs, 'auth-key-invalid', message)
        break
      case 'other':
    }
    this.#failed(nowMs, { code: 'control-refused', message })
  }

  #expired(nowMs: number, goal: RegisterGoal): void {
    if (goal.fresh || !isAsked(this.#login)) return this.#needsLogin(nowMs, 'the login of this device has expired, log in again', 'login-expired')
    this.#withNewKey(nowMs, goal, 'the node key has expired')
  }

  #withNewKey(nowMs: number, goal: RegisterGoal, why: string): void {
    this.#goal = { ...goal, key: this.#newKey(), oldKey: goal.key, fresh: true, link: undefined }
    this.#why = why
    this.#act(nowMs, 'register')
  }

  #gotLink(nowMs: number, goal: RegisterGoal, url: string, tookMs: number): void {
    const before = goal.link
    if (!isAsked(this.#login)) return this.#unknownDevice(nowMs, goal)
    const fault = linkFault(url, this.#login!.controlUrl)
    if (fault) return this.#fail(nowMs, fault.code, fault.message)
    if (url === before?.url) {
      if (tookMs >= GOOD_STREAM_MS) this.#failures = 0
      return this.#pause(nowMs, backoffMs(++this.#failures, this.#unit()))
    }
    const ended = before && endOfLink(before, nowMs)
    if (ended === 'refused' && ++this.#earlyEnds > MAX_EARLY_ENDS) return this.#needsLogin(nowMs, REFUSED, 'login-refused')
    this.#links++
    if (this.#links > MAX_LINKS || (before && nowMs - this.#beganMs >= LINKS_MS)) {
      return this.#needsLogin(nowMs, 'nobody approved the sign-in in time: log in again for a new link', 'login-unapproved')
    }
    const why = ended === 'refused' ? `the link before ended after ${Math.round((nowMs - before!.sinceMs) / 1000)} s: it was refused at the server, or ran out, and the server made a new one`
      : ended === 'ran-out' ? `nobody approved the link before within ${Math.round((nowMs - before!.sinceMs) / 60_000)} minutes, so the server made a new one`
      : ended === 'forgotten' || this.#links > 1 ? 'the server no longer knew the link before (was it restarted?) and made a new one'
      : 'the server wants a person to approve this device'
    this.#failures = 0
    this.#goal = { ...goal, link: { url, sinceMs: nowMs, why, broke: false, ...(ended === 'refused' ? { problem: { code: 'login-refused', message: why } } : {}) } }
    this.#act(nowMs, 'register')
  }

  /** The server does not know the link any more and gave no other: asks for one with the same key. */
  #forgotten(nowMs: number, goal: RegisterGoal): void {
    this.#goal = { ...goal, link: undefined }
    this.#why = 'the server no longer knows the link'
    this.#pause(nowMs, backoffMs(++this.#failures, this.#unit()))
  }

  /** The server offers a link to a device that came with a key of its own. */
  #unknownDevice(nowMs: number, goal: RegisterGoal): void {
    const why = this.#reinstalled ? REINSTALLED : goal.removed ? REMOVED : 'the control server does not know this device, log in again'
    this.#needsLogin(nowMs, why, 'control-not-found')
  }

  #streamLost(nowMs: number, failure: Failure): void {
    const phase = this.#phase
    const goal = this.#goal
    if (goal?.kind !== 'stream') return
    if (failure.status === 404) {
      this.#goal = { kind: 'register', key: goal.key, oldKey: undefined, fresh: false, link: undefined, removed: true }
    }
    if (phase.kind === 'act' && phase.running && nowMs - phase.sinceMs >= GOOD_STREAM_MS) {
      this.#failures = 0
      this.#why = failure.message
      this.#state({ kind: 'lost', code: failure.code, message: failure.message, retryInMs: 0 })
      return this.#advance(nowMs)
    }
    if (phase.kind === 'act' && phase.running) this.#failures = Math.min(this.#failures, SHORT_STREAM_FAILURES)
    this.#failed(nowMs, failure)
  }

  #failed(nowMs: number, failure: Failure): void {
    const goal = this.#goal
    const link = goal?.kind === 'register' ? goal.link : undefined
    if (failure.code === 'control-version' && failure.status !== undefined) return this.#fail(nowMs, failure.code, failure.message)
    const isAnswer = this.#phase.kind === 'act' && this.#phase.step === 'register'
    if (link && isAnswer && isForgottenLink(failure)) return this.#forgotten(nowMs, goal as RegisterGoal)
    if (this.#isGivenUp(nowMs, failure)) return this.#fail(nowMs, failure.code, failure.message)
    if (failure.code === 'control-key-mismatch' || failure.code === 'control-version') this.#haveServerKey = false
    this.#noteBreak()
    this.#failures++
    this.#why = failure.message
    const unit = this.#unit()
    const ownDelayMs = failure.code === 'control-rate-limited' ? Math.round(5000 + 5000 * unit) : backoffMs(this.#failures, unit)
    const delayMs = Math.max(failure.retryAfterMs ?? ownDelayMs, failure.retryAfterMs === undefined ? 0 : backoffMs(1, unit))
    if (!link || this.#failures > 2) this.#state({ kind: 'lost', code: failure.code, message: failure.message, retryInMs: delayMs })
    this.#pause(nowMs, delayMs)
  }

  /** Whether somebody waits for this login in vain. */
  #isGivenUp(nowMs: number, failure: Failure): boolean {
    if (!this.#awaited || !isLasting(failure)) {
      this.#lasting = { times: 0, sinceMs: nowMs }
      return false
    }
    const { times, sinceMs } = this.#lasting
    this.#lasting = { times: times + 1, sinceMs: times === 0 ? nowMs : sinceMs }
    return times + 1 >= LASTING_TIMES && nowMs - this.#lasting.sinceMs >= LASTING_MS
  }

  /** The wait for a link was interrupted: what the server did meanwhile is not known. */
  #noteBreak(): void {
    const goal = this.#goal
    if (goal?.kind === 'register' && goal.link) this.#goal = { ...goal, link: { ...goal.link, broke: true } }
  }

  #pause(nowMs: number, delayMs: number): void {
    this.#phase = { kind: 'pause', untilMs: nowMs + delayMs }
  }

  #fail(nowMs: number, code: ErrorCode, message: string): void {
    this.#end(nowMs, { kind: 'failed', code, message })
  }

  #needsLogin(nowMs: number, why: string, code: ErrorCode): void {
    this.#end(nowMs, { kind: 'needs-login', why, code })
  }

  /** Ends the login; the session beside it, if that is good, goes on. */
  #end(nowMs: number, state: ControlState): void {
    const good = this.#good
    const login = this.#login
    this.#phase = REST
    this.#awaited = false
    this.#state(state)
    if (!good || !login) return
    this.#good = undefined
    this.#login = { controlUrl: login.controlUrl, nodeKey: good, interactive: false }
    this.#goal = { kind: 'stream', key: good }
    this.#why = 'the login before is still good'
    const id = this.#oldStream
    this.#oldStream = undefined
    if (id === undefined) return this.#advance(nowMs)
    this.#phase = { kind: 'act', step: 'stream', id, sinceMs: nowMs, deadlineMs: nowMs + STREAM_SILENCE_MS, running: true }
    this.#toldLogin = true
    const problem = state.kind === 'failed' ? { code: state.code, message: state.message } : state.kind === 'needs-login' && state.code ? { code: state.code, message: state.why } : undefined
    this.#state({ kind: 'running', sinceMs: nowMs, ...(problem ? { problem } : {}) })
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
    this.#toldLink = undefined
    this.#events.push({ kind: 'state', state })
  }
}

const LOGIN_STEP: Readonly<Record<Step, LoginStep>> = {
  fetch: 'fetch-server-key',
  connect: 'connect',
  register: 'register',
  stream: 'wait-for-map',
}

/** Whether a person or an auth key stands behind the login, so that the server may be asked to let a device in. */
function isAsked(login: Login | undefined): boolean {
  return login !== undefined && (login.authKey !== undefined || login.interactive)
}

function firstGoal(login: Login, newKey: () => PrivateKey): Goal {
  const saved = login.nodeKey
  if (saved && !login.interactive && login.authKey === undefined) return { kind: 'stream', key: saved }
  const reuse = saved !== undefined && !login.interactive
  return { kind: 'register', key: reuse ? saved : newKey(), oldKey: reuse ? undefined : saved, fresh: !reuse, link: undefined, removed: false }
}
