/**
 * The two waits of a sign-in: for the person in their browser, and for an admin. What happened so far comes from the engine,
 * step by step, with times.
 */
import { ChevronDown, Copy, ExternalLink } from 'lucide-react'
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { age, safeText } from '../../main/words/format.ts'
import { adminLine, opensElsewhere, replacedLink, stepRows } from '../state/steps.ts'
import { noteAsked, useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { QrCode } from '../ui/QrCode.tsx'
import { useSignInPage } from '../ui/sign-in-page.ts'
import { StepList } from './StepList.tsx'

/** Without progress for this long the page offers to start over. */
const PATIENCE_MS = 60_000

export function WaitingForBrowser({ url }: { url: string }): ReactNode {
  const api = useApi()
  const [session, nowMs] = useSnapshot(useShallow((s) => [s.session, s.nowMs] as const))
  const page = useSignInPage(url)
  const steps = session?.Steps ?? []
  const waitedMs = session === undefined ? 0 : Math.max(0, nowMs - Date.parse(session.Since))
  const replaced = replacedLink(steps)
  const giveUp = async (): Promise<void> => {
    await api.call('editPrefs', { WantRunning: false, WantRunningSet: true })
  }
  const startOver = async (): Promise<void> => {
    await giveUp()
    noteAsked()
    await api.call('editPrefs', { WantRunning: true, WantRunningSet: true })
    await api.call('loginInteractive', {})
  }
  const hint = waitedMs > PATIENCE_MS
    ? <span role="status">Nothing has come back for {age(waitedMs)}. <button type="button" className="link" onClick={() => void startOver()}>Start over with a new link</button></span>
    : 'This window goes on by itself.'
  return (
    <>
      <h1 className="page-title">Waiting for your browser</h1>
      <p className="t2">{page.opened ? 'A page of your server has opened. Sign in there.' : 'Your server has a page to sign in. Open it, and sign in there.'}</p>
      <div className="waiting">
        <div className="grow">
          <StepList rows={stepRows(steps, nowMs)} hint={hint} />
          {replaced !== '' && <p className="t2 replaced" role="status">{replaced} Use the new one.</p>}
          {page.problem !== '' && <p role="alert" className="t2">{safeText(page.problem, 300)}</p>}
        </div>
        {opensElsewhere(url) && (
          <figure className="phone">
            <QrCode text={url} label="The link as a QR code" />
            <figcaption><span className="label">Or use your phone</span><span className="small t2">Scan, then sign in there.</span></figcaption>
          </figure>
        )}
      </div>
      <p className="well mono selectable link-line">{safeText(url, 300)}</p>
      <div className="buttons">
        <button type="button" className="button ink lg" onClick={() => void page.open()}><ExternalLink size={16} aria-hidden="true" />{page.opened ? 'Open the page again' : 'Open the page'}</button>
        <CopyButton text={url} className="button lg">Copy link</CopyButton>
        <button type="button" className="button ghost lg" onClick={() => void giveUp()}>Cancel</button>
      </div>
      <p className="small t2">To use another browser, or one on another device, copy the link into it.</p>
      <ForAdmin url={url} />
    </>
  )
}

/** Headscale's own way to let a device in, for networks without a sign-in page of their own. */
function ForAdmin({ url }: { url: string }): ReactNode {
  const line = adminLine(url)
  if (line === undefined) return null
  return (
    <details className="for-admin">
      <summary><ChevronDown size={14} strokeWidth={1.9} aria-hidden="true" />For your admin</summary>
      <p className="small t2">If the page asks you to hand over a code, send this line. It is good for this device only, and once.</p>
      <div className="well admin-line"><code className="mono selectable grow">{line}</code><CopyButton text={line} className="icon-button"><Copy size={14} strokeWidth={1.9} aria-hidden="true" /></CopyButton></div>
    </details>
  )
}

export function WaitingForApproval(): ReactNode {
  const api = useApi()
  const [status, session, nowMs] = useSnapshot(useShallow((s) => [s.status, s.session, s.nowMs] as const))
  const login = safeText(status?.User?.[String(status.Self.UserID)]?.LoginName ?? '')
  const rows = stepRows(session?.Steps ?? [], nowMs).filter((row) => row.key !== 'map-received')
  const waited = session === undefined ? '' : age(Math.max(0, nowMs - Date.parse(session.Since)))
  const name = safeText(status?.Self.HostName ?? '')
  const request = [`Please let this device in: ${name}`, `Key: ${status?.Self.PublicKey ?? ''}`, `Server: ${safeText(session?.Server ?? '', 200)}`, ...(login === '' ? [] : [`Account: ${login}`])].join('\n')
  return (
    <>
      <h1 className="page-title">Waiting for approval</h1>
      <p className="t2">You are signed in{login === '' ? '' : <> as <bdi>{login}</bdi></>}. An admin of your network has to let this device in.</p>
      <StepList hint="This window goes on by itself." rows={[
        ...rows.map((row) => ({ ...row, state: 'done' as const })),
        { key: 'approval', state: 'running', words: 'Waiting for approval', time: waited, at: '', why: '' },
        { key: 'list', state: 'pending', words: 'Got the list of devices', time: '', at: '', why: '' },
      ]} />
      <div className="buttons">
        <CopyButton text={request} className="button ink lg">Copy request for admin</CopyButton>
        <button type="button" className="button ghost lg" onClick={() => void api.call('logout', {})}>Sign out</button>
      </div>
      <p className="small t2">The request names this device, its key and its account. It holds no secret.</p>
    </>
  )
}
