/**
 * What stands above the place: an engine that stopped, else the sign-in when it needs a person, else the list of warnings.
 */
import type { ReactNode } from 'react'
import { useSnapshot } from '../state/store.ts'
import type { Headline } from '../../main/words/states.ts'
import { EngineStopped, OtherVersion } from './EngineStopped.tsx'
import { ExitNotice } from './ExitNotice.tsx'
import { HealthList } from './HealthList.tsx'
import { InAppNotices } from './InAppNotices.tsx'
import { Joined } from './Joined.tsx'
import { SignInNotice } from './SignInNotice.tsx'

export function Notices({ head }: { head: Headline }): ReactNode {
  const status = useSnapshot((s) => s.status)
  if (head.tone === 'error') return <EngineStopped />
  if (!status || status.BackendState === 'Stopped') return <><OtherVersion /><InAppNotices /></>
  return (
    <>
      <OtherVersion />
      <Joined />
      <SignInNotice status={status} />
      <ExitNotice />
      <HealthList />
      <InAppNotices />
    </>
  )
}
