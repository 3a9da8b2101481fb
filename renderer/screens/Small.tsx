/**
 * The tray's small window: the state with a large switch, the exit node, what asks for a person, files under way, and the devices likely to be
 * wanted. Files that are dropped on it go to the device they are dropped on, or to one that the main window asks for.
 * Everything else is one click away in the main window.
 */
import { AppWindow, ChevronRight, CircleAlert, DoorOpen, Pin, PinOff, Power, Settings, Stethoscope, TriangleAlert } from 'lucide-react'
import { useEffect, useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { safeText } from '../../main/words/format.ts'
import type { Headline } from '../../main/words/states.ts'
import { t } from '../../main/words/words.ts'
import { exitWords } from '../state/exit-nodes.ts'
import { attentionLines, switchOf, type AttentionLine } from '../state/small.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { setConnected } from '../ui/connect.ts'
import { Knot } from '../ui/PathGlyph.tsx'
import { PolicyLine, useLock } from '../ui/PolicyLine.tsx'
import { Switch } from '../ui/Switch.tsx'
import { useAsk } from '../ui/use-ask.ts'
import { useExit } from '../ui/use-exit.ts'
import { useSmallDrop } from '../ui/use-small-drop.ts'
import { Account } from './Account.tsx'
import { SmallDevices } from './SmallDevices.tsx'
import { SmallTransfers } from './SmallTransfers.tsx'

export function Small({ head }: { head: Headline }): ReactNode {
  const connected = useSnapshot((s) => s.app.engine === 'running' && s.status?.BackendState === 'Running')
  useEscape()
  const drop = useSmallDrop()
  return (
    <div className="small-window" {...drop.handlers}>
      <header className="small-top"><Account /></header>
      <main className="small-main" aria-label={t('small.region')}>
        <Head head={head} />
        {connected && <ExitLine />}
        <Attention />
        <SmallTransfers />
        <p className="small-said" role="status">{drop.said}</p>
        <SmallDevices />
      </main>
      <Foot />
    </div>
  )
}

/** Escape that nothing else has taken closes the window. */
function useEscape(): void {
  const api = useApi()
  useEffect(() => {
    const close = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape' || event.defaultPrevented || document.querySelector('dialog[open]')) return
      if (event.target instanceof HTMLInputElement && event.target.value !== '') return
      void api.call('smallWindow', { do: 'close' })
    }
    window.addEventListener('keydown', close)
    return () => window.removeEventListener('keydown', close)
  }, [api])
}

function Head({ head }: { head: Headline }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const [running, ownStopped, status, prefs] = useSnapshot(useShallow((s) => [s.app.engine === 'running', s.app.engineHost === 'app' && (s.app.engine === 'stopped' || s.app.engine === 'keeps-stopping'), s.status, s.prefs] as const))
  const on = switchOf(running, status?.BackendState, prefs)
  // Only disconnecting is forbidden.
  const rule = useLock('WantRunning')
  const locked = on === true && rule !== undefined
  const address = status?.Self.TailscaleIPs?.[0]
  const name = safeText(status?.Self.DNSName.split('.')[0] || status?.Self.HostName || '', 60)
  const signsIn = running && status?.BackendState === 'NeedsLogin'
  return (
    <section className={`small-head tone-${head.tone}`} aria-label={t('small.connection')}>
      <Knot tone={head.tone} size={30} />
      <div className="grow cut-box">
        <div role="status"><h1 className="small-headline">{head.words}</h1></div>
        <p className="small t2 num cut">{ask.problem !== '' ? safeText(ask.problem, 200) : address === undefined || !running ? head.more ?? '' : <><bdi>{name}</bdi>, {address}</>}</p>
        <PolicyLine id="small-rule" rule={locked ? rule : undefined} />
      </div>
      {on !== undefined && <Switch on={on} wait={ask.wait} locked={locked} {...(locked ? { describedBy: 'small-rule' } : {})} label={on ? t('tray.disconnect') : t('tray.connect')} onFlip={() => void ask.run(() => setConnected(api, !on))} />}
      {ownStopped && <button type="button" className="button" aria-busy={ask.wait !== 'no'} onClick={() => void ask.run(() => api.call('restartEngine', {}))}>{t('tray.startEngine')}</button>}
      {signsIn && <button type="button" className="button ink" onClick={() => void api.call('showMain', {})}>{t('notice.signIn')}</button>}
    </section>
  )
}

