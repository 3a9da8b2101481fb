/**
 * Sign-in fills the window: one field for the server's address, the wait for the browser, the wait for approval.
 */
import { CircleAlert } from 'lucide-react'
import { useState, type FormEvent, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import type { Problem } from '../state/sign-in.ts'
import { signInView } from '../state/sign-in.ts'
import { age } from '../state/format.ts'
import { serverUrl } from '../state/server-url.ts'
import { setAttempt, useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { Mark } from '../ui/PathGlyph.tsx'
import { Rope } from '../ui/Rope.tsx'
import { WaitingForApproval, WaitingForBrowser } from './Waiting.tsx'

/** Without an answer for this long the person is told so. */
const SLOW_MS = 5000

export function SignIn(): ReactNode {
  const [status, attempt, problem, nowMs] = useSnapshot(useShallow((s) => [s.status, s.attempt, s.problem, s.nowMs] as const))
  if (!status) return null
  const view = signInView(status, attempt, problem, nowMs)
  return (
    <main className={`sign-in ${view.kind === 'form' ? 'welcome' : ''}`}>
      <div className="sign-in-box">
        <div className="sign-in-brand"><Mark size={28} />Bowline</div>
        {view.kind === 'form' && <Welcome busyMs={view.busyMs} problem={view.problem} />}
        {view.kind === 'browser' && <WaitingForBrowser url={view.url} />}
        {view.kind === 'approval' && <WaitingForApproval />}
      </div>
      {view.kind === 'form' && <Rope />}
    </main>
  )
}

function Welcome({ busyMs, problem }: { busyMs: number | undefined; problem: Problem | undefined }): ReactNode {
  const api = useApi()
  const server = useSnapshot((s) => s.prefs?.ControlURL || s.lastServer)
  const [text, setText] = useState<string>()
  const [authKey, setAuthKey] = useState('')
  const [withKey, setWithKey] = useState(false)
  const [sending, setSending] = useState(false)
  const [error, setError] = useState<Problem>()
  const value = text ?? server
  const busy = sending || busyMs !== undefined
  const shown = error ?? (busy ? undefined : problem)

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    const url = serverUrl(value)
    if (url === undefined) return setError({ what: 'That is no server address.', next: 'It looks like https://headscale.example.com.' })
    if (withKey && authKey.trim() === '') return setError({ what: 'The auth key is missing.', next: 'Paste the key that your admin gave you.' })
    setError(undefined)
    setSending(true)
    const set = await api.call('editPrefs', { ControlURL: url, ControlURLSet: true, WantRunning: true, WantRunningSet: true })
    setAttempt({ sinceMs: Date.now() })
    const started = set.ok ? await api.call('start', withKey ? { AuthKey: authKey.trim() } : {}) : set
    const login = started.ok && !withKey ? await api.call('loginInteractive', {}) : started
    setSending(false)
    setAuthKey('')
    if (login.ok) return
    setAttempt(undefined)
    setError({ what: login.message, next: '' })
  }
  const cancel = async (): Promise<void> => {
    setAttempt(undefined)
    await api.call('editPrefs', { WantRunning: false, WantRunningSet: true })
  }
  return (
    <>
      <h1 className="display">Join your network</h1>
      <p className="t2 lead">Type the address of your Headscale server.</p>
      <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
        <label className="label" htmlFor="server">Server address</label>
        <input id="server" className="field lg" value={value} onChange={(event) => setText(event.target.value)} placeholder="https://headscale.example.com" inputMode="url"
          autoComplete="url" autoCapitalize="off" spellCheck={false} readOnly={busy} aria-describedby="sign-in-problem" aria-invalid={shown !== undefined} />
        {withKey && (
          <>
            <label className="label" htmlFor="auth-key">Auth key</label>
            <input id="auth-key" className="field lg" type="password" value={authKey} onChange={(event) => setAuthKey(event.target.value)} autoComplete="off" spellCheck={false} readOnly={busy} />
          </>
        )}
        <div id="sign-in-problem" role="alert">{shown && <ProblemLine problem={shown} />}</div>
        <div className="buttons sign-in-buttons">
          <button type="submit" className="button ink lg" disabled={busy || value.trim() === ''} aria-busy={busy}>{busy ? 'Reaching the server' : problem ? 'Try again' : 'Sign in'}</button>
          {busyMs === undefined ? (
            <button type="button" className="button ghost lg" onClick={() => setWithKey(!withKey)}>{withKey ? 'Sign in with the browser' : 'I have an auth key'}</button>
          ) : (
            <button type="button" className="button ghost lg" onClick={() => void cancel()}>Cancel</button>
          )}
        </div>
        <p className="small t2 quiet-line" role="status">{busyMs !== undefined && busyMs >= SLOW_MS ? `No answer for ${age(busyMs)}. It is tried a little longer; the address may be wrong.` : ''}</p>
      </form>
      <div className="sign-in-foot">
        <p className="label">No admin rights needed</p>
        <p className="small t2">Runs for your account only, beside any other VPN.</p>
      </div>
    </>
  )
}

function ProblemLine({ problem }: { problem: Problem }): ReactNode {
  return (
    <div className="problem">
      <CircleAlert size={16} strokeWidth={1.9} aria-hidden="true" />
      <p><span className="problem-what selectable">{problem.what}</span> <span className="t2">{problem.next}</span></p>
    </div>
  )
}
