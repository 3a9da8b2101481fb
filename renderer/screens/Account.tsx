/**
 * Whose network this is, with its menu: sign out, behind a sentence that says what is lost.
 */
import { ChevronsUpDown, LogOut } from 'lucide-react'
import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { safeText } from '../state/format.ts'
import { useSnapshot } from '../state/store.ts'
import { networkName } from '../state/words.ts'
import { useApi } from '../ui/ApiContext.tsx'

export function Account(): ReactNode {
  const [status, running] = useSnapshot(useShallow((s) => [s.status, s.app.engine === 'running'] as const))
  const [open, setOpen] = useState(false)
  const [leaving, setLeaving] = useState(false)
  const box = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const user = status ? status.User?.[String(status.Self.UserID)] : undefined
  const network = networkName(status) || 'No network yet'
  const login = safeText(user?.LoginName ?? '')
  const signedIn = status?.HaveNodeKey === true

  useEffect(() => {
    if (!open) return
    const away = (event: PointerEvent): void => {
      if (!box.current?.contains(event.target as Node)) setOpen(false)
    }
    window.addEventListener('pointerdown', away)
    box.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus()
    return () => window.removeEventListener('pointerdown', away)
  }, [open])
  const close = (): void => {
    setOpen(false)
    button.current?.focus()
  }
  const onKey = (event: KeyboardEvent): void => {
    if (!open || (event.key !== 'Escape' && event.key !== 'Tab')) return
    if (event.key === 'Escape') event.preventDefault()
    close()
  }
  return (
    <div className="account-box" ref={box} onKeyDown={onKey}>
      <button type="button" ref={button} className="account" aria-haspopup="menu" aria-expanded={open}  title={network} disabled={!signedIn || !running} onClick={() => setOpen(!open)}>
        <span className="account-square" aria-hidden="true">{String.fromCodePoint(network.codePointAt(0) ?? 0x42).toUpperCase()}</span>
        <span className="sr-only">Account: </span>
        <span className="grow cut-box">
          <span className="cut strong-2"><bdi>{network}</bdi></span>
          <span className="cut small t3"><bdi>{login}</bdi></span>
        </span>
        {signedIn && <ChevronsUpDown className="t3 account-more" size={16} strokeWidth={1.9} aria-hidden="true" />}
      </button>
      {open && (
        <div className="menu" role="menu" aria-label="Account">
          <button type="button" role="menuitem" className="menu-item" onClick={() => { close(); setLeaving(true) }}><LogOut size={16} strokeWidth={1.9} aria-hidden="true" />Sign out…</button>
        </div>
      )}
      {leaving && <SignOut network={network} login={login} onClose={() => setLeaving(false)} />}
    </div>
  )
}

function SignOut({ network, login, onClose }: { network: string; login: string; onClose: () => void }): ReactNode {
  const api = useApi()
  const self = useSnapshot((s) => s.status?.Self)
  const dialog = useRef<HTMLDialogElement>(null)
  const [waiting, setWaiting] = useState(false)
  const [problem, setProblem] = useState('')
  useEffect(() => {
    const element = dialog.current
    if (element && !element.open) element.showModal()
  }, [])
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
