/**
 * The left column: account, connection with its switch, places, and this device with its address.
 */
import { Copy, DoorOpen, MonitorSmartphone, Settings, Stethoscope } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { devicesOf } from '../state/devices.ts'
import { exitWords } from '../state/exit-nodes.ts'
import { clockTime, safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { Place } from '../state/route.ts'
import { useSnapshot } from '../state/store.ts'
import type { Headline } from '../../main/words/states.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { withKey } from '../ui/keys.ts'
import { Knot, Mark } from '../ui/PathGlyph.tsx'
import { Account } from './Account.tsx'
import { modeName, ModeDialog } from './ModeDialog.tsx'

export function Sidebar({ head, place }: { head: Headline; place: Place }): ReactNode {
  const [status, paths, exitPage] = useSnapshot(useShallow((s) => [s.status, s.paths, s.app.engine === 'running' ? s.exitNodes : undefined] as const))
  const exit = exitWords(exitPage)
  const count = devicesOf(status, paths, true).length
  return (
    <aside className="sidebar" aria-label="Account and connection">
      <div className="brand"><Mark /><span>Bowline</span></div>
      <Account />
      <section className="connection" aria-label="Connection">
        <div className="connection-head">
          <Knot tone={head.tone} />
          <span className="grow strong-2 cut">{head.words}</span>
          <ConnectionSwitch />
        </div>
        <div className="kv"><span>Exit node</span><span className={`cut exit-${exit.tone}`} title={exit.words}><bdi>{exit.words}</bdi></span></div>
        <ModeLine />
        <div className="kv"><span>Server</span><span className="num cut"><ServerWords /></span></div>
      </section>
      <nav className="places" aria-label="Places">
        <a {...here(place === 'devices')} href="#/devices" title="Devices (Ctrl 1)"><MonitorSmartphone size={16} strokeWidth={1.9} aria-hidden="true" /><span className="place-name">Devices</span><span className="n num">{count}</span></a>
        <a {...here(place === 'exit-nodes')} href="#/exit-nodes" title={`Exit nodes: ${exit.words} (Ctrl E)`}><DoorOpen size={16} strokeWidth={1.9} aria-hidden="true" /><span className="place-name">Exit nodes</span>{(exit.tone === 'warn' || exit.tone === 'bad') && <span className={`n exit-dot exit-${exit.tone}`} aria-hidden="true" />}</a>
        <a {...here(place === 'diagnose')} href="#/diagnose" title={withKey(t('place.diagnose'), 'Mod+3')}><Stethoscope size={16} strokeWidth={1.9} aria-hidden="true" /><span className="place-name">{t('place.diagnose')}</span></a>
        <span className="grow" />
        <a {...here(place === 'settings')} href="#/settings" title={withKey(t('place.settings'), 'Mod+,')}><Settings size={16} strokeWidth={1.9} aria-hidden="true" /><span className="place-name">{t('place.settings')}</span></a>
      </nav>
      <ThisDevice />
    </aside>
  )
}

const here = (isHere: boolean): { readonly className: string; readonly 'aria-current'?: 'page' } => (isHere ? { className: 'on', 'aria-current': 'page' } : { className: '' })

function ModeLine(): ReactNode {
  const proxies = useSnapshot((s) => s.proxies)
  const [open, setOpen] = useState(false)
  if (!proxies) return null
  return (
    <>
      <div className="kv"><span>Mode</span><button type="button" className="link" aria-haspopup="dialog" title="What this means, and the other way" onClick={() => setOpen(true)}>{modeName(proxies.Mode)}</button></div>
      {open && <ModeDialog onClose={() => setOpen(false)} />}
    </>
  )
}

/** What is known of the server: the stream of changes is open, or since when it is not. */
function ServerWords(): ReactNode {
  const [running, state, unreachable] = useSnapshot(useShallow((s) => [s.app.engine === 'running', s.status?.BackendState, s.warnings?.['not-in-map-poll']] as const))
  if (running && unreachable) {
    const sinceMs = Date.parse(unreachable.BrokenSince ?? '')
    return <span title={safeText(unreachable.Text, 300)}>not reachable{Number.isNaN(sinceMs) ? '' : ` since ${clockTime(sinceMs)}`}</span>
  }
  return running && (state === 'Running' || state === 'NeedsLogin') ? 'reachable' : 'not checked yet'
}

function ConnectionSwitch(): ReactNode {
  const api = useApi()
  const [app, status, prefs] = useSnapshot(useShallow((s) => [s.app, s.status, s.prefs] as const))
  const [waiting, setWaiting] = useState(false)
  const state = status?.BackendState
  if (app.engine !== 'running' || !(state === 'Running' || state === 'Starting' || state === 'Stopped')) return null
  const on = prefs?.WantRunning ?? state !== 'Stopped'
  const flip = async (): Promise<void> => {
    setWaiting(true)
    await api.call('editPrefs', { WantRunning: !on, WantRunningSet: true })
    setWaiting(false)
  }
  return (
    <button type="button" role="switch" aria-checked={on} aria-label={on ? 'Connected. Disconnect' : 'Disconnected. Connect'} aria-busy={waiting}
      title={on ? 'Disconnect' : 'Connect'} className={`switch ${on ? 'on' : ''}`} disabled={waiting} onClick={() => void flip()} />
  )
}

function ThisDevice(): ReactNode {
  const status = useSnapshot((s) => s.status)
  const address = status?.Self.TailscaleIPs?.[0]
  if (!status || address === undefined) return null
  return (
    <div className="this-device">
      <div className="grow cut-box">
        <div className="cut strong-2"><bdi>{safeText(status.Self.DNSName.split('.')[0] || status.Self.HostName)}</bdi></div>
        <div className="small t3 num">{address}</div>
      </div>
      <CopyButton text={address} className="icon-button" label={`Copy this device's address, ${address}`}><Copy size={16} strokeWidth={1.9} aria-hidden="true" /></CopyButton>
    </div>
  )
}
