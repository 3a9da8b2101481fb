/**
 * One snapshot of the engine and its deltas: the whole state of the window besides what the person is typing.
 *
 * Facts come in from the host (`onNotify`, `onAppState`) and from two slow looks (status, paths) while the window is
 * visible; the page changes when they do, never before: there are no optimistic copies.
 */
import { create } from 'zustand'
import type { AppState, BlockedPage, BowlineApi, DnsPage, ExitNodesPage, ForwardsPage, MachinePage, Notify, PathsPage, Prefs, ProfilesPage, ProxiesPage, RoutesPage, SessionPage, Status, StoragePage, TaildropSettings, TransferTargetsPage, TrialPage, TrustPage } from '../../preload/contract.ts'
import { keepPaths, keepStatus } from './keep.ts'
import { DEFAULT_SETTINGS } from '../../main/localapi/app-settings.ts'
import { isOfFiles } from '../../main/localapi/notify-kinds.ts'
import { NO_POLICY, type PolicySnapshot } from '../../main/localapi/policy.ts'
import { NO_TRANSFERS, reduceTransfers, type TransfersPage } from '../../main/localapi/transfers.ts'
import { STATE_NUMBER, type HealthState } from '../../main/localapi/types.ts'
import { deviceCount } from './devices.ts'
import { stillIn } from './sign-in.ts'
import { storyAfter, type EngineEvent } from './engine-story.ts'

export interface Snapshot {
  readonly app: AppState
  /** What became of the engine lately. */
  readonly story: readonly EngineEvent[]
  readonly status: Status | undefined
  readonly paths: PathsPage | undefined
  /** Wall time in ms of the last look at the paths; 0 = none yet. */
  readonly pathsMs: number
  readonly prefs: Prefs | undefined
  /** The server used last; signing out makes the engine forget it, and people come back to it. */
  readonly lastServer: string
  /** What the administrator of this computer laid down. */
  readonly policy: PolicySnapshot
  /** All that is wrong, by code. */
  readonly warnings: HealthState['Warnings']
  /** The person wants to see all warnings, the small ones too. */
  readonly unfolded: boolean
  readonly session: SessionPage | undefined
  /** The sign-in is good, also while it is being renewed. */
  readonly stillIn: boolean
  readonly profiles: ProfilesPage | undefined
  /** Pages that are asked for while somebody sees them (looks.ts). */
  readonly exitNodes: ExitNodesPage | undefined
  readonly routes: RoutesPage | undefined
  readonly blocked: BlockedPage | undefined
  readonly dns: DnsPage | undefined
  readonly forwards: ForwardsPage | undefined
  readonly proxies: ProxiesPage | undefined
  readonly trust: TrustPage | undefined
  readonly storage: StoragePage | undefined
  /** Files on their way; undefined until the engine has told of them, and again while it does not run. */
  readonly transfers: TransfersPage | undefined
  /** How much of this computer is on the network; the last word of an engine that ended. */
  readonly machine: MachinePage | undefined
  readonly trial: TrialPage
  /** When the change on trial is taken back, by this computer's clock in ms. */
  readonly trialEndsMs: number
  readonly transferTargets: TransferTargetsPage | undefined
  readonly taildropSettings: TaildropSettings | undefined
  /** The person asked here for a page to sign in, which has not opened yet: it will by itself. */
  readonly wantsPage: boolean
  /** Wall time of the last word from the engine, in ms. */
  readonly heardMs: number
  /** The clock that ages are counted from; moves once a second while the window is visible. */
  readonly nowMs: number
}

export const useSnapshot = create<Snapshot>(() => ({
  app: { engine: 'starting', sinceMs: 0, restarts: 0, host: 'web', platform: '', version: '', settings: DEFAULT_SETTINGS, languages: [], tray: 'none' },
  story: [],
  status: undefined,
  paths: undefined,
  pathsMs: 0,
  prefs: undefined,
  lastServer: '',
  policy: NO_POLICY,
  warnings: null,
  unfolded: false,
  session: undefined,
  stillIn: false,
  profiles: undefined,
  exitNodes: undefined,
  routes: undefined,
  blocked: undefined,
  dns: undefined,
  forwards: undefined,
  proxies: undefined,
  trust: undefined,
  storage: undefined,
  transfers: undefined,
  machine: undefined,
  trial: {},
  trialEndsMs: 0,
  transferTargets: undefined,
  taildropSettings: undefined,
  wantsPage: false,
  heardMs: 0,
  nowMs: Date.now(),
}))

const PATHS_EVERY_MS = 1000
/** A whole status is large in a large network, and small changes come on the bus. */
const STATUS_EVERY_MS = 2_000
const STATUS_EVERY_MS_LARGE = 30_000
const LARGE_NETWORK = 500
/** States of somebody who is signed in. */
const QUICK_STATES = ['Stopped', 'Starting', 'Running'] as const
/** Bursts of bus messages make one look at the status. */
const SETTLE_MS = 60
/** The same for news of single devices in a large network. */
const SETTLE_MS_LARGE = 10_000
/** After a session page that could not be had. */
const SESSION_RETRY_MS = 500

/** Connected or not is known from the bus alone; the rest of the status follows. */
function stateNow(notify: Notify): Partial<Snapshot> {
  const { status } = useSnapshot.getState()
  const next = QUICK_STATES.find((name) => STATE_NUMBER[name] === notify.State)
  const isQuick = status !== undefined && !notify.InitialStatus && next !== undefined && QUICK_STATES.some((name) => name === status.BackendState)
  return isQuick ? { status: { ...status, BackendState: next } } : {}
}