function ExitLine(): ReactNode {
  const api = useApi()
  const page = useSnapshot((s) => s.exitNodes)
  const words = exitWords(page)
  return (
    <button type="button" className="small-line" onClick={() => void api.call('showMain', { hash: '#/exit-nodes' })}>
      <DoorOpen className="t3" size={16} strokeWidth={1.9} aria-hidden="true" />
      <span className="grow">{t('small.exit')}</span>
      <span className={`cut exit-${words.tone}`}><bdi>{words.words}</bdi></span>
      <ChevronRight className="t3" size={16} strokeWidth={1.9} aria-hidden="true" />
    </button>
  )
}

function Attention(): ReactNode {
  const [running, status, warnings, exit, machine, policy, nowMs] = useSnapshot(useShallow((s) => [s.app.engine === 'running', s.status, s.warnings, s.exitNodes, s.machine, s.policy, s.nowMs] as const))
  if (!running) return null
  return attentionLines({ status, warnings, exit, machine, policy, nowMs }).map((line) => <AttentionRow key={line.key} line={line} />)
}

function AttentionRow({ line }: { line: AttentionLine }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const exit = useExit()
  const { does } = line.button
  const act = async (): Promise<void> => {
    if (does.kind === 'exit-off') return void (await exit.clear())
    if (does.kind === 'show') return void (await api.call('showMain', { hash: does.hash }))
    if (await ask.run(() => api.call('loginInteractive', {}))) await api.call('showMain', {})
  }
  const problem = ask.problem || exit.ask.problem
  const Icon = line.grave ? TriangleAlert : CircleAlert
  return (
    <div className={`small-line ${line.grave ? 'grave' : 'asks-soon'}`} role={line.grave ? 'alert' : undefined}>
      <Icon size={16} strokeWidth={1.9} aria-hidden="true" />
      <span className="grow">{problem === '' ? line.words : safeText(problem, 200)}</span>
      <button type="button" className="link" aria-busy={ask.wait !== 'no' || exit.ask.wait !== 'no'} onClick={() => void act()}>{line.button.label}</button>
    </div>
  )
}

function Foot(): ReactNode {
  const api = useApi()
  const [pinned, setPinned] = useState(false)
  const show = (hash?: string): void => void api.call('showMain', hash === undefined ? {} : { hash })
  const pin = async (): Promise<void> => {
    const answer = await api.call('smallWindow', { do: pinned ? 'unpin' : 'pin' })
    if (answer.ok) setPinned(!pinned)
  }
  const PinIcon = pinned ? PinOff : Pin
  const pinWords = pinned ? t('small.unpin') : t('small.pin')
  return (
    <footer className="small-foot">
      <button type="button" className="button ghost" onClick={() => show()}><AppWindow size={16} strokeWidth={1.9} aria-hidden="true" />{t('tray.open')}</button>
      <span className="grow" />
      <button type="button" className="icon-button" aria-label={pinWords} title={pinWords} aria-pressed={pinned} onClick={() => void pin()}><PinIcon size={16} strokeWidth={1.9} aria-hidden="true" /></button>
      <button type="button" className="icon-button" aria-label={t('small.diagnose')} title={t('small.diagnose')} onClick={() => show('#/diagnose')}><Stethoscope size={16} strokeWidth={1.9} aria-hidden="true" /></button>
      <button type="button" className="icon-button" aria-label={t('small.settings')} title={t('small.settings')} onClick={() => show('#/settings')}><Settings size={16} strokeWidth={1.9} aria-hidden="true" /></button>
      <button type="button" className="icon-button" aria-label={t('tray.quit')} title={t('tray.quit')} onClick={() => void api.call('quit', {})}><Power size={16} strokeWidth={1.9} aria-hidden="true" /></button>
    </footer>
  )
}
