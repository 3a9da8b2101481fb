/**
 * What stands above the place: an engine that stopped, else the sign-in when it needs a person, else the list of warnings.
 */
import { TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { chosenName } from '../state/exit-nodes.ts'
import { clockTime, safeText } from '../../main/words/format.ts'
import { useSnapshot } from '../state/store.ts'
import { networkName, type Headline } from '../../main/words/states.ts'
import { ExitNotice } from './ExitNotice.tsx'
import { HealthList } from './HealthList.tsx'
import { InAppNotices } from './InAppNotices.tsx'
import { SignInNotice } from './SignInNotice.tsx'

export function Notices({ head }: { head: Headline }): ReactNode {
  const status = useSnapshot((s) => s.status)
  if (head.tone === 'error') return <EngineNotice head={head} />
  if (!status || status.BackendState === 'Stopped') return <InAppNotices />
  return (
    <>
      <SignInNotice status={status} />
      <ExitNotice />
      <HealthList />
      <InAppNotices />
    </>
  )
}

function EngineNotice({ head }: { head: Headline }): ReactNode {
  const [app, status, exit] = useSnapshot(useShallow((s) => [s.app, s.status, s.exitNodes] as const))
  const network = networkName(status)
  const exitName = exit && exit.Chosen.Kind !== 'none' ? chosenName(exit) : ''
  return (
    <div className="notice bad" role="alert">
      <TriangleAlert size={20} strokeWidth={1.7} aria-hidden="true" />
      <div className="grow">
        <p className="strong-3">{app.engine === 'running' ? `${head.words}.` : `${head.words === 'Engine stopped' ? 'The engine stopped' : head.words}, so you are not connected.`}</p>
        <p className="t2">Nothing reaches <bdi>{network || 'your network'}</bdi> until it runs again. You stay signed in.{exitName === '' ? '' : <> Apps that go through <bdi>{exitName}</bdi> are blocked until then.</>}</p>
        <p className="t2">{safeText(head.more ?? '', 300)}{app.restarts > 0 ? ` Started again ${app.restarts} ${app.restarts === 1 ? 'time' : 'times'} so far.` : ''}</p>
      </div>
      <span className="small t2 num">since {clockTime(app.sinceMs)}</span>
    </div>
  )
}
