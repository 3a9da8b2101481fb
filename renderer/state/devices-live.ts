/**
 * The devices as components follow them, and the account's view of them, which is kept with the app's settings.
 */
import { useMemo } from 'react'
import { useShallow } from 'zustand/react/shallow'
import type { AccountView, Answer, BowlineApi } from '../../preload/contract.ts'
import { viewOf } from '../../main/localapi/app-settings.ts'
import { STALE_MS } from '../../main/words/states.ts'
import { DeviceTable, type Device } from './devices.ts'
import { useSnapshot, type Snapshot } from './store.ts'

const table = new DeviceTable()

/** Whether paths are what the engine says now: it runs, is connected, and spoke lately. */
export function isLive({ app, status, stillIn, pathsMs, nowMs }: Snapshot): boolean {
  return app.engine === 'running' && (status?.BackendState === 'Running' || stillIn) && !(pathsMs > 0 && nowMs - pathsMs > STALE_MS)
}

export function useDevices(): readonly Device[] {
  const [status, paths, live] = useSnapshot(useShallow((s) => [s.status, s.paths?.paths, isLive(s)] as const))
  return useMemo(() => table.look(status, paths, live), [status, paths, live])
}

export function useAccountView(): AccountView {
  return useSnapshot((s) => viewOf(s.app.settings, s.profiles?.current.ID))
}

let turn: Promise<unknown> = Promise.resolve()

/** Changes the view of the account in use, one change after another. */
export function editView(api: BowlineApi, change: (view: AccountView) => AccountView): Promise<Answer<unknown>> {
  const next = turn.then(async (): Promise<Answer<unknown>> => {
    const { app, profiles } = useSnapshot.getState()
    const id = profiles?.current.ID ?? ''
    const view = viewOf(app.settings, id)
    const changed = change(view)
    if (id === '' || changed === view) return { ok: true, value: null }
    const answer = await api.call('editSettings', { accounts: { [id]: changed } })
    // The host says it on its own too, a moment later; the next change must not start from what was before.
    if (answer.ok) useSnapshot.setState((s) => ({ app: { ...s.app, settings: answer.value } }))
    return answer
  })
  turn = next.catch(() => undefined)
  return next
}

const RECENT = 10

/** Puts a device at the head of those opened last. */
export function noteOpened(api: BowlineApi, device: string): void {
  void editView(api, (view) => (view.recent[0] === device ? view : { ...view, recent: [device, ...view.recent.filter((id) => id !== device)].slice(0, RECENT) }))
}
