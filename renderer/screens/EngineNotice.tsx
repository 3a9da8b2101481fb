/**
 * What is wrong above the place, in one sentence with one next step: engine stopped, sign-in ended, health warnings.
 */
import { CircleAlert, ExternalLink, LogIn, TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { clockTime, safeText } from '../state/format.ts'
import { useSnapshot } from '../state/store.ts'
import { networkName, type Headline } from '../state/words.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { useSignInPage } from '../ui/sign-in-page.ts'

export function EngineNotice({ head }: { head: Headline }): ReactNode {
  const [app, status] = useSnapshot(useShallow((s) => [s.app, s.status] as const))
  if (head.tone === 'error') {
    const network = networkName(status)
    return (
      <div className="notice bad" role="alert">
        <TriangleAlert size={20} strokeWidth={1.7} aria-hidden="true" />
        <div className="grow">
          <p className="strong-3">{app.engine === 'running' ? `${head.words}.` : `${head.words === 'Engine stopped' ? 'The engine stopped' : head.words}, so you are not connected.`}</p>
          <p className="t2">Nothing reaches <bdi>{network || 'your network'}</bdi> until it runs again. You stay signed in.</p>
          <p className="t2">{safeText(head.more ?? '', 300)}{app.restarts > 0 ? ` Started again ${app.restarts} ${app.restarts === 1 ? 'time' : 'times'} so far.` : ''}</p>
        </div>
        <span className="small t2 num">since {clockTime(app.sinceMs)}</span>
      </div>
    )
  }
  if (status?.BackendState === 'NeedsLogin') return <SignInNotice url={status.AuthURL} expired={status.Self.Expired === true} />
  const warnings = status?.Health ?? []
  if (warnings.length === 0 || status?.BackendState === 'Stopped') return null
  return (
    <div className="notice" role="status">
      <CircleAlert size={20} strokeWidth={1.7} aria-hidden="true" />
      <ul className="plain grow">{warnings.slice(0, 3).map((text) => <li key={text}>{safeText(text, 300)}</li>)}</ul>
    </div>
  )
}

/** The list stays below it: who is signed out still sees what was there. */
function SignInNotice({ url, expired }: { url: string; expired: boolean }): ReactNode {
  const api = useApi()
  const page = useSignInPage(url)
  return (
    <div className="notice warn" role="alert">
      <CircleAlert size={20} strokeWidth={1.7} aria-hidden="true" />
      <div className="grow">
        <p className="strong-3">{expired ? 'Your sign-in has ended.' : 'You are signed out.'} Nothing gets through until you sign in again.</p>
        {url !== '' && <p className="t2">{page.opened ? 'A page of your server has opened.' : 'Your server has a page to sign in.'} This window goes on by itself.{page.problem === '' ? '' : ` ${safeText(page.problem, 200)}`}</p>}
      </div>
      {url === '' ? (
        <button type="button" className="button ink" onClick={() => void api.call('loginInteractive', {})}><LogIn size={16} aria-hidden="true" />Sign in</button>
      ) : (
        <>
          <button type="button" className="button ink" onClick={() => void page.open()}><ExternalLink size={16} aria-hidden="true" />{page.opened ? 'Open the page again' : 'Open the page'}</button>
          <CopyButton text={url} className="button">Copy link</CopyButton>
        </>
      )}
    </div>
  )
}
