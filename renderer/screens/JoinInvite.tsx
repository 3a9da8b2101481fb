/**
 * An invitation: who says to have made the join link, what it would have trusted and set, and whether this computer is ready. Nothing
 * happens before the person says yes.
 */
import { useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { safeText } from '../../main/words/format.ts'
import { rich, t } from '../../main/words/words.ts'
import type { JoinLinkPage, PreflightPage } from '../../preload/contract.ts'
import { initial } from '../state/accounts.ts'
import { checksText, dateWords, faultWords, grouped, obstacle, progress, settingWords, stepOf, useJoin } from '../state/join.ts'
import { serverName } from '../state/steps.ts'
import { noteAsked, useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { useAsk } from '../ui/use-ask.ts'
import { usePreflight } from '../ui/use-preflight.ts'
import { Callout, JoinChecks } from './JoinChecks.tsx'

const leave = (): void => useJoin.setState({ link: undefined })

/** `signedIn`: joining adds an account, the present one is kept. */
export function JoinInvite({ link, signedIn }: { link: string; signedIn: boolean }): ReactNode {
  const [round, setRound] = useState(0)
  const page = usePreflight(link, false, round)
  if (page?.Fault) return <BadLink fault={page.Fault} />
  if (!page?.Link) return <div className="invite-box"><p role="status" className="t2">{t('join.invite.reading')}</p></div>
  return (
    <div className="invite-box">
      <Invitation link={page.Link} />
      <section className="ready" aria-labelledby="ready-title">
        <div className="ready-head">
          <h2 id="ready-title">{t('join.ready.title')}</h2>
          <span className="small t2 num" role="status">{t('join.ready.progress', progress(page))}</span>
        </div>
        <JoinChecks page={page} onTrusted={() => setRound(round + 1)} />
        <Callout page={page} />
        <Choices page={page} signedIn={signedIn} again={() => setRound(round + 1)} />
      </section>
    </div>
  )
}

function BadLink({ fault }: { fault: NonNullable<PreflightPage['Fault']> }): ReactNode {
  return (
    <div className="sign-in-box">
      <h1 className="page-title">{t('join.invite.bad')}</h1>
      <p role="alert">{faultWords(fault)}{fault.Code === 'link-expired' && dateWords(fault.Detail) !== '' ? ` ${t('join.invite.until', { date: dateWords(fault.Detail) })}` : ''}</p>
      <div className="buttons"><button type="button" className="button ink lg" onClick={leave}>{t('action.back')}</button></div>
    </div>
  )
}

function Invitation({ link }: { link: JoinLinkPage }): ReactNode {
  const [open, setOpen] = useState(false)
  const { SignedBy, Until, Org, Pins, Settings, Contact, SignIn } = link
  const org = safeText(Org, 60)
  const date = dateWords(Until)
  const signed = SignedBy.Known === 'known' ? t('join.signed.known', { since: dateWords(SignedBy.Since ?? ''), date }) : SignedBy.Known === 'new' ? t('join.signed.new', { date }) : t('join.signed.other', { date })
  return (
    <div className="invitation">
      <span className="org-square" aria-hidden="true">{initial(org)}</span>
      <h1 className="page-title">{rich<ReactNode>('join.invite.title', { org: <bdi key="org">{org}</bdi> })}</h1>
      <p className={SignedBy.Known === 'other-key' ? 'warn-text' : 't2'}>{signed}</p>
      <dl className="invite-facts">
        <div><dt>{t('join.invite.joins')}</dt><dd><bdi>{serverName(link.Server)}</bdi></dd></div>
        <div>
          <dt>{t('join.invite.trusts')}</dt>
          <dd>
            {Pins.length === 0 ? t('join.invite.trustsNothing') : t('join.invite.trustsOne')}
            <button type="button" className="link small" aria-expanded={open} onClick={() => setOpen(!open)}>{open ? t('join.invite.hidePrint') : t('join.invite.showPrint')}</button>
            {open && (
              <span className="prints small t2">
                <span>{t('join.invite.signKey')}</span><code className="mono selectable">{grouped(SignedBy.Fingerprint)}</code>
                {Pins.map((pin) => <span key={pin}><span>{t('join.invite.pin')}</span><code className="mono selectable">{grouped(pin)}</code></span>)}
                <span>{t('join.invite.meaning')}</span>
              </span>
            )}
          </dd>
        </div>
        <div><dt>{t('join.invite.sets')}</dt><dd>{settingWords(Settings)}</dd></div>
        {SignIn !== '' && <div><dt>{t('join.invite.signIn')}</dt><dd><bdi>{safeText(SignIn, 253)}</bdi></dd></div>}
        {Contact !== '' && <div><dt>{t('join.invite.help')}</dt><dd className="selectable"><bdi>{safeText(Contact, 120)}</bdi></dd></div>}
      </dl>
    </div>
  )
}

function Choices({ page, signedIn, again }: { page: PreflightPage; signedIn: boolean; again: () => void }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const [device, version, nowMs] = useSnapshot(useShallow((s) => [s.prefs?.Hostname || s.status?.Self.HostName || '', s.app.version, s.nowMs] as const))
  const stands = obstacle(page)
  // Without the certificate that the link names nobody is let on; everything else the engine goes on trying by itself.
  const forbidden = (page.Link?.Pins.length ?? 0) > 0 && stepOf(page, 'certificate')?.Code !== 'certificate-pinned'
  const known = page.State === 'done' || stepOf(page, 'server')?.State !== 'waiting'
  const accept = async (): Promise<void> => {
    const joined = await ask.run(async () => {
      const before = signedIn ? await api.call('profiles', {}) : undefined
      if (before?.ok === false) return before
      const added = before && (await api.call('addProfile', {}))
      const answer = added?.ok === false ? added : await api.call('join', { run: page.Run })
      // Refused: the account that was in use is so again.
      if (!answer.ok && added?.ok === true) await api.call('switchProfile', { id: before!.value.current.ID })
      return answer
    })
    if (!joined) return
    noteAsked()
    useJoin.setState({ link: undefined, invitation: page.Link })
    await api.call('loginInteractive', {})
  }
  return (
    <>
      <div className="buttons">
        <button type="button" className="button ink lg" disabled={!known || forbidden} aria-busy={ask.wait !== 'no'} onClick={() => void accept()}>{stands ? t('join.invite.anyway') : t('join.invite.accept')}</button>
        <CopyButton text={checksText(page, device, version, nowMs)} className="button lg">{t('join.ready.copy')}</CopyButton>
        {page.State === 'done' && <button type="button" className="button ghost lg" onClick={again}>{t('action.checkAgain')}</button>}
        <button type="button" className="button ghost lg" onClick={leave}>{t('action.cancel')}</button>
      </div>
      {signedIn && <p className="small t2">{t('join.invite.adds')}</p>}
      <AskWords ask={ask} />
    </>
  )
}
