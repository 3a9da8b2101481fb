/**
 * The control client: drives the pure session and update machines with one connection, one timer and the facts of the
 * network, and tells above what came of it.
 *
 *   wants, login → Session, LiteUpdates → actions → ControlConnection → outcomes → …
 *
 * Every action has an AbortController under its id; a cancelled action's answer is never heard.
 */
import { EngineError, errorText, isDecodeError } from '../base/errors.ts'
import { PrivateKey, shortKey, nodeKey } from '../base/keys.ts'
import { applyMapResponse, deltaOf, isEmptyDelta } from '../core/netmap/apply.ts'
import type { NetMap, NetMapDelta } from '../core/netmap/types.ts'
import { isOpenableUrl } from '../core/session/auth-url.ts'
import { LiteUpdates } from '../core/session/lite-updates.ts'
import { Session } from '../core/session/session.ts'
import type { ControlState, Failure, Outcome, RegisterAction, SessionAction, SessionEvent } from '../core/session/types.ts'
import type { MapResponse, Node } from '../core/tailcfg/types.ts'
import { ControlConnection } from './connection.ts'
import { deadline } from './deadline.ts'
import { failureOf } from './failure.ts'
import { mapRequest, readMapStream, sendLiteUpdate } from './map-stream.ts'
import { PingAnswerer } from './ping-request.ts'
import type { ControlDeps, ControlFacts, ControlLogin, ControlWants } from './ports.ts'
import { LOGOUT_EXPIRY, register } from './register.ts'
import { wantsMark } from './wants-mark.ts'

/** How often a waiting registration proves that its connection lives. */
const WAIT_PING_MS = 30_000
const PING_TIMEOUT_MS = 15_000
const UPDATE_TIMEOUT_MS = 30_000
const MAX_POP_URLS = 100
/** How often our own node is asked for when rules change: each time costs every device a message. */
const NODE_GAP_MS = 5_000
/** The same while something that we offer is not allowed yet. */
const NODE_GAP_PENDING_MS = 2_000

/** A map stream while it is read. */
interface OpenStream {
  readonly connection: ControlConnection
  readonly id: number
  /** What its request said of us. */
  readonly mark: string
  readonly signal: AbortSignal
  readonly popUrls: Set<string>
  /** No map has come yet. */
  fresh: boolean
  /** What has been merged and not told: the map before it; `delta` while one message made all of it. */
  untold: { readonly before: NetMap | undefined; readonly isFirst: boolean; delta: NetMapDelta | undefined } | undefined
}

export class Control {
  readonly #deps: ControlDeps
  readonly #session: Session
  readonly #updates: LiteUpdates
  readonly #pings: PingAnswerer
  readonly #running = new Map<number, AbortController>()
  #facts: ControlFacts | undefined
  #wants: ControlWants | undefined
  #connection: ControlConnection | undefined
  #nodeKey: PrivateKey | undefined
  #netMap: NetMap | undefined
  #state: ControlState = { kind: 'idle' }
  #loggedLoss: string | undefined
  #heardMs: number | undefined
  /** What the request of the newest stream that sent a map said of us. */
  #streamMark = ''
  #cancelTimer: () => void = () => {}
  #pumping = false

  constructor(deps: ControlDeps) {
    this.#deps = { ...deps, env: { ...deps.env, log: deps.env.log.part('control') } }
    const random = deps.env.random
    const unit = (): number => random.unit()
    this.#session = new Session({ unit, newKey: () => PrivateKey.fromRandom(random.bytes(32)) })
    this.#updates = new LiteUpdates({ unit })
    this.#pings = new PingAnswerer({ env: this.#deps.env, http: deps.http })
  }

  start(facts: ControlFacts): void {
    this.#facts = facts
    this.#pings.setAsked(facts.asked)
  }

  /** Wall time of the last message of the map stream, in ms; keepalives count. */
  get heardMs(): number | undefined {
    return this.#heardMs
  }

