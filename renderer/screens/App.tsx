/**
 * Chooses the screen: sign-in pages fill the window; otherwise the sidebar with a place beside it.
 */
import { useEffect, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { useExitNodes, useLook } from '../state/looks.ts'
import { useRoute, type Route } from '../state/route.ts'
import { t } from '../../main/words/words.ts'
import { headline, type Headline } from '../../main/words/states.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { Devices } from './Devices.tsx'
import { Diagnose } from './Diagnose.tsx'
import { ExitNodes } from './ExitNodes.tsx'
import { Notices } from './Notices.tsx'
import { Overlays } from './Overlays.tsx'
import { Settings } from './Settings.tsx'
import { Sidebar } from './Sidebar.tsx'
import { SignIn, useSignInScreen } from './SignIn.tsx'
import { Small } from './Small.tsx'
import { Transfers } from './Transfers.tsx'
import { TrialLayer } from './TrialDialog.tsx'

const PROXIES_EVERY_MS = 30_000

export function App(): ReactNode {
  const api = useApi()
  const [app, status, exit, machine] = useSnapshot(useShallow((s) => [s.app, s.status, s.exitNodes, s.machine] as const))
  const route = useRoute()
  const head = headline(app, status, exit, machine)
  const isSignIn = useSignInScreen()
  useExitNodes(api)
  useLook(api, 'proxies', PROXIES_EVERY_MS, status?.BackendState)
  useEffect(() => api.onCommand((command) => {
    if (command.kind === 'go') window.location.hash = command.hash
  }), [api])
  useEffect(() => {
    document.title = t('frame.title', { words: head.words })
  }, [head.words])
  if (route.place === 'small') return <><Small head={head} /><TrialLayer /></>
  return (
    <>
      <SpokenHeadline head={head} />
      {isSignIn ? (
        <SignIn />
      ) : (
        <div className="window">
          <Sidebar head={head} place={route.place} />
          <main className="place" data-region="">
            <Notices head={head} />
            <PlaceOf route={route} />
          </main>
          <Overlays />
          <TrialLayer />
        </div>
      )}
    </>
  )
}

/** Said aloud: "not connected" at once, the rest in its turn. Blocked internet and a stopped engine are said by their notices. */
function SpokenHeadline({ head: { tone, words } }: { head: Headline }): ReactNode {
  const isUrgent = tone === 'disconnected'
  return (
    <>
      <p className="sr-only" role="status">{isUrgent ? '' : words}</p>
      <p className="sr-only" role="alert">{isUrgent ? words : ''}</p>
    </>
  )
}

function PlaceOf({ route }: { route: Route }): ReactNode {
  switch (route.place) {
    case 'exit-nodes':
      return <ExitNodes />
    case 'transfers':
      return <Transfers />
    case 'diagnose':
      return <Diagnose />
    case 'settings':
      return <Settings page={route.page} />
    case 'devices':
    case 'small':
      return <Devices />
  }
}