/** Whether a notify tells of other devices and of nothing else. */
function isOfDevices(notify: Notify): boolean {
  const { PeersChanged, PeersRemoved, PeerChangedPatch, State, Prefs, SelfChange, NetMap, LoginFinished, InitialStatus } = notify
  return Boolean(PeersChanged || PeersRemoved || PeerChangedPatch) && State === null && !Prefs && !SelfChange && !NetMap && !LoginFinished && !InitialStatus
}

/** Connects the store to a host; returns the way out. */
export function follow(api: BowlineApi): () => void {
  const set = useSnapshot.setState
  let statusTimer: ReturnType<typeof setTimeout> | undefined
  let statusDueMs = 0
  let lastLookMs = 0
  let stopped = false

  const lookAtStatus = async (): Promise<void> => {
    lastLookMs = Date.now()
    const answer = await api.call('status', {})
    if (!stopped && answer.ok) set((s) => ({ status: keepStatus(s.status, answer.value), heardMs: Date.now() }))
  }
  const isLarge = (): boolean => deviceCount(useSnapshot.getState().status) > LARGE_NETWORK
  /** After news that concerns us all; news of single devices may wait where a look is dear. */
  const soon = (ofDevices = false): void => {
    const wait = ofDevices && isLarge() ? Math.max(SETTLE_MS, lastLookMs + SETTLE_MS_LARGE - Date.now()) : SETTLE_MS
    const dueMs = Date.now() + wait
    if (statusTimer !== undefined && dueMs >= statusDueMs) return
    clearTimeout(statusTimer)
    statusDueMs = dueMs
    statusTimer = setTimeout(() => {
      statusTimer = undefined
      void lookAtStatus()
    }, wait)
  }
  const lookAtPaths = async (): Promise<void> => {
    const { status, stillIn: carrying } = useSnapshot.getState()
    if (document.hidden || !(status?.BackendState === 'Running' || carrying)) return
    const answer = await api.call('paths', isLarge() ? { active: true } : {})
    if (!stopped && answer.ok) set((s) => ({ paths: keepPaths(s.paths, answer.value), pathsMs: Date.now(), heardMs: Date.now() }))
  }
  const lookAtProfiles = async (): Promise<void> => {
    const answer = await api.call('profiles', {})
    if (!stopped && answer.ok) set({ profiles: answer.value })
  }
  const unNotify = api.onNotify((notify: Notify) => {
    set({
      heardMs: Date.now(),
      ...(notify.Prefs ? { prefs: notify.Prefs } : {}),
      ...(notify.Prefs?.ControlURL ? { lastServer: notify.Prefs.ControlURL } : {}),
      ...(notify.InitialStatus ? { status: keepStatus(useSnapshot.getState().status, notify.InitialStatus) } : {}),
      ...stateNow(notify),
      ...(notify.Policy ? { policy: notify.Policy } : {}),
      ...(notify.Health ? { warnings: notify.Health.Warnings } : {}),
      ...(notify.Machine ? { machine: notify.Machine } : {}),
      ...(notify.Trial ? { trial: notify.Trial, trialEndsMs: Date.now() + (notify.Trial.Trial?.LeftMs ?? 0) } : {}),
      ...(notify.Transfers ? { transfers: reduceTransfers(useSnapshot.getState().transfers ?? NO_TRANSFERS, notify.Transfers) } : {}),
    })
    if (!isOfFiles(notify)) soon(isOfDevices(notify))
    if (notify.Prefs || notify.LoginFinished || notify.SelfChange) void lookAtProfiles()
  })
  const unState = api.onAppState((app) => {
    const story = storyAfter(useSnapshot.getState().story, app, Date.now())
    set(app.engine === 'running' ? { app, story } : { app, story, paths: undefined, pathsMs: 0, transfers: undefined, trial: {} })
    if (app.engine !== 'running') return
    soon()
    void lookAtProfiles()
  })
  const followSession = async (): Promise<void> => {
    while (!stopped) {
      const after = useSnapshot.getState().session?.Version
      const answer = useSnapshot.getState().app.engine === 'running' ? await api.call('session', after === undefined ? {} : { after }) : undefined
      if (answer?.ok) set({ session: answer.value, stillIn: stillIn(useSnapshot.getState().stillIn, answer.value) })
      else await new Promise((resolve) => setTimeout(resolve, SESSION_RETRY_MS))
    }
  }
  void followSession()
  const tick = setInterval(() => {
    if (!document.hidden) set({ nowMs: Date.now() })
  }, 1000)
  const pathsTimer = setInterval(() => void lookAtPaths(), PATHS_EVERY_MS)
  const statusLook = setInterval(() => {
    const everyMs = isLarge() ? STATUS_EVERY_MS_LARGE : STATUS_EVERY_MS
    if (document.hidden || Date.now() - lastLookMs < everyMs - 100) return
    void lookAtStatus()
  }, STATUS_EVERY_MS)
  return () => {
    stopped = true
    unNotify()
    unState()
    clearTimeout(statusTimer)
    for (const timer of [tick, pathsTimer, statusLook]) clearInterval(timer)
  }
}

/** The person asks for a page to sign in: it opens by itself when its link is there. */
export function noteAsked(): void {
  useSnapshot.setState({ wantsPage: true })
}