  get state(): ControlState {
    return this.#state
  }

  /** What control is to know of us, whole; told when it differs. Must be set before the first login. */
  set(wants: ControlWants): void {
    this.#wants = wants
    this.#updates.handleWanted(this.#nowMs(), wantsMark(wants))
    this.#pump()
  }

  /** Starts a login; replaces whatever was under way. Throws EngineError 'bad-argument' for an impossible URL. */
  begin(login: ControlLogin): void {
    if (!this.#wants) throw new EngineError('bad-argument', 'the control client was not told what to say of this node')
    const url = controlUrl(login.controlUrl)
    const sameServer = this.#connection?.fits(url, login.machineKey) === true
    if (!sameServer) {
      this.#connection?.disconnect()
      this.#connection = new ControlConnection(this.#deps, url, login.machineKey)
      this.#updates.handleReset()
      this.#netMap = undefined
    }
    this.#nodeKey = login.nodeKey
    this.#session.handleBegin(this.#nowMs(), login, sameServer)
    this.#pump()
  }

  /** Drops the connection and starts it anew, for example after sleep. `doubtsServer`: the server has to prove its key anew. */
  reconnect(why: string, doubtsServer = false): void {
    this.#session.handleReconnect(this.#nowMs(), why, doubtsServer)
    this.#pump()
  }

  /**
   * Tells control that the node key is given up, and stops. Whether or not control could be told, the state is then
   * 'needs-login'. Rejects with EngineError when it could not.
   */
  async logout(timeoutMs: number): Promise<void> {
    const connection = this.#connection
    const key = this.#nodeKey
    this.#nodeKey = undefined
    this.#netMap = undefined
    this.#session.handleStop('logged out')
    this.#pump()
    this.#updates.handleReset()
    if (!connection || !key) return
    const limit = deadline(this.#deps.env.clock, timeoutMs)
    try {
      await this.#tellLogout(connection, key, limit.signal)
      this.#deps.env.journal.add({ part: 'control', kind: 'logged-out', why: 'the user logged out' })
    } catch (error) {
      const failure = failureOf(error, connection.url.host)
      const code = limit.signal.aborted ? 'timeout' : failure.code
      throw new EngineError(code, `the control server was not told of the logout: ${failure.message}`, { cause: error })
    } finally {
      limit.done()
      if (this.#state.kind === 'needs-login') connection.disconnect()
    }
  }

  stop(): void {
    this.#session.handleStop()
    this.#pump()
    this.#updates.handleReset()
    this.#cancelTimer()
    this.#connection?.disconnect()
    this.#connection = undefined
    this.#nodeKey = undefined
    this.#netMap = undefined
  }

  async #tellLogout(connection: ControlConnection, key: PrivateKey, signal: AbortSignal): Promise<void> {
    const registration = { nodeKey: key, oldNodeKey: undefined, authKey: undefined, followup: '', ephemeral: false, expiry: LOGOUT_EXPIRY }
    await connection.connect(signal)
    const answer = await register(connection, registration, this.#wants!.hostinfo, this.#deps.env.clock.wallMs(), signal)
    if (answer.Error !== undefined && answer.Error !== '') throw new EngineError('control-refused', answer.Error)
  }

  #nowMs(): number {
    return this.#deps.env.clock.nowMs()
  }

  /** Carries out what the machines want, tells what they say, and sets the one timer. */
  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    try {
      for (let idle = false; !idle;) {
        const actions = this.#session.takeActions()
        const events = this.#session.takeEvents()
        for (const action of actions) this.#perform(action)
        for (const event of events) this.#tell(event)
        const mark = this.#updates.takeUpdate()
        if (mark !== undefined) this.#sendUpdate()
        idle = actions.length === 0 && events.length === 0 && mark === undefined
      }
    } finally {
      this.#pumping = false
    }
    this.#arm()
  }

  #arm(): void {
    this.#cancelTimer()
    const due = [this.#session.nextTimeout(), this.#updates.nextTimeout()].flatMap((timeout) => (timeout ? [timeout.atMs] : []))
    if (due.length === 0) return
    this.#cancelTimer = this.#deps.env.clock.after(Math.max(0, Math.min(...due) - this.#nowMs()), () => {
      this.#session.handleTimeout(this.#nowMs())
      this.#updates.handleTimeout(this.#nowMs())
      this.#pump()
    })
  }

  #tell(event: SessionEvent): void {
    if (event.kind === 'logged-in') {
      this.#nodeKey = event.nodeKey
      this.#deps.env.log.info('logged in', { node: shortKey(nodeKey(event.nodeKey.publicBytes())) })
      this.#facts?.onLoggedIn({ nodeKey: event.nodeKey, user: event.user, expired: event.expired })
      return
    }
    const previous = this.#state
    const { clock } = this.#deps.env
    const state = 'sinceMs' in event.state ? { ...event.state, sinceMs: clock.wallMs() - (clock.nowMs() - event.state.sinceMs) } : event.state
    this.#state = state
    if (state.kind === 'running') this.#updates.handleStreaming(this.#nowMs(), this.#streamMark)
    else this.#updates.handleStreamEnd()
    const why = reasonOf(state)
    const from = describe(previous)
    this.#deps.env.journal.add({ part: 'control', kind: 'state', from, to: describe(state), ...(why === undefined ? {} : { why }) })
    this.#logState(state, `${from} → ${describe(state)}${why === undefined ? '' : ` (${why})`}`)
    this.#facts?.onState(state)
    const isNewLink = state.kind === 'waiting' && !(previous.kind === 'waiting' && previous.authUrl === state.authUrl)
    if (isNewLink) this.#facts?.onPopBrowser(state.authUrl)
  }

  /** Attempts that fail for the same reason again and again are one line, not one each. */
  #logState(state: ControlState, line: string): void {
    const isSameLoss = state.kind === 'lost' && state.message === this.#loggedLoss
    const isRepeated = isSameLoss || (state.kind === 'working' && this.#loggedLoss !== undefined)
    if (state.kind === 'lost') this.#loggedLoss = state.message
    else if (state.kind !== 'working') this.#loggedLoss = undefined
    if (isRepeated) this.#deps.env.log.debug(line)
    else this.#deps.env.log.info(line)
  }

  #perform(action: SessionAction): void {
    const connection = this.#connection
    switch (action.kind) {
      case 'cancel':
        this.#running.get(action.id)?.abort()
        this.#running.delete(action.id)
        return
      case 'disconnect':
        return connection?.disconnect()
      case 'fetch-server-key':
        return this.#run(action.id, (signal) => connection!.fetchServerKey(signal).then((changed) => ({ kind: 'server-key', changed })))
      case 'connect':
        return this.#run(action.id, (signal) => connection!.connect(signal).then(() => ({ kind: 'connected' })))
      case 'register':
        return this.#run(action.id, (signal) => this.#register(connection!, action, signal))
      case 'open-stream':
        return this.#run(action.id, (signal) => this.#stream(connection!, action.id, action.nodeKey, signal))
    }
  }

  #run(id: number, work: (signal: AbortSignal) => Promise<Outcome>): void {
    const controller = new AbortController()
    const host = this.#connection?.url.host ?? ''
    this.#running.set(id, controller)
    work(controller.signal)
      .catch((error: unknown): Outcome => ({ kind: 'failed', failure: this.#failure(error, host) }))
      .then((outcome) => {
        if (!this.#running.delete(id)) return
        this.#session.handleOutcome(this.#nowMs(), id, outcome)
        this.#pump()
      })
      .catch((error: unknown) => this.#broken(error))
  }

  #failure(error: unknown, host: string): Failure {
    const failure = failureOf(error, host)
    this.#deps.env.log.debug('control exchange failed', { code: failure.code, why: failure.message, cause: errorText(error) })
    return failure
  }

  /** A fault of our own or of a callback: it must not vanish in a promise. */
  #broken(error: unknown): void {
    this.#deps.env.clock.after(0, () => {
      throw error
    })
  }

  async #register(connection: ControlConnection, action: RegisterAction, signal: AbortSignal): Promise<Outcome> {
    const waiting = new AbortController()
    const limit = AbortSignal.any([signal, waiting.signal])
    const stopPings = action.followup === '' ? undefined : this.#keepPinging(connection, () => waiting.abort())
    try {
      const response = await register(connection, action, this.#wants!.hostinfo, this.#deps.env.clock.wallMs(), limit)
      return { kind: 'registered', response }
    } catch (error) {
      if (!waiting.signal.aborted) throw error
      connection.disconnect()
      throw new EngineError('timeout', 'the control server is silent', { cause: error })
    } finally {
      stopPings?.()
    }
  }

  /** Pings the connection until it is stopped; tells when a ping gets no answer. */
  #keepPinging(connection: ControlConnection, onSilent: () => void): () => void {
    let cancel = (): void => {}
    const again = (): void => {
      cancel = this.#deps.env.clock.after(WAIT_PING_MS, () => {
        connection.ping(PING_TIMEOUT_MS).then(again, onSilent)
      })
    }
    again()
    return () => cancel()
  }

  async #stream(connection: ControlConnection, id: number, key: PrivateKey, signal: AbortSignal): Promise<Outcome> {
    const { env, zstd } = this.#deps
    const mark = wantsMark(this.#wants!)
    const stream: OpenStream = { connection, id, mark, signal, popUrls: new Set(), fresh: true, untold: undefined }
    try {
      await readMapStream({
        env,
        connection,
        zstd,
        signal,
        request: mapRequest(key, this.#wants!, { stream: true, zstd: zstd !== undefined }),
        onBytes: () => this.#session.handleStreamData(this.#nowMs(), id),
        onSleep: (sleepMs) => this.#session.handleStreamSleep(this.#nowMs(), id, sleepMs),
        onMessage: (message) => {
          this.#handleMessage(message, stream)
          this.#pump()
        },
        onBatch: () => {
          this.#tellMap(stream)
          this.#pump()
        },
      })
    } finally {
      // What was merged before a message that cannot be read is good.
      if (!signal.aborted) this.#tellMap(stream)
    }
    return { kind: 'stream-ended', why: 'the control server closed the map stream' }
  }

  #handleMessage(message: MapResponse, stream: OpenStream): void {
    const { connection, popUrls } = stream
    this.#heardMs = this.#deps.env.clock.wallMs()
    if (message.PingRequest) this.#pings.handle(message.PingRequest, connection, stream.signal)
    if (typeof message.ControlTime === 'string') this.#deps.noteServerTime?.(Date.parse(message.ControlTime))
    if (message.ControlDialPlan) connection.dialPlan = message.ControlDialPlan
    const url = message.PopBrowserURL ?? ''
    if (url !== '' && !popUrls.has(url) && popUrls.size < MAX_POP_URLS) {
      popUrls.add(url)
      if (isOpenableUrl(url, connection.url.href)) this.#facts?.onPopBrowser(url)
    }
    const told = message.KeepAlive === true ? keptOf(message) : message
    if (!told || (message.KeepAlive === true && stream.fresh)) return
    const delta = applyMapResponse(this.#netMap, told, this.#deps.env.clock.wallMs(), stream.fresh)
    if (isDecodeError(delta)) throw new EngineError('control-bad-response', delta.detail ?? delta.reason)
    stream.untold ??= { before: this.#netMap, isFirst: stream.fresh, delta }
    if (delta !== stream.untold.delta) stream.untold.delta = undefined
    this.#netMap = delta.netMap
    this.#askForNode(message, delta.netMap.self, stream.fresh)
    if (!stream.fresh) return
    stream.fresh = false
    this.#handleFirstMap(delta.netMap, stream)
  }

  /** New rules may mean that our routes were allowed or are ours alone now, which not every server tells a router by itself. */
  #askForNode(message: MapResponse, self: Node, fresh: boolean): void {
    const offered = this.#wants?.hostinfo.RoutableIPs ?? []
    if (message.Node) return this.#updates.handleNode()
    if (fresh || offered.length === 0 || (!message.PacketFilters && !message.PacketFilter)) return
    const allowed = new Set(self.AllowedIPs)
    this.#updates.handleNodeWanted(this.#nowMs(), offered.every((route) => allowed.has(route)) ? NODE_GAP_MS : NODE_GAP_PENDING_MS)
    this.#pump()
  }

  /** Tells what the messages of one read changed, as one change. */
  #tellMap(stream: OpenStream): void {
    const { untold } = stream
    if (!untold || !this.#netMap) return
    stream.untold = undefined
    const delta = untold.delta ?? deltaOf(untold.before, this.#netMap)
    if (!untold.isFirst && isEmptyDelta(delta, untold.before)) return
    this.#deps.env.journal.add({
      part: 'control', kind: 'netmap', peers: delta.netMap.peers.size, upserted: delta.upserted.length, removed: delta.removed.length,
      self: delta.selfChanged, filter: delta.filterChanged, dns: delta.dnsChanged, derp: delta.derpMapChanged,
    })
    this.#facts?.onNetMap(delta)
  }

  #handleFirstMap({ self, userProfiles }: NetMap, stream: OpenStream): void {
    const user = userProfiles.get(self.User) ?? { ID: self.User, LoginName: '', DisplayName: '' }
    this.#streamMark = stream.mark
    this.#session.handleStreamData(this.#nowMs(), stream.id, { user, expired: self.Expired === true })
    this.#pump()
    this.#updates.handleWanted(this.#nowMs(), wantsMark(this.#wants!))
  }

  #sendUpdate(): void {
    const connection = this.#connection
    const key = this.#nodeKey
    const wants = this.#wants
    if (!connection || !key || !wants) return this.#updates.handleDone(this.#nowMs(), false)
    const limit = deadline(this.#deps.env.clock, UPDATE_TIMEOUT_MS)
    const done = (ok: boolean): void => {
      limit.done()
      this.#updates.handleDone(this.#nowMs(), ok)
      this.#pump()
    }
    sendLiteUpdate(connection, mapRequest(key, wants, { stream: false, zstd: false }), this.#deps.env.clock.wallMs(), limit.signal).then(
      () => {
        this.#deps.env.journal.add({ part: 'control', kind: 'update-sent', endpoints: wants.endpoints.length })
        done(true)
      },
      (error: unknown) => {
        const { status } = this.#failure(error, connection.url.host)
        // A server may let the stream of a deleted device idle on.
        if (status === 404 && key === this.#nodeKey) this.#session.handleReconnect(this.#nowMs(), 'the server does not know this device any more')
        done(false)
      },
    ).catch((error: unknown) => this.#broken(error))
  }
}

/** What of a keepalive belongs into the map. */
function keptOf({ ControlTime, ClientVersion }: MapResponse): MapResponse | undefined {
  return ControlTime || ClientVersion ? { ...(ControlTime ? { ControlTime } : {}), ...(ClientVersion ? { ClientVersion } : {}) } : undefined
}

function controlUrl(text: string): URL {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new EngineError('bad-argument', 'the control server must be given as a URL such as https://headscale.example.com')
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new EngineError('bad-argument', 'the URL of the control server must begin with https:// or http://')
  }
  return url
}

function describe(state: ControlState): string {
  return state.kind === 'working' ? state.step : state.kind
}

function reasonOf(state: ControlState): string | undefined {
  if (state.kind === 'working' || state.kind === 'needs-login') return state.why
  return state.kind === 'lost' || state.kind === 'failed' ? state.message : undefined
}
