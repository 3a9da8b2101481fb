/**
 * What can be done with an account: sign out, give it a nickname, forget another one. Each says what is lost.
 */
import { useState, type FormEvent, type ReactNode } from 'react'
import { accountRows, NICKNAME_LIMIT } from '../state/accounts.ts'
import { safeText } from '../../main/words/format.ts'
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
  const device = safeText(self?.DNSName.split('.')[0] || self?.HostName || 'this device')
  const account = login === '' ? 'your account' : `the account ${login}`
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="sign-out-title" aria-describedby="sign-out-text" onClose={onClose}>
      <h2 id="sign-out-title">Sign out of <bdi>{network}</bdi>?</h2>
      <p id="sign-out-text">This removes <bdi>{device}</bdi> from {account}. It loses its address {self?.TailscaleIPs?.[0] ?? ''}, its connections end, and coming back takes a new sign-in.</p>
      <p className="t2">To stop for a while, use the switch instead: disconnected, this device stays on the network.</p>
      {problem !== '' && <p role="alert" className="error-line">{safeText(problem, 300)}</p>}
      <div className="buttons end">
        <button type="button" className="button lg" onClick={() => dialog.current?.close()}>Stay signed in</button>
        <button type="button" className="button ink lg" disabled={waiting} aria-busy={waiting} onClick={() => void leave()}>Sign out</button>
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
        <h2 id="rename-title">Nickname of this account</h2>
        <label className="label" htmlFor="nickname">Nickname</label>
        <input id="nickname" className="field lg" value={text} maxLength={NICKNAME_LIMIT} onChange={(event) => setText(event.target.value)} autoComplete="off" spellCheck={false} aria-describedby="nickname-hint" />
        <p id="nickname-hint" className="small t2">Only this computer shows it. Empty means none.</p>
        {problem !== '' && <p role="alert" className="error-line">{safeText(problem, 300)}</p>}
        <div className="buttons end">
          <button type="button" className="button lg" onClick={() => dialog.current?.close()}>Cancel</button>
          <button type="submit" className="button ink lg">Keep nickname</button>
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
      <h2 id="remove-title">Remove an account from this computer</h2>
      <p id="remove-text">Its keys and settings are forgotten here, and coming back takes a new sign-in. Its server is not told: it lists this device until an admin removes it there.</p>
      {rows.length === 0 && <p className="t2">No other account is left.</p>}
      <ul className="plain account-list">
        {rows.map((row) => (
          <li key={row.id}>
            <span className="cut-box grow"><span className="cut strong-2"><bdi>{row.name}</bdi></span><span className="cut small t2"><bdi>{row.where}</bdi></span></span>
            <button type="button" className="button" aria-label={`Remove ${row.name}`} onClick={() => void remove(row.id)}>Remove</button>
          </li>
        ))}
      </ul>
      {problem !== '' && <p role="alert" className="error-line">{safeText(problem, 300)}</p>}
      <div className="buttons end"><button type="button" className="button lg" onClick={() => dialog.current?.close()}>Done</button></div>
    </dialog>
  )
}
