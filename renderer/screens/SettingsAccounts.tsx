/**
 * The accounts of this computer and their servers: which one is in use, how long its sign-in lasts, and which certificates were let in
 * for its server. What signing out takes away is said beside it.
 */
import { Check, Trash2 } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { safeText } from '../../main/words/format.ts'
import { networkName } from '../../main/words/states.ts'
import { locale, rich, t } from '../../main/words/words.ts'
import { accountRows, type AccountRow } from '../state/accounts.ts'
import { look, useLook } from '../state/looks.ts'
import { noteAsked, useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { useLock } from '../ui/PolicyLine.tsx'
import { useAsk, waits } from '../ui/use-ask.ts'
import { RemoveAccounts, SignOut } from './AccountDialogs.tsx'
import { Row } from './SettingsRow.tsx'

export function AccountsRow(): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const profiles = useSnapshot((s) => s.profiles)
  const [removing, setRemoving] = useState(false)
  const rows = accountRows(profiles)
  return (
    <Row id="accounts" ask={ask} below={rows.length > 0 && (
      <ul className="plain lines">{rows.map((row) => <Account key={row.id} row={row} />)}</ul>
    )}>
      {rows.length > 1 && <button type="button" className="button" aria-haspopup="dialog" onClick={() => setRemoving(true)}>{t('settings.account.remove')}</button>}
      <button type="button" className="button" aria-busy={waits(ask)} onClick={() => void ask.run(() => api.call('addProfile', {}))}>{t('settings.account.add')}</button>
      {removing && <RemoveAccounts onClose={() => setRemoving(false)} />}
    </Row>
  )
}

function Account({ row }: { row: AccountRow }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  return (
    <li>
      <div className="grow cut-box"><span className="cut strong-2"><bdi>{row.name}</bdi></span><span className="cut small t2"><bdi>{row.where}</bdi></span><AskWords ask={ask} /></div>
      {row.current
        ? <span className="t2 small in-use-mark"><Check size={14} strokeWidth={1.9} aria-hidden="true" />{t('settings.account.current')}</span>
        : <button type="button" className="button" aria-label={t('settings.account.switchTo', { account: row.name })} aria-busy={waits(ask)} onClick={() => void ask.run(() => api.call('switchProfile', { id: row.id }))}>{t('settings.account.switch')}</button>}
    </li>
  )
}

export function SignOutRow(): ReactNode {
  const [status, prefs] = useSnapshot(useShallow((s) => [s.status, s.prefs] as const))
  const lock = useLock('WantRunning')
  const [open, setOpen] = useState(false)
  const login = safeText((status && status.User?.[String(status.Self.UserID)]?.LoginName) ?? '')
  const network = safeText(prefs?.ProfileName ?? '', 60) || networkName(status) || t('settings.account.thisNetwork')
  return (
    <Row id="signOut" lock={lock}>
      <button type="button" className="button" aria-haspopup="dialog" aria-disabled={lock !== undefined} onClick={() => lock === undefined && setOpen(true)}>{t('settings.account.signOut')}</button>
      {open && <SignOut network={network} login={login} onClose={() => setOpen(false)} />}
    </Row>
  )
}

export function SignInEndsRow(): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const expiry = useSnapshot((s) => s.session?.KeyExpiry)
  const atMs = Date.parse(expiry ?? '')
  const day = Number.isNaN(atMs) ? '' : new Intl.DateTimeFormat(locale(), { dateStyle: 'long', timeStyle: 'short' }).format(atMs)
  const renew = (): void => {
    noteAsked()
    void ask.run(() => api.call('loginInteractive', {}))
  }
  return (
    <Row id="signInEnds" ask={ask} words={day === '' ? t('settings.signInEnds.never') : t('settings.signInEnds.at', { day })}>
      <button type="button" className="button" aria-busy={waits(ask)} onClick={renew}>{t('settings.signInEnds.renew')}</button>
    </Row>
  )
}

export function ServerRow(): ReactNode {
  const url = useSnapshot((s) => s.prefs?.ControlURL ?? '')
  const lock = useLock('ControlURL')
  const words = url === '' ? t('settings.server.none') : rich<ReactNode>('settings.server.is', { server: <bdi key="server" className="selectable">{safeText(url, 300)}</bdi> })
  return <Row id="server" words={words} lock={lock} />
}

const CERTIFICATES_EVERY_MS = 10_000

export function CertificatesRow(): ReactNode {
  const api = useApi()
  const page = useSnapshot((s) => s.trust)
  const url = useSnapshot((s) => s.prefs?.ControlURL)
  useLook(api, 'trust', CERTIFICATES_EVERY_MS, url)
  const all = page?.Certificates ?? []
  return (
    <Row id="certificates" words={page === undefined ? t('settings.unknown') : all.length === 0 ? t('settings.certificates.none') : t('settings.does.certificates')} below={all.length > 0 && (
      <ul className="plain lines">{all.map((one) => <Certificate key={one.Fingerprint} {...one} />)}</ul>
    )} />
  )
}

function Certificate({ Subject, Issuer, Fingerprint, NotAfter }: { Subject: string; Issuer: string; Fingerprint: string; NotAfter: string }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const until = new Intl.DateTimeFormat(locale(), { dateStyle: 'long' }).format(Date.parse(NotAfter))
  const remove = (): void => void ask.run(async () => {
    const answer = await api.call('removeTrust', { fingerprint: Fingerprint })
    return answer.ok ? look(api, 'trust') : answer
  })
  const name = safeText(Subject, 120)
  return (
    <li>
      <div className="grow">
        <p className="strong-2 selectable"><bdi>{name}</bdi></p>
        <p className="small t2">{rich<ReactNode>('settings.certificates.by', { issuer: <bdi key="issuer">{safeText(Issuer, 120)}</bdi>, until })}</p>
        <p className="mono t2 selectable fingerprint">{safeText(Fingerprint, 100)}</p>
        <AskWords ask={ask} />
      </div>
      <button type="button" className="icon-button" aria-label={t('settings.certificates.remove', { name })} title={t('settings.certificates.remove', { name })} aria-busy={waits(ask)} onClick={remove}><Trash2 size={16} strokeWidth={1.9} aria-hidden="true" /></button>
    </li>
  )
}
