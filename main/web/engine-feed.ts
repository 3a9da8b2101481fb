/**
 * What a window must always know: whether the engine lives, and what it says on its bus. Shared by web host and app.
 *
 * One bus connection per host. It doubles as the heartbeat: the socket closes the moment the engine dies, so a death is
 * known within milliseconds; an engine that hangs is found by a status request every two seconds that must answer in two.
 */
import { LocalApiError, type LocalApiClient } from '../client/local-api-client.ts'
import { NO_TRANSFERS, reduceTransfers, type TransfersPage } from '../localapi/transfers.ts'
import type { Notify } from '../localapi/types.ts'
import { WATCH } from '../localapi/watch-mask.ts'
import type { EngineLife } from '../localapi/app-state.ts'

/** The whole state in the first message, but for the map: lists come by status. Messages of the server with their pages. */
const WATCH_MASK = WATCH.initialState | WATCH.initialPrefs | WATCH.initialHealth | WATCH.healthActions | WATCH.peerChanges | WATCH.noNetMap | WATCH.sysPolicyChanges | WATCH.transfers | WATCH.machine
const RETRY_MS = 250
const HEARTBEAT_MS = 2000
const KEEPS_STOPPING = 4

export interface FeedFacts {
  onNotify(notify: Notify): void
  onEngine(life: EngineLife): void
  /** The version that the engine says it is, each time that it is asked. */
  onVersion(version: string): void
}

export class EngineFeed {
  readonly #client: LocalApiClient
  readonly #facts: FeedFacts
  #state: EngineLife
  #whole: Notify | undefined
  /** Wall time at which the trial in it was told. */
  #trialMs = 0
  #deaths: number[] = []
  /** The end of the round that runs is of the engine before. */
  #isNew = false
  #stop = new AbortController()

  constructor(client: LocalApiClient, facts: FeedFacts) {
    this.#client = client
    this.#facts = facts
    this.#state = { engine: 'starting', sinceMs: Date.now(), restarts: 0 }
  }

  /** What a window that comes now must be told first: the state as all messages of this connection have made it. */
  get first(): Notify | undefined {
    const { Trial: page } = this.#whole ?? {}
    // A trial goes on while nobody comes.
    if (!page?.Trial) return this.#whole
    return { ...this.#whole!, Trial: { ...page, Trial: { ...page.Trial, LeftMs: Math.max(0, page.Trial.LeftMs - (Date.now() - this.#trialMs)) } } }
  }

  /** All files on their way, as all messages have made them. */
  get transfers(): TransfersPage {
    return this.#whole?.Transfers?.Whole ?? NO_TRANSFERS
  }

  start(): void {
    void this.#watch()
    void this.#beat()
  }

  stop(): void {
    this.#stop.abort()
  }

  /** The client speaks with another engine: what was known of the one before is forgotten. */
  begin(): void {
    this.#whole = undefined
    this.#deaths = []
    this.#isNew = true
    this.#state = { engine: 'starting', sinceMs: Date.now(), restarts: 0 }
    this.#facts.onEngine(this.#state)
    this.#endRound()
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const round = new AbortController()
      const end = (): void => round.abort()
      signal.addEventListener('abort', end)
      this.#endRound = end
      try {
        await this.#client.lines({ method: 'GET', path: `watch-ipn-bus?mask=${WATCH_MASK}`, signal: round.signal }, (value) => {
          const notify = value as Notify
          if (notify.Trial) this.#trialMs = Date.now()
          this.#whole = this.#whole === undefined ? notify : wholeAfter(this.#whole, notify)
          this.#set('running')
          this.#facts.onNotify(notify)
        })
        this.#lost('The engine closed its connection.')
      } catch (error) {
        this.#lost(error instanceof Error ? error.message : String(error), error instanceof LocalApiError ? error.code : undefined)
      }
      signal.removeEventListener('abort', end)
      await pause(RETRY_MS, signal)
    }
  }

  #endRound: () => void = () => {}

  async #beat(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await pause(HEARTBEAT_MS, signal)
      if (this.#state.engine !== 'running') continue
      try {
        const status = (await this.#client.json({ method: 'GET', path: 'status?peers=false', signal: AbortSignal.timeout(HEARTBEAT_MS) })) as { Version?: unknown } | undefined
        if (typeof status?.Version === 'string') this.#facts.onVersion(status.Version.slice(0, 60))
      } catch {
        if (!signal.aborted) this.#endRound()
      }
    }
  }

  #lost(message: string, code?: string): void {
    this.#whole = undefined
    if (this.#stop.signal.aborted) return
    const isOld = this.#isNew
    this.#isNew = false
    if (isOld) return
    if (this.#state.engine === 'running') {
      const nowMs = Date.now()
      this.#deaths = [...this.#deaths.filter((atMs) => nowMs - atMs < 60_000), nowMs]
    }
    this.#set(this.#deaths.length >= KEEPS_STOPPING ? 'keeps-stopping' : 'stopped', message, code)
  }

  #set(engine: EngineLife['engine'], message?: string, code?: string): void {
    if (this.#state.engine === engine && (engine === 'running' || this.#state.message === message)) return
    const came = engine === 'running' && this.#state.engine !== 'running' && this.#state.engine !== 'starting'
    const sinceMs = this.#state.engine === engine ? this.#state.sinceMs : Date.now()
    this.#state = {
      engine, sinceMs, restarts: this.#state.restarts + (came ? 1 : 0),
      ...(message === undefined ? {} : { message }), ...(code === undefined ? {} : { code }),
    }
    this.#facts.onEngine(this.#state)
  }
}

/** The whole state after one more message. News of the moment is not repeated, and a status that has aged is left out. */
function wholeAfter(whole: Notify, notify: Notify): Notify {
  const { InitialStatus: _aged, ...kept } = whole
  return {
    ...kept,
    State: notify.State ?? whole.State,
    Prefs: notify.Prefs ?? whole.Prefs,
    ...(notify.Health ? { Health: notify.Health } : {}),
    ...(notify.Policy ? { Policy: notify.Policy } : {}),
    ...(notify.Machine ? { Machine: notify.Machine } : {}),
    ...(notify.Trial ? { Trial: notify.Trial } : {}),
    ...(notify.Transfers ? { Transfers: { Whole: reduceTransfers(whole.Transfers?.Whole ?? NO_TRANSFERS, notify.Transfers) } } : {}),
    ErrMessage: null,
    LoginFinished: null,
    BrowseToURL: null,
  }
}

/** Waits, or not at all once stopped. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}
