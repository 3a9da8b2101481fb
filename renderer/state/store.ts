/**
 * One snapshot of the engine and its deltas: the whole state of the window besides what the person is typing.
 *
 * Facts come in from the host (`onNotify`, `onAppState`) and from two slow looks (status, paths) while the window is
 * visible; the page changes when they do, never before: there are no optimistic copies.
 */
import { create } from 'zustand'
import type { AppState, BowlineApi, Notify, PathsPage, Prefs, Status, Warning } from '../../preload/contract.ts'
import { problemIn, type Attempt, type Problem } from './sign-in.ts'

export interface Snapshot {
  readonly app: AppState
  readonly status: Status | undefined
  readonly paths: PathsPage | undefined
  readonly prefs: Prefs | undefined
  /** The server used last; signing out makes the engine forget it, and people come back to it. */
  readonly lastServer: string
  /** Since when the server cannot be reached. */
  readonly unreachable: Warning | undefined
  /** A sign-in that the person began here. */
  readonly attempt: Attempt | undefined
  /** What went wrong with it; stays while the engine tries again. */
  readonly problem: Problem | undefined
  /** Wall time of the last word from the engine, in ms. */
  readonly heardMs: number
  /** The clock that ages are counted from; moves once a second while the window is visible. */
  readonly nowMs: number
}

export const useSnapshot = create<Snapshot>(() => ({
  app: { engine: 'starting', sinceMs: 0, restarts: 0, host: 'web', platform: '' },
  status: undefined,
  paths: undefined,
  prefs: undefined,
  lastServer: '',
  unreachable: undefined,
  attempt: undefined,
  problem: undefined,
  heardMs: 0,
  nowMs: Date.now(),
}))

const PATHS_EVERY_MS = 1000
/** A whole status is large in a large network, and small changes come on the bus. */
const STATUS_EVERY_MS = 2_000
const STATUS_EVERY_MS_LARGE = 15_000
const LARGE_NETWORK = 500
/** Bursts of bus messages make one look at the status. */
const SETTLE_MS = 60

/** Connects the store to a host; returns the way out. */
export function follow(api: BowlineApi): () => void {
  const set = useSnapshot.setState
  let statusTimer: ReturnType<typeof setTimeout> | undefined
  let stopped = false

  const lookAtStatus = async (): Promise<void> => {
    const answer = await api.call('status', {})
    if (!stopped && answer.ok) set({ status: answer.value, heardMs: Date.now() })
  }
  const soon = (): void => {
    statusTimer ??= setTimeout(() => {
      statusTimer = undefined
      void lookAtStatus()
    }, SETTLE_MS)
  }
  const lookAtPaths = async (): Promise<void> => {
    if (document.hidden || useSnapshot.getState().status?.BackendState !== 'Running') return
    const answer = await api.call('paths', {})
    if (!stopped && answer.ok) set({ paths: answer.value, heardMs: Date.now() })
  }
  const unNotify = api.onNotify((notify: Notify) => {
    const problem = problemIn(notify)
    set({
      heardMs: Date.now(),
      ...(notify.Prefs ? { prefs: notify.Prefs } : {}),
      ...(notify.Prefs?.ControlURL ? { lastServer: notify.Prefs.ControlURL } : {}),
      ...(notify.InitialStatus ? { status: notify.InitialStatus } : {}),
      ...(notify.Health ? { unreachable: notify.Health.Warnings?.['not-in-map-poll'] } : {}),
      ...(problem ? { problem } : {}),
      ...(notify.BrowseToURL || notify.LoginFinished ? { problem: undefined } : {}),
      ...(notify.LoginFinished ? { attempt: undefined } : {}),
    })
    soon()
  })
  const unState = api.onAppState((app) => {
    set(app.engine === 'running' ? { app } : { app, paths: undefined })
    if (app.engine === 'running') soon()
  })
  const tick = setInterval(() => {
    if (!document.hidden) set({ nowMs: Date.now() })
  }, 1000)
  const pathsTimer = setInterval(() => void lookAtPaths(), PATHS_EVERY_MS)
  let lastLookMs = 0
  const statusLook = setInterval(() => {
    const peers = useSnapshot.getState().status?.Peer
    const everyMs = peers && Object.keys(peers).length > LARGE_NETWORK ? STATUS_EVERY_MS_LARGE : STATUS_EVERY_MS
    if (document.hidden || Date.now() - lastLookMs < everyMs - 100) return
    lastLookMs = Date.now()
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

/** A new try to sign in begins: what was wrong before no longer counts. `undefined` = the person gave up. */
export function setAttempt(attempt: Attempt | undefined): void {
  useSnapshot.setState({ attempt, problem: undefined })
}
