/**
 * What stands above the devices when the sign-in needs a person: it has ended, was taken back, ends soon, is being renewed, or
 * a renewal failed. One sentence, one thing to do; the list below stays.
 */
import { CircleAlert, Clock, ExternalLink, LogIn, RefreshCw } from 'lucide-react'
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import type { SessionPage, Status } from '../../preload/contract.ts'
import { endWords, expiryOf, leftWords } from '../state/expiry.ts'
import { clockTimeSec, safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { problemOf, reportFor, type Problem } from '../state/sign-in.ts'
import { replacedLink } from '../state/steps.ts'
import { noteAsked, useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { useSignInPage } from '../ui/sign-in-page.ts'

export function SignInNotice({ status }: { status: Status }): ReactNode {
  const [session, warnings, nowMs] = useSnapshot(useShallow((s) => [s.session, s.warnings, s.nowMs] as const))
  const problem = problemOf(session)
  const url = session?.AuthURL ?? ''
  const ended = status.Self.Expired === true || session?.KeyExpired === true
  if (url !== '') return <AtTheBrowser session={session!} url={url} ended={ended} />
  if (status.BackendState === 'NeedsLogin') return <SignedOut ended={ended} problem={problem} working={session?.Kind === 'working'} />
  if (problem && session?.Kind === 'running') return <SignedOut ended={false} problem={problem} working={false} stillIn />
  const expiry = status.BackendState === 'Running' ? expiryOf(warnings, nowMs) : undefined
  return expiry ? <EndsSoon leftMs={expiry.leftMs} atMs={expiry.atMs} /> : null
}

function AtTheBrowser({ session, url, ended }: { session: SessionPage; url: string; ended: boolean }): ReactNode {
  const api = useApi()
  const stillIn = useSnapshot((s) => s.stillIn)
  const page = useSignInPage(url)
  const replaced = replacedLink(session.Steps)
  return (
    <div className="notice warn" role="alert">
      <CircleAlert size={20} strokeWidth={1.7} aria-hidden="true" />
      <div className="grow">
        <p className="strong-3">{ended ? t('join.ended') : stillIn ? t('join.finish.stillIn') : t('join.finish')}</p>
        <p className="t2">{page.opened ? t('join.opened.goesOn') : t('join.hasPage.goesOn')}{page.problem === '' ? '' : ` ${safeText(page.problem, 200)}`}</p>
        {replaced !== '' && <p className="t2">{replaced} {t('join.useNew')}</p>}
      </div>
      <button type="button" className="button ink" onClick={() => void page.open()}><ExternalLink size={16} aria-hidden="true" />{page.opened ? t('join.openAgain') : t('join.openPage')}</button>
      <CopyButton text={url} className="button">{t('join.copyLink')}</CopyButton>
      {/* Without a key to ask for, a start goes on with the sign-in that is there. */}
      {stillIn && <button type="button" className="button ghost" onClick={() => void api.call('start', {})}>{t('action.cancel')}</button>}
    </div>
  )
}

/** `stillIn`: the sign-in before is still good, only its renewal failed. */
function SignedOut({ ended, problem, working, stillIn = false }: { ended: boolean; problem: Problem | undefined; working: boolean; stillIn?: boolean }): ReactNode {
  const [nowMs] = useSnapshot(useShallow((s) => [s.nowMs] as const))
  const what = ended ? t('join.ended') : problem?.what ?? t('join.out')
  const retry = problem?.retryAtMs !== undefined && problem.retryAtMs > nowMs ? ` ${t('join.retry', { time: clockTimeSec(problem.retryAtMs) })}` : ''
  const more = ended && (problem === undefined || problem.code === 'key-expired') ? '' : `${ended ? problem!.what : ''} ${problem?.next ?? ''}${retry}`.trim()
  return (
    <div className="notice warn" role="alert">
      <CircleAlert size={20} strokeWidth={1.7} aria-hidden="true" />
      <div className="grow">
        <p className="strong-3">{what}</p>
        {more !== '' && <p className="t2">{more}</p>}
      </div>
      <OneAction problem={problem} working={working} label={stillIn ? t('join.renewAgain') : t('join.signIn')} />
    </div>
  )
}

/** The one thing to do about it. */
function OneAction({ problem, working, label }: { problem: Problem | undefined; working: boolean; label: string }): ReactNode {
  const [server, device, nowMs] = useSnapshot(useShallow((s) => [s.session?.Server ?? '', s.status?.Self.HostName ?? '', s.nowMs] as const))
  if (problem?.action === 'ask-admin' && problem.code !== 'login-refused') return <CopyButton text={reportFor(problem, server, device, nowMs)} className="button ink">{t('join.copyReport')}</CopyButton>
  return <SignInButton icon={<LogIn size={16} aria-hidden="true" />} className="button ink" busy={working}>{label}</SignInButton>
}

/** Asks the server for a page to sign in. */
function SignInButton({ icon, className, busy = false, children }: { icon: ReactNode; className: string; busy?: boolean; children: string }): ReactNode {
  const api = useApi()
  const ask = async (): Promise<void> => {
    noteAsked()
    await api.call('loginInteractive', {})
  }
  return <button type="button" className={className} disabled={busy} aria-busy={busy} onClick={() => void ask()}>{icon}{busy ? t('join.reaching') : children}</button>
}

function EndsSoon({ leftMs, atMs }: { leftMs: number; atMs: number }): ReactNode {
  return (
    <div className="notice quiet" role="status">
      <Clock size={16} strokeWidth={1.9} aria-hidden="true" />
      <p className="grow"><span className="strong-2">{leftWords(leftMs)}</span> <span className="t2">{endWords(atMs, leftMs)} {t('join.renew.hint')}</span></p>
      <SignInButton icon={<RefreshCw size={16} aria-hidden="true" />} className="button">{t('join.renew')}</SignInButton>
    </div>
  )
}
