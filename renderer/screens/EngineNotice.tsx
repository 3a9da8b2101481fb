/**
 * What is wrong above the place, in one sentence with one next step: engine stopped, sign-in ended, health warnings.
 */
import { CircleAlert, LogIn } from 'lucide-react'
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { clockTime, safeText } from '../state/format.ts'
import { useSnapshot } from '../state/store.ts'
import type { Headline } from '../state/words.ts'
import { useApi } from '../ui/ApiContext.tsx'

export function EngineNotice({ head }: { head: Headline }): ReactNode {
  const api = useApi()
  const [app, status] = useSnapshot(useShallow((s) => [s.app, s.status] as const))
  if (head.tone === 'error') {
    return (
      <div className="notice bad" role="alert">
        <CircleAlert size={20} strokeWidth={1.7} aria-hidden="true" />
        <div>
          <p className="strong-3">{head.words} at {clockTime(app.sinceMs)}. Nothing gets through until it runs again.</p>
          <p className="t2">{safeText(head.more ?? '', 300)}{app.restarts > 0 ? ` Started again ${app.restarts} ${app.restarts === 1 ? 'time' : 'times'} so far.` : ''}</p>
        </div>
      </div>
    )
  }
  if (status?.BackendState === 'NeedsLogin') {
    return (
      <div className="notice warn" role="alert">
        <CircleAlert size={20} strokeWidth={1.7} aria-hidden="true" />
        <p className="grow strong-3">{status.Self.Expired ? 'Your sign-in has ended.' : 'You are signed out.'} Nothing gets through until you sign in again.</p>
        <button type="button" className="button ink" onClick={() => void api.call('loginInteractive', {})}><LogIn size={16} aria-hidden="true" />Sign in</button>
      </div>
    )
  }
  const warnings = status?.Health ?? []
  if (warnings.length === 0) return null
  return (
    <div className="notice" role="status">
      <CircleAlert size={20} strokeWidth={1.7} aria-hidden="true" />
      <ul className="plain grow">{warnings.slice(0, 3).map((text) => <li key={text}>{safeText(text, 300)}</li>)}</ul>
    </div>
  )
}
