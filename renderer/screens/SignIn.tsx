/**
 * Sign-in fills the window: one field for the server's address, then the wait for the browser with the link beside it.
 */
import { Copy, ExternalLink } from 'lucide-react'
import { useEffect, useRef, useState, type FormEvent, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { age, safeText } from '../state/format.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { Mark } from '../ui/PathGlyph.tsx'

export function SignIn(): ReactNode {
  const [status, browseUrl] = useSnapshot(useShallow((s) => [s.status, s.browseUrl] as const))
  const url = status?.AuthURL || browseUrl
  return (
    <main className="sign-in">
      <div className="sign-in-box">
        <Mark size={44} />
        {url === '' ? <Welcome /> : <WaitingForBrowser url={url} />}
      </div>
    </main>
  )
}

/** "example.net" is https; addresses on this machine or a private network are plain unless they say otherwise. */
export function serverUrl(text: string): string | undefined {
  const trimmed = text.trim()
  if (trimmed === '') return undefined
  const withScheme = /^[a-z]+:\/\//i.test(trimmed) ? trimmed : `${/^(localhost|127\.|\[::1\])/.test(trimmed) ? 'http' : 'https'}://${trimmed}`
  try {
    const url = new URL(withScheme)
    const named = /^([a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])$/i.test(url.hostname)
    return named && (url.protocol === 'https:' || url.protocol === 'http:') ? url.origin : undefined
  } catch {
    return undefined
  }
}

function Welcome(): ReactNode {
  const api = useApi()
  const [prefs, engineError] = useSnapshot(useShallow((s) => [s.prefs, s.engineError] as const))
  const [text, setText] = useState<string>()
  const [authKey, setAuthKey] = useState('')
  const [withKey, setWithKey] = useState(false)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')
  const value = text ?? prefs?.ControlURL ?? ''
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    const url = serverUrl(value)
    if (url === undefined) return setError('That is no server address. It looks like https://headscale.example.com.')
    setError('')
    setBusy(true)
    const set = await api.call('editPrefs', { ControlURL: url, ControlURLSet: true, WantRunning: true, WantRunningSet: true })
    const started = set.ok ? await api.call('start', withKey && authKey !== '' ? { AuthKey: authKey } : {}) : set
    const login = started.ok && !(withKey && authKey !== '') ? await api.call('loginInteractive', {}) : started
    setBusy(false)
    setAuthKey('')
    if (!login.ok) setError(login.message)
  }
  return (
    <>
      <h1 className="page-title">Join your network</h1>
      <p className="t2">Bowline connects this device to a Headscale server, and to the devices behind it. It needs no admin rights.</p>
      <form className="stack" onSubmit={(event) => void submit(event)}>
        <label className="label" htmlFor="server">Server address</label>
        <input id="server" className="field lg" value={value} onChange={(event) => setText(event.target.value)} placeholder="https://headscale.example.com"
          autoComplete="url" spellCheck={false} aria-describedby="sign-in-error" />
        {withKey && (
          <>
            <label className="label" htmlFor="auth-key">Auth key</label>
            <input id="auth-key" className="field lg" type="password" value={authKey} onChange={(event) => setAuthKey(event.target.value)} autoComplete="off" spellCheck={false} />
          </>
        )}
        <p id="sign-in-error" role="alert" className="error-line">{safeText(error || engineError || '', 400)}</p>
        <button type="submit" className="button ink lg" disabled={busy || value.trim() === ''} aria-busy={busy}>{busy ? 'Reaching the server' : 'Sign in'}</button>
        <button type="button" className="button ghost" onClick={() => setWithKey(!withKey)}>{withKey ? 'Sign in with the browser instead' : 'I have an auth key'}</button>
      </form>
    </>
  )
}

function WaitingForBrowser({ url }: { url: string }): ReactNode {
  const api = useApi()
  const nowMs = useSnapshot((s) => s.nowMs)
  const [sinceMs] = useState(() => Date.now())
  const [copied, setCopied] = useState(false)
  const [problem, setProblem] = useState('')
  const opened = useRef('')
  const waitedMs = Math.max(0, nowMs - sinceMs)
  const open = async (): Promise<void> => {
    const answer = await api.call('openExternal', { url })
    setProblem(answer.ok ? '' : answer.message)
  }
  useEffect(() => {
    if (opened.current === url) return
    opened.current = url
    void open()
  })
  return (
    <>
      <h1 className="page-title">Waiting for your browser</h1>
      <p className="t2">A page of your server has opened. Sign in there, then come back: this window goes on by itself.</p>
      <ol className="steps">
        <li className="done">Server reached</li>
        <li className="done">Sign-in link received</li>
        <li className="now">Waiting for you to sign in<span className="t3 num"> {age(waitedMs)}</span></li>
      </ol>
      <p className="well mono selectable">{safeText(url, 300)}</p>
      <p role="alert" className="error-line">{safeText(problem, 300)}</p>
      {waitedMs > 60_000 && <p className="t2">Nothing has come back for {age(waitedMs)}. An admin can also approve this device with the last part of the link.</p>}
      <div className="buttons">
        <button type="button" className="button ink lg" onClick={() => void open()}><ExternalLink size={16} aria-hidden="true" />Open the page again</button>
        <button type="button" className="button lg" onClick={() => void navigator.clipboard.writeText(url).then(() => setCopied(true))}><Copy size={16} aria-hidden="true" />{copied ? 'Copied' : 'Copy link'}</button>
        <button type="button" className="button ghost lg" onClick={() => void api.call('loginInteractive', {})}>Start over with a new link</button>
      </div>
    </>
  )
}
