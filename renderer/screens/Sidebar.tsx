/**
 * The left column: account, connection with its switch, places, and this device with its address.
 */
import { Check, Copy, MonitorSmartphone } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { devicesOf } from '../state/devices.ts'
import { age, safeText } from '../state/format.ts'
import { useSnapshot } from '../state/store.ts'
import type { Headline } from '../state/words.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { Knot, Mark } from '../ui/PathGlyph.tsx'

export function Sidebar({ head }: { head: Headline }): ReactNode {
  const [app, status, paths, nowMs, heardMs] = useSnapshot(useShallow((s) => [s.app, s.status, s.paths, s.nowMs, s.heardMs] as const))
  const count = devicesOf(status, paths, true).length
  const self = status?.Self
  const user = self ? status?.User?.[String(self.UserID)] : undefined
  const network = status?.CurrentTailnet?.Name ?? ''
  return (
    <aside className="sidebar" aria-label="Account and connection">
      <div className="brand"><Mark /><span>Bowline</span></div>
      <div className="account">
        <span className="account-square" aria-hidden="true">{[...safeText(network || user?.DisplayName || 'B')][0]?.toUpperCase()}</span>
        <div className="grow cut-box">
          <div className="cut strong-2">{safeText(network) || 'No network yet'}</div>
          <div className="cut small t3">{safeText(user?.LoginName ?? '')}</div>
        </div>
      </div>
      <section className="connection" aria-label="Connection">
        <div className="connection-head">
          <Knot tone={head.tone} />
          <span className="grow strong-2 cut">{head.words}</span>
          <ConnectionSwitch />
        </div>
        <div className="kv"><span>Server</span><span className="num">{app.engine === 'running' && heardMs > 0 ? `engine heard ${age(nowMs - heardMs)}${nowMs - heardMs < 1000 ? '' : ' ago'}` : 'not checked yet'}</span></div>
      </section>
      <nav className="places" aria-label="Places">
        <a className="on" aria-current="page" href="#/devices"><MonitorSmartphone size={16} strokeWidth={1.9} aria-hidden="true" />Devices<span className="n num">{count}</span></a>
      </nav>
      <div className="grow" />
      <ThisDevice />
    </aside>
  )
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
      className={`switch ${on ? 'on' : ''}`} disabled={waiting} onClick={() => void flip()} />
  )
}

function ThisDevice(): ReactNode {
  const status = useSnapshot((s) => s.status)
  const [copied, setCopied] = useState(false)
  const address = status?.Self.TailscaleIPs?.[0]
  if (!status || address === undefined) return null
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(address)
    setCopied(true)
    setTimeout(() => setCopied(false), 1500)
  }
  return (
    <div className="this-device">
      <div className="grow cut-box">
        <div className="cut strong-2">{safeText(status.Self.DNSName.split('.')[0] || status.Self.HostName)}</div>
        <div className="small t3 num">{address}</div>
      </div>
      <button type="button" className="icon-button" aria-label={copied ? 'Copied' : `Copy this device's address, ${address}`} onClick={() => void copy()}>
        {copied ? <Check size={16} aria-hidden="true" /> : <Copy size={16} strokeWidth={1.9} aria-hidden="true" />}
      </button>
    </div>
  )
}
