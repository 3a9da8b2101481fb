/**
 * What can be done with an account: sign out, give it a nickname, forget another one. Each says what is lost.
 */
import { useState, type FormEvent, type ReactNode } from 'react'
import { accountRows, NICKNAME_LIMIT } from '../state/accounts.ts'
import { safeText } from '../../main/words/format.ts'
import { rich, t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { useDialog } from '../ui/use-dialog.ts'

export function SignOut({ network, login, onClose }: { network: string; login: string; onClose: () => void }): ReactNode {
  const api = useApi()
  const self = useSnapshot((s) => s.status?.Self)
  const dialog = useDialog()
  const [waiting, setWaiting] = useState(false)
  const [problem, setProblem] = useState('')
  const leave = async (): Promise<void> => {
    setWaiting(true)
    const answer = await api.call('logout', {})
    setWaiting(false)
    if (answer.ok) dialog.current?.close()
    else setProblem(answer.message)
  }
  const device = safeText(self?.DNSName.split('.')[0] || self?.HostName || t('join.thisDevice'))
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="sign-out-title" aria-describedby="sign-out-text" onClose={onClose}>
      <h2 id="sign-out-title">{rich<ReactNode>('join.out.title', { network: <bdi key="network">{network}</bdi> })}</h2>
      <p id="sign-out-text">{login === ''
        ? rich<ReactNode>('join.out.text', { device: <bdi key="device">{device}</bdi>, address: self?.TailscaleIPs?.[0] ?? '' })
        : rich<ReactNode>('join.out.textOf', { device: <bdi key="device">{device}</bdi>, account: <bdi key="account">{login}</bdi>, address: self?.TailscaleIPs?.[0] ?? '' })}</p>
      <p className="t2">{t('join.out.instead')}</p>
      {problem !== '' && <p role="alert" className="error-line">{safeText(problem, 300)}</p>}
      <div className="buttons end">
        <button type="button" className="button lg" onClick={() => dialog.current?.close()}>{t('join.out.stay')}</button>
        <button type="button" className="button ink lg" disabled={waiting} aria-busy={waiting} onClick={() => void leave()}>{t('join.out.do')}</button>
      </div>
    </dialog>
  )
}

export function RenameAccount({ onClose }: { onClose: () => void }): ReactNode {
  const api = useApi()
  const name = useSnapshot((s) => s.prefs?.ProfileName ?? '')
  const dialog = useDialog()
  const [text, setText] = useState(name)
  const [problem, setProblem] = useState('')
  const keep = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    const answer = await api.call('editPrefs', { ProfileName: text.trim(), ProfileNameSet: true })
    if (answer.ok) dialog.current?.close()
    else setProblem(answer.message)
  }
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="rename-title" onClose={onClose}>
      <form className="dialog-form" onSubmit={(event) => void keep(event)} noValidate>
        <h2 id="rename-title">{t('join.nickname.title')}</h2>
        <label className="label" htmlFor="nickname">{t('join.nickname')}</label>
        <input id="nickname" className="field lg" value={text} maxLength={NICKNAME_LIMIT} onChange={(event) => setText(event.target.value)} autoComplete="off" spellCheck={false} aria-describedby="nickname-hint" />
        <p id="nickname-hint" className="small t2">{t('join.nickname.hint')}</p>
        {problem !== '' && <p role="alert" className="error-line">{safeText(problem, 300)}</p>}
        <div className="buttons end">
          <button type="button" className="button lg" onClick={() => dialog.current?.close()}>{t('action.cancel')}</button>
          <button type="submit" className="button ink lg">{t('join.nickname.keep')}</button>
        </div>
      </form>
    </dialog>
  )
}

/** Forgets accounts that are not in use. */
export function RemoveAccounts({ onClose }: { onClose: () => void }): ReactNode {
  const api = useApi()
  const profiles = useSnapshot((s) => s.profiles)
  const dialog = useDialog()
  const [problem, setProblem] = useState('')
  const rows = accountRows(profiles).filter((row) => !row.current)
  const remove = async (id: string): Promise<void> => {
    const answer = await api.call('removeProfile', { id })
    if (!answer.ok) return setProblem(answer.message)
    const left = await api.call('profiles', {})
    if (left.ok) useSnapshot.setState({ profiles: left.value })
  }
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="remove-title" aria-describedby="remove-text" onClose={onClose}>
      <h2 id="remove-title">{t('join.remove.title')}</h2>
      <p id="remove-text">{t('join.remove.text')}</p>
      {rows.length === 0 && <p className="t2">{t('join.remove.none')}</p>}
      <ul className="plain account-list">
        {rows.map((row) => (
          <li key={row.id}>
            <span className="cut-box grow"><span className="cut strong-2"><bdi>{row.name}</bdi></span><span className="cut small t2"><bdi>{row.where}</bdi></span></span>
            <button type="button" className="button" aria-label={t('join.remove.one', { name: row.name })} onClick={() => void remove(row.id)}>{t('action.remove')}</button>
          </li>
        ))}
      </ul>
      {problem !== '' && <p role="alert" className="error-line">{safeText(problem, 300)}</p>}
      <div className="buttons end"><button type="button" className="button lg" onClick={() => dialog.current?.close()}>{t('join.done')}</button></div>
    </dialog>
  )
}
