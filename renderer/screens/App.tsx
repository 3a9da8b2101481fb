/**
 * Chooses the screen: sign-in pages fill the window; otherwise the sidebar with a place beside it.
 */
import { useEffect, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { needsSignIn } from '../state/sign-in.ts'
import { headline } from '../state/words.ts'
import { useSnapshot } from '../state/store.ts'
import { Devices } from './Devices.tsx'
import { Sidebar } from './Sidebar.tsx'
import { SignIn } from './SignIn.tsx'
import { Notices } from './Notices.tsx'

export function App(): ReactNode {
  const [app, status] = useSnapshot(useShallow((s) => [s.app, s.status] as const))
  const head = headline(app, status)
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
          <Sidebar head={head} />
          <main className="place">
            <Notices head={head} />
            <Devices />
          </main>
        </div>
      )}
    </>
  )
}
