/**
 * Chooses the screen: sign-in pages fill the window; otherwise the sidebar with a place beside it.
 */
import { useEffect, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { useExitNodes, useLook } from '../state/looks.ts'
import { goTo, goToPlace, useRoute } from '../state/route.ts'
import { needsSignIn } from '../state/sign-in.ts'
import { headline } from '../../main/words/states.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { Devices } from './Devices.tsx'
import { ExitNodes } from './ExitNodes.tsx'
import { Sidebar } from './Sidebar.tsx'
import { SignIn } from './SignIn.tsx'
import { Notices } from './Notices.tsx'

const PROXIES_EVERY_MS = 30_000

export function App(): ReactNode {
  const api = useApi()
  const [app, status, exit] = useSnapshot(useShallow((s) => [s.app, s.status, s.exitNodes] as const))
  const route = useRoute()
  const head = headline(app, status, exit)
  useExitNodes(api)
  useLook(api, 'proxies', PROXIES_EVERY_MS, status?.BackendState)
  usePlaceKeys()
  useEffect(() => {
    document.title = `Bowline: ${head.words}`
  }, [head.words])
  return (
    <>
      <p className="sr-only" role="status">{head.words}</p>
      {needsSignIn(status) && app.engine === 'running' ? (
        <SignIn />
      ) : (
        <div className="window">
          <Sidebar head={head} place={route.place} />
          <main className="place">
            <Notices head={head} />
            {route.place === 'exit-nodes' ? <ExitNodes /> : <Devices />}
          </main>
        </div>
      )}
    </>
  )
}

/** Ctrl or Command with E opens the exit nodes, with 1 and 2 the places in their order. */
function usePlaceKeys(): void {
  useEffect(() => {
    const go = (event: KeyboardEvent): void => {
      if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || document.querySelector('dialog[open]')) return
      const key = event.key.toLowerCase()
      if (key !== '1' && key !== '2' && key !== 'e') return
      event.preventDefault()
      if (key === '1') goTo(undefined)
      else goToPlace('exit-nodes')
    }
    window.addEventListener('keydown', go)
    return () => window.removeEventListener('keydown', go)
  }, [])
}
