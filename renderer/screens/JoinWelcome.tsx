/**
 * Welcome: one field that takes a join link, a server's address or the address of one of its pages, looked at while it is typed.
 */
import { Check, CircleAlert, Info, LoaderCircle } from 'lucide-react'
import { useEffect, useRef, useState, type ChangeEvent, type FormEvent, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { age, safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { PreflightPage } from '../../preload/contract.ts'
import { answerWords, faultWords, fixWords, obstacle, sawWords, stepOf, useJoin } from '../state/join.ts'
import { readQrPicture } from '../state/qr-picture.ts'
import { reportFor, type Problem } from '../state/sign-in.ts'
import { serverUrl } from '../state/server-url.ts'
import { noteAsked, useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { setConnected } from '../ui/connect.ts'
import { CopyButton } from '../ui/CopyButton.tsx'
import { PolicyLine, useLock } from '../ui/PolicyLine.tsx'
import { usePreflight } from '../ui/use-preflight.ts'
import { JoinCertificate } from './JoinCertificate.tsx'

/** Without an answer for this long the person is told so. */
const SLOW_MS = 5000

/** What the person typed is no address or no key: it never left the window. */
function typed(what: string, next: string): Problem {
  return { what, next, action: 'none', code: 'bad-argument', retryAtMs: undefined }
}

/** Whether a text may be an address by now. */
const isWorthALook = (text: string): boolean => /^(localhost$|bowline:)|[.:]/i.test(text) && text.length >= 4

export function Welcome({ busyMs, problem }: { busyMs: number | undefined; problem: Problem | undefined }): ReactNode {
  const api = useApi()
  const server = useSnapshot((s) => s.prefs?.ControlURL || s.lastServer)
  const rule = useLock('ControlURL')
  const [text, setText] = useState<string>()
  const [authKey, setAuthKey] = useState('')
  const [withKey, setWithKey] = useState(problem?.action === 'new-auth-key')
  const [sending, setSending] = useState(false)
  const [error, setError] = useState<Problem>()
  const [round, setRound] = useState(0)
  const value = rule === undefined ? (text ?? server) : server
  const busy = sending || busyMs !== undefined
  const typedText = (text ?? '').trim()
  const page = usePreflight(!busy && isWorthALook(typedText) ? typedText : '', true, round)
  // What was wrong with another address says nothing of this one.
  const shown = error ?? (busy || (text !== undefined && serverUrl(text) !== server) ? undefined : problem)
  const stands = shown ? undefined : obstacle(page)
  useEffect(() => {
    if (page?.Link) useJoin.setState({ link: typedText })
  }, [page?.Link, typedText])

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    const url = serverUrl(value)
    if (page?.Fault && page.Fault.Code !== 'no-address') return
    if (url === undefined) return setError(typed(t('join.typed.noAddress'), t('join.typed.likeThis')))
    if (withKey && authKey.trim() === '') return setError(typed(t('join.typed.noKey'), t('join.typed.pasteKey')))
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
  const change = (next: string): void => {
    setError(undefined)
    setText(next)
  }
  return (
    <>
      <h1 className="display">{t('join.title')}</h1>
      <p className="t2 lead">{t('join.lead')}</p>
      <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
        <label className="label" htmlFor="server">{t('join.field')}</label>
        <span className="field-box">
          <input id="server" className="field lg" value={value} onChange={(event) => change(event.target.value)} placeholder="https://headscale.example.com" inputMode="url"
            autoComplete="url" autoCapitalize="off" spellCheck={false} readOnly={busy || rule !== undefined} aria-describedby="sign-in-problem looked server-rule" aria-invalid={shown !== undefined} />
          <FieldMark page={page} />
        </span>
        <PolicyLine id="server-rule" rule={rule} />
        {withKey && (
          <>
            <label className="label" htmlFor="auth-key">{t('join.key')}</label>
            <input id="auth-key" className="field lg" type="password" value={authKey} onChange={(event) => setAuthKey(event.target.value)} autoComplete="off" spellCheck={false} readOnly={busy} />
          </>
        )}
        <div id="looked" role="status">{!shown && page && <Looked page={page} />}</div>
        <div id="sign-in-problem" role="alert">{shown && <ProblemLine what={shown.what} next={shown.next} />}</div>
        {page && <JoinCertificate page={page} onTrusted={() => setRound(round + 1)} />}
        <div className="buttons sign-in-buttons">
          <button type="submit" className="button ink lg" disabled={busy || value.trim() === ''} aria-busy={busy}>
            {busy ? t('join.reaching') : shown ? t('action.tryAgain') : stands ? t('join.anyway') : t('join.signIn')}
          </button>
          <Beside busyMs={busyMs} problem={shown} server={value} withKey={withKey} setWithKey={setWithKey} onText={change} onFault={(what) => setError(typed(what, ''))} />
        </div>
        <p className="small t2 quiet-line" role="status">{busyMs !== undefined && busyMs >= SLOW_MS ? t('join.slow', { age: age(busyMs) }) : ''}</p>
      </form>
      <div className="sign-in-foot">
        <p className="label">{t('join.apps.title')}</p>
        <p className="small t2">{t('join.apps.text')}</p>
        <details className="more small t2"><summary>{t('join.apps.how')}</summary><p>{t('join.apps.more')}</p></details>
      </div>
    </>
  )
}

function FieldMark({ page }: { page: PreflightPage | undefined }): ReactNode {
  if (!page || page.Fault) return null
  if (page.State === 'running') return <LoaderCircle className="field-mark t3" size={16} strokeWidth={1.9} aria-hidden="true" />
  return obstacle(page) ? null : <Check className="field-mark mark-good" size={16} strokeWidth={1.9} aria-hidden="true" />
}

/** What the look has found, in at most three lines. */
function Looked({ page }: { page: PreflightPage }): ReactNode {
  if (page.Fault) return page.Fault.Code === 'no-address' ? null : <ProblemLine what={faultWords(page.Fault)} next="" />
  const stands = obstacle(page)
  if (stands) return <ProblemLine what={`${sawWords(stands).replace(/\.$/, '')}.`} next={fixWords(stands)} />
  const answer = answerWords(page)
  if (answer === '') return null
  const certificate = stepOf(page, 'certificate')
  const clock = stepOf(page, 'clock')
  return (
    <ul className="plain looked">
      <li><Check className="mark-good" size={16} strokeWidth={1.9} aria-hidden="true" />{answer}</li>
      {certificate?.State === 'good' && <li><Check className="mark-good" size={16} strokeWidth={1.9} aria-hidden="true" />{sawWords(certificate)}</li>}
      {certificate?.State === 'bad' && <li><CircleAlert className="mark-warn" size={16} strokeWidth={1.9} aria-hidden="true" />{sawWords(certificate)}</li>}
      {clock?.State === 'bad' && <li><CircleAlert className="mark-warn" size={16} strokeWidth={1.9} aria-hidden="true" />{sawWords(clock)} {fixWords(clock)}</li>}
      <li><Info className="t3" size={16} strokeWidth={1.9} aria-hidden="true" />{t('join.sees')}</li>
    </ul>
  )
}

interface BesideProps {
  readonly busyMs: number | undefined
  readonly problem: Problem | undefined
  readonly server: string
  readonly withKey: boolean
  readonly setWithKey: (on: boolean) => void
  readonly onText: (text: string) => void
  readonly onFault: (what: string) => void
}

/** What else can be done than to sign in with what stands there. */
function Beside({ busyMs, problem, server, withKey, setWithKey, onText, onFault }: BesideProps): ReactNode {
  const api = useApi()
  if (busyMs !== undefined) return <button type="button" className="button ghost lg" onClick={() => void setConnected(api, false)}>{t('action.cancel')}</button>
  if (problem && needsHelp(problem)) return <CopyReport problem={problem} server={server} />
  return (
    <>
      <button type="button" className="button ghost lg" onClick={() => setWithKey(!withKey)}>{withKey ? t('join.withBrowser') : t('join.withKey')}</button>
      <QrPicture onText={onText} onFault={onFault} />
    </>
  )
}

function QrPicture({ onText, onFault }: { onText: (text: string) => void; onFault: (what: string) => void }): ReactNode {
  const input = useRef<HTMLInputElement>(null)
  const read = async (event: ChangeEvent<HTMLInputElement>): Promise<void> => {
    const file = event.target.files?.[0]
    event.target.value = ''
    if (!file) return
    const found = await readQrPicture(file)
    if (found.kind === 'text') onText(safeText(found.text, 8000))
    else onFault(t(`join.qr.${found.fault}`))
  }
  return (
    <>
      <button type="button" className="button ghost lg" onClick={() => input.current?.click()}>{t('join.qr')}</button>
      <input ref={input} type="file" accept="image/png,image/jpeg" hidden aria-label={t('join.qr')} onChange={(event) => void read(event)} />
    </>
  )
}

/** Whether somebody else has to act, who must be told what is wrong. */
function needsHelp({ action }: Problem): boolean {
  return action === 'ask-admin' || action === 'trust-certificate'
}

function CopyReport({ problem, server }: { problem: Problem; server: string }): ReactNode {
  const [device, nowMs] = useSnapshot(useShallow((s) => [s.prefs?.Hostname || s.status?.Self.HostName || '', s.nowMs] as const))
  return <CopyButton text={reportFor(problem, server, device, nowMs)} className="button lg">{t('join.copyReport')}</CopyButton>
}

export function ProblemLine({ what, next }: { what: string; next: string }): ReactNode {
  return (
    <div className="problem">
      <CircleAlert size={16} strokeWidth={1.9} aria-hidden="true" />
      <p><span className="problem-what selectable">{what}</span> <span className="t2">{next}</span></p>
    </div>
  )
}
