/**
 * Sign-in fills the window: one field for the server's address, the wait for the browser, the wait for approval.
 */
import { CircleAlert } from 'lucide-react'
import { useRef, useState, type FormEvent, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { accountRows } from '../state/accounts.ts'
import { reportFor, signInView, type Problem } from '../state/sign-in.ts'
import { age } from '../../main/words/format.ts'
import { serverUrl } from '../state/server-url.ts'
import { serverName } from '../state/steps.ts'
import { noteAsked, useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { Mark } from '../ui/PathGlyph.tsx'
import { Rope } from '../ui/Rope.tsx'
import { WaitingForApproval, WaitingForBrowser } from './Waiting.tsx'

/** Without an answer for this long the person is told so. */
const SLOW_MS = 5000

export function SignIn(): ReactNode {
  const [status, session, nowMs] = useSnapshot(useShallow((s) => [s.status, s.session, s.nowMs] as const))
  if (!status) return null
  const view = signInView(status, session, nowMs)
  return (
    <main className={`sign-in ${view.kind === 'form' ? 'welcome' : ''} ${view.kind === 'browser' ? 'wide' : ''}`}>
      <div className="sign-in-box">
        <div className="sign-in-brand"><Mark size={28} />{view.kind === 'form' || !session ? 'Bowline' : <bdi>{serverName(session.Server)}</bdi>}</div>
        {view.kind === 'form' && <Welcome busyMs={view.busyMs} problem={view.problem} />}
        {view.kind === 'browser' && <WaitingForBrowser url={view.url} />}
        {view.kind === 'approval' && <WaitingForApproval />}
        <OtherAccounts />
      </div>
      {view.kind === 'form' && <Rope />}
    </main>
  )
}

/** What the person typed is no address or no key: it never left the window. */
function typed(what: string, next: string): Problem {
  return { what, next, action: 'none', code: 'bad-argument', retryAtMs: undefined }
}

function Welcome({ busyMs, problem }: { busyMs: number | undefined; problem: Problem | undefined }): ReactNode {
  const api = useApi()
  const server = useSnapshot((s) => s.prefs?.ControlURL || s.lastServer)
  const [text, setText] = useState<string>()
  const [authKey, setAuthKey] = useState('')
  const [withKey, setWithKey] = useState(problem?.action === 'new-auth-key')
  const [sending, setSending] = useState(false)
  const [error, setError] = useState<Problem>()
  const form = useRef<HTMLFormElement>(null)
  const value = text ?? server
  const busy = sending || busyMs !== undefined
  const shown = error ?? (busy ? undefined : problem)

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    const url = serverUrl(value)
    if (url === undefined) return setError(typed('That is no server address.', 'It looks like https://headscale.example.com.'))
    if (withKey && authKey.trim() === '') return setError(typed('The auth key is missing.', 'Paste the key that your admin gave you.'))
    setError(undefined)
    setSending(true)
    noteAsked()
    const set = await api.call('editPrefs', { ControlURL: url, ControlURLSet: true, WantRunning: true, WantRunningSet: true })
    const started = set.ok ? await api.call('start', withKey ? { AuthKey: authKey.trim() } : {}) : set
    const login = started.ok && !withKey ? await api.call('loginInteractive', {}) : started
    setSending(false)
    setAuthKey('')
    if (!login.ok) setError(typed(login.message, ''))
  }
  const cancel = async (): Promise<void> => {
    await api.call('editPrefs', { WantRunning: false, WantRunningSet: true })
  }
  return (
    <>
      <h1 className="display">Join your network</h1>
      <p className="t2 lead">Type the address of your Headscale server.</p>
      <form ref={form} className="stack" onSubmit={(event) => void submit(event)} noValidate>
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
          <button type="submit" className="button ink lg" disabled={busy || value.trim() === ''} aria-busy={busy}>{busy ? 'Reaching the server' : shown ? 'Try again' : 'Sign in'}</button>
          {busyMs !== undefined ? <button type="button" className="button ghost lg" onClick={() => void cancel()}>Cancel</button>
            : shown && needsHelp(shown) ? <CopyReport problem={shown} server={value} />
            : <button type="button" className="button ghost lg" onClick={() => setWithKey(!withKey)}>{withKey ? 'Sign in with the browser' : 'I have an auth key'}</button>}
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

/** Whether somebody else has to act, who must be told what is wrong. */
function needsHelp({ action }: Problem): boolean {
  return action === 'ask-admin' || action === 'trust-certificate'
}

function CopyReport({ problem, server }: { problem: Problem; server: string }): ReactNode {
  const [device, nowMs] = useSnapshot(useShallow((s) => [s.prefs?.Hostname || s.status?.Self.HostName || '', s.nowMs] as const))
  return <CopyButton text={reportFor(problem, server, device, nowMs)} className="button lg">Copy report for admin</CopyButton>
}

function ProblemLine({ problem }: { problem: Problem }): ReactNode {
  return (
    <div className="problem">
      <CircleAlert size={16} strokeWidth={1.9} aria-hidden="true" />
      <p><span className="problem-what selectable">{problem.what}</span> <span className="t2">{problem.next}</span></p>
    </div>
  )
}

/** Accounts that wait on this computer while another one is being added. */
function OtherAccounts(): ReactNode {
  const api = useApi()
  const profiles = useSnapshot((s) => s.profiles)
  const rows = accountRows(profiles).filter((row) => !row.current)
  if (rows.length === 0) return null
  return (
    <nav className="other-accounts" aria-label="Other accounts of this computer">
      <p className="label">Or go back to</p>
      <ul className="plain">
        {rows.map((row) => (
          <li key={row.id}>
            <button type="button" className="menu-item" onClick={() => void api.call('switchProfile', { id: row.id })}>
              <span className="account-square" aria-hidden="true">{initial(row.name)}</span>
              <span className="cut-box grow"><span className="cut strong-2"><bdi>{row.name}</bdi></span><span className="cut small t2"><bdi>{row.where}</bdi></span></span>
            </button>
          </li>
        ))}
      </ul>
    </nav>
  )
}

/** The letter on an account's square. */
export function initial(name: string): string {
  return String.fromCodePoint(name.codePointAt(0) ?? 0x42).toUpperCase()
}
