/**
 * What the app itself knows of its engine, for tray and notifications, whether a window is open or not.
 *
 *   bus messages        prefs, warnings and policy at once; the rest is looked at soon after one, not more often than its pace
 *   exit nodes          a question that the engine holds back until there is news
 *   paths               asked now and then while connected: only the menu's words need them
 *
 * What an engine that ended told is kept as its last word, but for paths and exit nodes.
 */
import type { LocalApiClient } from '../client/local-api-client.ts'
import { METHODS } from '../localapi/methods.ts'
import type { AppState } from '../localapi/app-state.ts'
import type { BlockedPage } from '../localapi/blocked.ts'
import type { ExitNodesPage } from '../localapi/exit-nodes.ts'
import { isOfFiles } from '../localapi/notify-kinds.ts'
import type { MachinePage, TrialPage } from '../localapi/machine.ts'
import { NO_POLICY, type PolicySnapshot } from '../localapi/policy.ts'
import { NO_TRANSFERS, reduceTransfers, type TransfersPage } from '../localapi/transfers.ts'
import type { HealthState, LoginProfile, Notify, PathsPage, Prefs, Status } from '../localapi/types.ts'

export interface Facts {
  readonly app: AppState
  readonly status: Status | undefined
  readonly prefs: Prefs | undefined
  readonly warnings: HealthState['Warnings']
  readonly policy: PolicySnapshot
  readonly exit: ExitNodesPage | undefined
  readonly paths: PathsPage | undefined
  readonly profiles: readonly LoginProfile[]
  /** ID of the present one; '' = nobody is signed in with it. */
  readonly profile: string
  /** Asked for only while somebody wants to be told of it. */
  readonly blocked: BlockedPage | undefined
  /** Nothing is on its way while the engine does not run. */
  readonly transfers: TransfersPage
  /** How much of this computer is on the network; the last word of an engine that ended. */
  readonly machine: MachinePage | undefined
  readonly trial: TrialPage
}

const SETTLE_MS = 100
/** A whole status is large in a large network: there the devices are asked for now and then alone. */
const LARGE_NETWORK = 500
const LARGE_PACE_MS = 60_000
const LOOK_MS = 10_000
const RETRY_MS = 1000

export class EngineFacts {
  readonly #client: LocalApiClient
  readonly #changed: (facts: Facts) => void
  readonly #stop = new AbortController()
  #facts: Facts
  #soon: NodeJS.Timeout | undefined
  #look: NodeJS.Timeout | undefined
  #wholeMs = 0
  #following = false

  /** `changed` is called with the whole on every change. */
  constructor(client: LocalApiClient, app: AppState, changed: (facts: Facts) => void) {
    this.#client = client
    this.#changed = changed
    this.#facts = { app, status: undefined, prefs: undefined, warnings: null, policy: NO_POLICY, exit: undefined, paths: undefined, profiles: [], profile: '', blocked: undefined, transfers: NO_TRANSFERS, machine: undefined, trial: {} }
  }

  get value(): Facts {
    return this.#facts
  }

  start(): void {
    this.#look = setInterval(() => void this.#lookAround(), LOOK_MS)
  }

  stop(): void {
    this.#stop.abort()
    clearInterval(this.#look)
    clearTimeout(this.#soon)
  }

  onApp(app: AppState): void {
    const runs = app.engine === 'running'
    const began = runs && this.#facts.app.engine !== 'running'
    this.#set(runs ? { app } : { app, paths: undefined, exit: undefined, transfers: NO_TRANSFERS, trial: {} })
    if (!began) return
    this.#lookSoon()
    void this.#lookAtProfiles()
    void this.#followExits()
  }

  onNotify(notify: Notify): void {
    if (notify.Prefs || notify.Health || notify.InitialStatus || notify.Policy || notify.Transfers || notify.Machine || notify.Trial) {
      this.#set({
        ...(notify.Prefs ? { prefs: notify.Prefs } : {}),
        ...(notify.InitialStatus ? { status: notify.InitialStatus } : {}),
        ...(notify.Health ? { warnings: notify.Health.Warnings } : {}),
        ...(notify.Policy ? { policy: notify.Policy } : {}),
        ...(notify.Machine ? { machine: notify.Machine } : {}),
        ...(notify.Trial ? { trial: notify.Trial } : {}),
        ...(notify.Transfers ? { transfers: reduceTransfers(this.#facts.transfers, notify.Transfers) } : {}),
      })
    }
    if (!isOfFiles(notify)) this.#lookSoon()
    if (notify.Prefs || notify.LoginFinished || notify.SelfChange) void this.#lookAtProfiles()
  }

  #set(change: Partial<Facts>): void {
    if (this.#stop.signal.aborted) return
    this.#facts = { ...this.#facts, ...change }
    this.#changed(this.#facts)
  }

  async #ask(path: string): Promise<unknown> {
    try {
      return await this.#client.json({ method: 'GET', path, signal: this.#stop.signal })
    } catch {
      return undefined
    }
  }

  #lookSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined
      void this.#lookAtStatus()
    }, SETTLE_MS)
  }

  async #lookAtStatus(): Promise<void> {
    const known = this.#facts.status
    const nowMs = Date.now()
    const whole = Object.keys(known?.Peer ?? {}).length <= LARGE_NETWORK || nowMs - this.#wholeMs >= LARGE_PACE_MS
    if (whole) this.#wholeMs = nowMs
    const status = (await this.#ask(whole ? METHODS.status.path : `${METHODS.status.path}?peers=false`)) as Status | undefined
    if (status) this.#set({ status: whole ? status : { ...status, Peer: known!.Peer, User: known!.User } })
  }

  async #lookAtProfiles(): Promise<void> {
    const [all, current] = (await Promise.all(['', 'current'].map((name) => this.#ask(`${METHODS.profiles.path}${name}`)))) as [LoginProfile[] | undefined, LoginProfile | undefined]
    if (all && current) this.#set({ profiles: all, profile: current.ID })
  }

  async #lookAround(): Promise<void> {
    const { app, status } = this.#facts
    if (app.engine !== 'running' || status?.BackendState !== 'Running') return
    const paths = (await this.#ask(`${METHODS.paths.path}?active=true`)) as PathsPage | undefined
    const blocked = app.settings.notifications.blocked === 'off' ? undefined : ((await this.#ask(METHODS.blocked.path)) as BlockedPage | undefined)
    if (paths) this.#set({ paths, blocked })
  }

  async #followExits(): Promise<void> {
    if (this.#following) return
    this.#following = true
    let after: number | undefined
    while (!this.#stop.signal.aborted && this.#facts.app.engine === 'running') {
      const page = (await this.#ask(`${METHODS.exitNodes.path}${after === undefined ? '' : `?after=${after}`}`)) as ExitNodesPage | undefined
      if (page && page.Version !== after) this.#set({ exit: page })
      after = page?.Version
      if (!page) await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
    this.#following = false
  }
}
