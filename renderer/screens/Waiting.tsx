/**
 * The two waits of a sign-in: for the person in their browser, and for an admin. What happened so far comes from the engine,
 * step by step, with times.
 */
import { ChevronDown, Copy, ExternalLink } from 'lucide-react'
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { age, ago, safeText } from '../../main/words/format.ts'
import { rich, t } from '../../main/words/words.ts'
import { useJoin } from '../state/join.ts'
import { adminLine, lastHttp, opensElsewhere, replacedLink, serverName, stepRows } from '../state/steps.ts'
import { noteAsked, useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { setConnected } from '../ui/connect.ts'
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
    await setConnected(api, false)
  }
  const startOver = async (): Promise<void> => {
    await giveUp()
    noteAsked()
    await setConnected(api, true)
    await api.call('loginInteractive', {})
  }
  const hint = waitedMs > PATIENCE_MS
    ? <span role="status">{t('join.wait.nothing', { age: age(waitedMs) })} <button type="button" className="link" onClick={() => void startOver()}>{t('join.wait.startOver')}</button></span>
    : t('join.wait.goesOn')
  return (
    <>
      <h1 className="page-title">{t('join.wait.title')}</h1>
      <p className="t2">{page.opened ? t('join.wait.opened') : t('join.wait.hasPage')}</p>
      <Expected url={url} />
      <div className="waiting">
        <div className="grow">
          <StepList rows={stepRows(steps, nowMs)} hint={hint} />
          <LastAnswer nowMs={nowMs} />
          {replaced !== '' && <p className="t2 replaced" role="status">{replaced} {t('join.useNew')}</p>}
          {page.problem !== '' && <p role="alert" className="t2">{safeText(page.problem, 300)}</p>}
        </div>
        {opensElsewhere(url) && (
          <figure className="phone">
            <QrCode text={url} label={t('join.wait.qr')} />
            <figcaption><span className="label">{t('join.wait.phone')}</span><span className="small t2">{t('join.wait.scan')}</span></figcaption>
          </figure>
        )}
      </div>
      <p className="well mono selectable link-line">{safeText(url, 300)}</p>
      <div className="buttons">
        <button type="button" className="button ink lg" onClick={() => void page.open()}><ExternalLink size={16} aria-hidden="true" />{page.opened ? t('join.openAgain') : t('join.openPage')}</button>
        <CopyButton text={url} className="button lg">{t('join.copyLink')}</CopyButton>
        <button type="button" className="button ghost lg" onClick={() => void giveUp()}>{t('action.cancel')}</button>
      </div>
      <p className="small t2">{t('join.wait.other')}</p>
      <ForAdmin url={url} />
    </>
  )
}

/** Where the invitation says that people sign in; a page anywhere else is worth a second look. */
function Expected({ url }: { url: string }): ReactNode {
  const invitation = useJoin((s) => s.invitation)
  if (!invitation) return null
  const host = serverName(url).replace(/:\d+$/, '')
  const isStrange = host !== serverName(invitation.Server).replace(/:\d+$/, '') && host !== invitation.SignIn
  if (isStrange) return <p role="alert" className="warn-text">{t('join.wait.strange', { host })}</p>
  return invitation.SignIn === '' ? null : <p className="t2">{rich<ReactNode>('join.wait.expect', { host: <bdi key="host">{safeText(invitation.SignIn, 253)}</bdi> })}</p>
}

/** The last word of the server, for who wants to know. */
function LastAnswer({ nowMs }: { nowMs: number }): ReactNode {
  const steps = useSnapshot((s) => s.session?.Steps)
  const last = lastHttp(steps ?? [])
  if (!last) return null
  return (
    <details className="more small t2">
      <summary>{t('join.wait.last')}</summary>
      <p className="selectable num">{t('join.wait.heard', { ago: ago(Math.max(0, nowMs - last.atMs)) })} <span className="mono">{last.said}</span></p>
    </details>
  )
}

/** Headscale's own way to let a device in, for networks without a sign-in page of their own. */
function ForAdmin({ url }: { url: string }): ReactNode {
  const line = adminLine(url)
  if (line === undefined) return null
  return (
    <details className="for-admin">
      <summary><ChevronDown size={14} strokeWidth={1.9} aria-hidden="true" />{t('join.admin.title')}</summary>
      <p className="small t2">{t('join.admin.hint')}</p>
      <div className="well admin-line"><code className="mono selectable grow">{line}</code><CopyButton text={line} className="icon-button"><Copy size={14} strokeWidth={1.9} aria-hidden="true" /></CopyButton></div>
    </details>
  )
}

export function WaitingForApproval(): ReactNode {
  const api = useApi()
  const [status, session, nowMs] = useSnapshot(useShallow((s) => [s.status, s.session, s.nowMs] as const))
  const contact = useJoin((s) => s.invitation?.Contact ?? '')
  const login = safeText(status?.User?.[String(status.Self.UserID)]?.LoginName ?? '')
  const rows = stepRows(session?.Steps ?? [], nowMs).filter((row) => row.key !== 'map-received')
  const waited = session === undefined ? '' : age(Math.max(0, nowMs - Date.parse(session.Since)))
  const name = safeText(status?.Self.HostName ?? '')
  const request = [
    t('join.request.title', { device: name }), t('join.request.key', { key: status?.Self.PublicKey ?? '' }), t('join.report.server', { server: safeText(session?.Server ?? '', 200) }),
    ...(login === '' ? [] : [t('join.request.account', { login })]),
  ].join('\n')
  return (
    <>
      <h1 className="page-title">{t('join.approval.title')}</h1>
      <p className="t2">{login === '' ? t('join.approval.text') : rich<ReactNode>('join.approval.textOf', { login: <bdi key="login">{login}</bdi> })}</p>
      {contact !== '' && <p className="t2 selectable">{rich<ReactNode>('join.approval.contact', { contact: <bdi key="contact">{safeText(contact, 120)}</bdi> })}</p>}
      <StepList hint={t('join.approval.hint')} rows={[
        ...rows.map((row) => ({ ...row, state: 'done' as const })),
        { key: 'approval', state: 'running', words: t('join.approval.title'), time: waited, at: '', why: '' },
        { key: 'list', state: 'pending', words: t('join.done.map-received'), time: '', at: '', why: '' },
      ]} />
      <div className="buttons">
        <CopyButton text={request} className="button ink lg">{t('join.approval.copy')}</CopyButton>
        <button type="button" className="button ghost lg" onClick={() => void api.call('logout', {})}>{t('join.out.do')}</button>
      </div>
      <p className="small t2">{t('join.approval.holds')}</p>
    </>
  )
}
