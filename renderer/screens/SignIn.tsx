/**
 * Joining fills the window: one field for a join link or the server's address, an invitation with its checks, the wait for the browser,
 * the wait for approval.
 */
import { useEffect, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { t } from '../../main/words/words.ts'
import { accountRows, initial } from '../state/accounts.ts'
import { useJoin } from '../state/join.ts'
import { needsSignIn, signInView } from '../state/sign-in.ts'
import { serverName } from '../state/steps.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { Mark } from '../ui/PathGlyph.tsx'
import { Rope } from '../ui/Rope.tsx'
import { useNoDrop } from '../ui/use-drop.ts'
import { JoinInvite } from './JoinInvite.tsx'
import { Welcome } from './JoinWelcome.tsx'
import { WaitingForApproval, WaitingForBrowser } from './Waiting.tsx'

/** Whether the window is all sign-in: nobody is in, or a join link waits for a yes or a no. */
export function useSignInScreen(): boolean {
  const needed = useSnapshot((s) => needsSignIn(s.status) && s.app.engine === 'running')
  const invited = useJoin((s) => s.link !== undefined)
  const running = useSnapshot((s) => s.app.engine === 'running' && s.status !== undefined)
  const api = useApi()
  useEffect(() => api.onCommand((command) => command.kind === 'join' && useJoin.setState({ link: command.link })), [api])
  return needed || (invited && running)
}

export function SignIn(): ReactNode {
  const [status, session, nowMs] = useSnapshot(useShallow((s) => [s.status, s.session, s.nowMs] as const))
  const link = useJoin((s) => s.link)
  const needed = needsSignIn(status)
  useNoDrop()
  useEffect(() => {
    // Who leaves this page because they are in is told where they are.
    if (needed) return () => useJoin.setState({ arrived: true })
    return undefined
  }, [needed])
  if (!status) return null
  if (link !== undefined) return <main className="sign-in invite"><JoinInvite key={link} link={link} signedIn={status.HaveNodeKey === true} /></main>
  const view = signInView(status, session, nowMs)
  return (
    <main className={`sign-in ${view.kind === 'form' ? 'welcome' : ''} ${view.kind === 'browser' ? 'wide' : ''}`}>
      <div className="sign-in-box">
        <div className="sign-in-brand"><Mark size={28} />{view.kind === 'form' || !session ? 'Bowline' : <bdi>{serverName(session.Server)}</bdi>}</div>
        {view.kind === 'form' && <Welcome busyMs={view.busyMs} problem={view.problem} />}
        {view.kind === 'browser' && <WaitingForBrowser url={view.url} />}
        {view.kind === 'approval' && <WaitingForApproval />}
        <OtherAccounts />
      </div>
      {view.kind === 'form' && <Rope />}
    </main>
  )
}

/** Accounts that wait on this computer while another one is being added. */
function OtherAccounts(): ReactNode {
  const api = useApi()
  const profiles = useSnapshot((s) => s.profiles)
  const rows = accountRows(profiles).filter((row) => !row.current)
  if (rows.length === 0) return null
  return (
    <nav className="other-accounts" aria-label={t('join.others.label')}>
      <p className="label">{t('join.others.title')}</p>
      <ul className="plain">
        {rows.map((row) => (
          <li key={row.id}>
            <button type="button" className="menu-item" onClick={() => void api.call('switchProfile', { id: row.id })}>
              <span className="account-square" aria-hidden="true">{initial(row.name)}</span>
              <span className="cut-box grow"><span className="cut strong-2"><bdi>{row.name}</bdi></span><span className="cut small t2"><bdi>{row.where}</bdi></span></span>
            </button>
          </li>
        ))}
      </ul>
    </nav>
  )
}
