/**
 * The two waits of a sign-in: for the person in their browser, and for an admin.
 */
import { Check, Copy, ExternalLink } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import { age, safeText } from '../state/format.ts'
import { setAttempt, useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { useSignInPage } from '../ui/sign-in-page.ts'

/** Without progress for this long the page offers to start over. */
const PATIENCE_MS = 60_000

function useWaitedMs(): number {
  const nowMs = useSnapshot((s) => s.nowMs)
  const [sinceMs] = useState(() => Date.now())
  return Math.max(0, nowMs - sinceMs)
}

export function WaitingForBrowser({ url }: { url: string }): ReactNode {
  const api = useApi()
  const waitedMs = useWaitedMs()
  const page = useSignInPage(url)
  const giveUp = async (): Promise<void> => {
    setAttempt(undefined)
    await api.call('editPrefs', { WantRunning: false, WantRunningSet: true })
  }
  const startOver = async (): Promise<void> => {
    await giveUp()
    setAttempt({ sinceMs: Date.now() })
    await api.call('editPrefs', { WantRunning: true, WantRunningSet: true })
    await api.call('loginInteractive', {})
  }
  return (
    <>
      <h1 className="page-title">Waiting for your browser</h1>
      <p className="t2">{page.opened ? 'A page of your server has opened.' : 'Your server has a page to sign in.'} Sign in there: this window goes on by itself.</p>
      <ol className="plain steps">
        <Step state="done">Reached the server</Step>
        <Step state="done">Got the sign-in link</Step>
        <Step state="now" time={age(waitedMs)}>Waiting for you to sign in</Step>
        <Step state="later">Got the list of devices</Step>
      </ol>
      <p className="well mono selectable">{safeText(url, 300)}</p>
      {page.problem !== '' && <p role="alert" className="t2">{safeText(page.problem, 300)}</p>}
      {waitedMs > PATIENCE_MS && <p className="t2" role="status">Nothing has come back for {age(waitedMs)}. <button type="button" className="link" onClick={() => void startOver()}>Start over with a new link</button></p>}
      <div className="buttons">
        <button type="button" className="button ink lg" onClick={() => void page.open()}><ExternalLink size={16} aria-hidden="true" />{page.opened ? 'Open the page again' : 'Open the page'}</button>
        <CopyButton text={url} className="button lg">Copy link</CopyButton>
        <button type="button" className="button ghost lg" onClick={() => void giveUp()}>Cancel</button>
      </div>
      <ForAdmin url={url} />
    </>
  )
}

function Step({ state, time, children }: { state: 'done' | 'now' | 'later'; time?: string; children: string }): ReactNode {
  return (
    <li className={`step ${state}`} {...(state === 'now' ? { 'aria-current': 'step' as const } : {})}>
      <span className="step-mark" aria-hidden="true">{state === 'done' && <Check size={12} strokeWidth={2.4} />}</span>
      <span className="grow">{children}{state === 'done' && <span className="sr-only">, done</span>}</span>
      {time !== undefined && <span className="t3 num small">{time}</span>}
    </li>
  )
}

/** Headscale's own way to let a device in, for networks without a sign-in page of their own. */
function ForAdmin({ url }: { url: string }): ReactNode {
  const id = /\/register\/([\w:-]{8,120})$/.exec(url)?.[1]
  if (id === undefined) return null
  // Since 0.29 Headscale's requests carry a name of their own; before that the link holds a bare key.
  const line = id.startsWith('hskey-') ? `headscale auth register --user NAME --auth-id ${id}` : `headscale nodes register --user NAME --key ${id}`
  return (
    <details className="for-admin">
      <summary>For your admin</summary>
      <p className="small t2">If the page asks you to hand over a code, send this line. It is good for this device only, and once.</p>
      <div className="well admin-line"><code className="mono selectable grow">{line}</code><CopyButton text={line} className="icon-button"><Copy size={14} strokeWidth={1.9} aria-hidden="true" /></CopyButton></div>
    </details>
  )
}

export function WaitingForApproval(): ReactNode {
  const api = useApi()
  const waitedMs = useWaitedMs()
  return (
    <>
      <h1 className="page-title">Waiting for approval</h1>
      <p className="t2">You are signed in. An admin of your network has to let this device in. This window goes on by itself.</p>
      <ol className="plain steps">
        <Step state="done">Signed in</Step>
        <Step state="now" time={age(waitedMs)}>Waiting for approval</Step>
        <Step state="later">Got the list of devices</Step>
      </ol>
      <div className="buttons"><button type="button" className="button lg" onClick={() => void api.call('logout', {})}>Sign out</button></div>
    </>
  )
}
