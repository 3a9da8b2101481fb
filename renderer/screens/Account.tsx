/**
 * Whose network this is, with its menu: the accounts of this computer to switch between, and what can be done with this one.
 */
import { Check, ChevronsUpDown, LogOut, Pencil, Plus, UserMinus } from 'lucide-react'
import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode, type RefObject } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { accountRows, initial } from '../state/accounts.ts'
import { safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { networkName } from '../../main/words/states.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { moveInMenu } from '../ui/menu-keys.ts'
import { RemoveAccounts, RenameAccount, SignOut } from './AccountDialogs.tsx'

type Dialog = 'none' | 'sign-out' | 'rename' | 'remove'

export function Account(): ReactNode {
  const [status, running, prefs] = useSnapshot(useShallow((s) => [s.status, s.app.engine === 'running', s.prefs] as const))
  const [open, setOpen] = useState(false)
  const [dialog, setDialog] = useState<Dialog>('none')
  const box = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const user = status ? status.User?.[String(status.Self.UserID)] : undefined
  const network = safeText(prefs?.ProfileName ?? '', 60) || networkName(status) || t('join.account.none')
  const login = safeText(user?.LoginName ?? '')
  const signedIn = status?.HaveNodeKey === true
  useMenu(box, open, () => setOpen(false))
  const close = (): void => {
    setOpen(false)
    button.current?.focus()
  }
  const choose = (next: Dialog): void => {
    close()
    setDialog(next)
  }
  return (
    <div className="account-box" ref={box} onKeyDown={(event) => onMenuKey(event, open, close)}>
      <button type="button" ref={button} className="account" aria-haspopup="menu" aria-expanded={open} title={network} disabled={!signedIn || !running} onClick={() => setOpen(!open)}>
        <span className="account-square" aria-hidden="true">{initial(network)}</span>
        <span className="sr-only">{t('join.account.label')} </span>
        <span className="grow cut-box">
          <span className="cut strong-2"><bdi>{network}</bdi></span>
          <span className="cut small t3"><bdi>{login}</bdi></span>
        </span>
        {signedIn && <ChevronsUpDown className="t3 account-more" size={16} strokeWidth={1.9} aria-hidden="true" />}
      </button>
      {open && <AccountMenu close={close} choose={choose} />}
      {dialog === 'sign-out' && <SignOut network={network} login={login} onClose={() => setDialog('none')} />}
      {dialog === 'rename' && <RenameAccount onClose={() => setDialog('none')} />}
      {dialog === 'remove' && <RemoveAccounts onClose={() => setDialog('none')} />}
    </div>
  )
}

function AccountMenu({ close, choose }: { close: () => void; choose: (dialog: Dialog) => void }): ReactNode {
  const api = useApi()
  const profiles = useSnapshot((s) => s.profiles)
  const rows = accountRows(profiles)
  const switchTo = (id: string, current: boolean): void => {
    close()
    if (!current) void api.call('switchProfile', { id })
  }
  return (
    <div className="menu" role="menu" aria-label={t('join.account.menu')}>
      {rows.map((row) => (
        <button key={row.id} type="button" role="menuitemradio" aria-checked={row.current} tabIndex={-1} className="menu-item" onClick={() => switchTo(row.id, row.current)}>
          <span className="menu-check" aria-hidden="true">{row.current && <Check size={16} strokeWidth={1.9} />}</span>
          <span className="cut-box grow"><span className="cut"><bdi>{row.name}</bdi></span><span className="cut small t2"><bdi>{row.where}</bdi></span></span>
        </button>
      ))}
      {rows.length > 0 && <div className="menu-line" role="separator" />}
      <button type="button" role="menuitem" tabIndex={-1} className="menu-item" onClick={() => { close(); void api.call('addProfile', {}) }}><Plus size={16} strokeWidth={1.9} aria-hidden="true" />{t('join.account.add')}</button>
      <button type="button" role="menuitem" tabIndex={-1} className="menu-item" onClick={() => choose('rename')}><Pencil size={16} strokeWidth={1.9} aria-hidden="true" />{t('join.account.nickname')}</button>
      {rows.length > 1 && <button type="button" role="menuitem" tabIndex={-1} className="menu-item" onClick={() => choose('remove')}><UserMinus size={16} strokeWidth={1.9} aria-hidden="true" />{t('join.account.remove')}</button>}
      <button type="button" role="menuitem" tabIndex={-1} className="menu-item" onClick={() => choose('sign-out')}><LogOut size={16} strokeWidth={1.9} aria-hidden="true" />{t('join.account.signOut')}</button>
    </div>
  )
}

const itemsOf = (box: Element | null): HTMLElement[] => [...(box?.querySelectorAll<HTMLElement>('[role^=menuitem]') ?? [])]

/** Gives the first item the focus when the menu opens, and closes it at a click elsewhere. */
function useMenu(box: RefObject<HTMLDivElement | null>, open: boolean, close: () => void): void {
  useEffect(() => {
    if (!open) return
    const away = (event: PointerEvent): void => {
      if (!box.current?.contains(event.target as Node)) close()
    }
    window.addEventListener('pointerdown', away)
    itemsOf(box.current)[0]?.focus()
    return () => window.removeEventListener('pointerdown', away)
  }, [open])
}

function onMenuKey(event: KeyboardEvent<HTMLDivElement>, open: boolean, close: () => void): void {
  if (!open) return
  if (event.key === 'Escape' || event.key === 'Tab') {
    if (event.key === 'Escape') event.preventDefault()
    return close()
  }
  moveInMenu(event, itemsOf(event.currentTarget))
}
