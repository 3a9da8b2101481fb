/**
 * Pages of the engine that no bus carries: asked again while somebody sees them, and after each change that a control made. An
 * answer that came after a newer one was asked for is dropped.
 */
import { useEffect } from 'react'
import type { Answer, BlockedPage, BowlineApi, DnsPage, ExitNodesPage, ForwardsPage, ProxiesPage, RoutesPage, StoragePage, TaildropSettings, TransferTargetsPage, TrustPage } from '../../preload/contract.ts'
import { shown } from './shown.ts'
import { useSnapshot, type Snapshot } from './store.ts'

interface Looks {
  routes: RoutesPage
  blocked: BlockedPage
  dns: DnsPage
  forwards: ForwardsPage
  proxies: ProxiesPage
  trust: TrustPage
  storage: StoragePage
  transferTargets: TransferTargetsPage
  taildropSettings: TaildropSettings
}

const asked = new Map<keyof Looks, number>()

/** Asks for a page and puts it into the snapshot; the answer says whether it came. */
export async function look(api: BowlineApi, name: keyof Looks): Promise<Answer<unknown>> {
  const turn = (asked.get(name) ?? 0) + 1
  asked.set(name, turn)
  const answer = await api.call(name, {})
  if (answer.ok && asked.get(name) === turn) useSnapshot.setState({ [name]: answer.value } satisfies Partial<Record<keyof Looks, unknown>> as Partial<Snapshot>)
  return answer
}

/** Keeps a page fresh while the caller is on screen and the engine runs; a change of `sign` makes it look at once. */
export function useLook(api: BowlineApi, name: keyof Looks, everyMs: number, sign?: string): void {
  const running = useSnapshot((s) => s.app.engine === 'running')
  useEffect(() => {
    if (!running) return undefined
    void look(api, name)
    const timer = setInterval(() => {
      if (!document.hidden) void look(api, name)
    }, everyMs)
    return () => clearInterval(timer)
  }, [api, name, everyMs, running, sign])
}

const PACE_MS = 500
const RETRY_MS = 1000

/** Keeps the page of exit nodes as the engine has it, while the window is seen: each question is held back until there is news. */
export function useExitNodes(api: BowlineApi): void {
  const running = useSnapshot((s) => s.app.engine === 'running')
  useEffect(() => {
    if (!running) return undefined
    let stopped = false
    const follow = async (): Promise<void> => {
      let after: number | undefined
      while (!stopped) {
        if (document.hidden) await shown()
        const answer = await api.call('exitNodes', after === undefined ? {} : { after })
        if (stopped) return
        if (answer.ok) {
          takeExitNodes(answer.value, after === undefined)
          after = answer.value.Version
        }
        await new Promise((resolve) => setTimeout(resolve, answer.ok ? PACE_MS : RETRY_MS))
      }
    }
    void follow()
    return () => {
      stopped = true
    }
  }, [api, running])
}

/** Takes a page, unless a later one is known already; `isFirst` = of an engine that has told none before. */
export function takeExitNodes(page: ExitNodesPage, isFirst = false): void {
  const known = useSnapshot.getState().exitNodes
  if (isFirst || !known || page.Version >= known.Version) useSnapshot.setState({ exitNodes: page })
}
