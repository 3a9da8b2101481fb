/**
 * One device: who it is, what can be done with it, and three tabs: its path with the reason, its details, and what reaches it.
 */
import { ArrowLeft, Copy } from 'lucide-react'
import { useEffect, useRef, type ReactNode } from 'react'
import { ago, safeText } from '../../main/words/format.ts'
import { heardMs } from '../../main/words/states.ts'
import { t } from '../../main/words/words.ts'
import { useWish } from '../state/device-wish.ts'
import type { Device } from '../state/devices.ts'
import { chooseToSend } from '../state/sending.ts'
import { mayReceive } from '../state/targets.ts'
import { usePathPage } from '../state/path-page.ts'
import { goTo, TABS, useRoute, type Tab } from '../state/route.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { KindIcon } from '../ui/KindIcon.tsx'
import { useKeys } from '../ui/keys.ts'
import { Tabs } from '../ui/Tabs.tsx'
import { say } from '../ui/toast.ts'
import { useProbe } from '../ui/use-probe.ts'
import { DeviceAccess } from './DeviceAccess.tsx'
import { DeviceActions } from './DeviceActions.tsx'
import { DeviceDetails } from './DeviceDetails.tsx'
import { DeviceTransfers } from './DeviceTransfers.tsx'
import { PathSection } from './PathSection.tsx'

export function DevicePage({ device }: { device: Device }): ReactNode {
  const api = useApi()
  const nowMs = useSnapshot((s) => s.nowMs)
  const running = useSnapshot((s) => s.status?.BackendState === 'Running' && s.app.engine === 'running')
  const route = useRoute()
  const probe = useProbe(api, device, running)
  const look = usePathPage(api, device.peer.PublicKey, running && !device.isSelf)
  const title = useRef<HTMLHeadingElement>(null)
  const page = useRef<HTMLElement>(null)
  useEffect(() => {
    // In a small window the row that was chosen is gone, and the focus with it.
    const frame = requestAnimationFrame(() => {
      if (document.activeElement === document.body) title.current?.focus()
    })
    return () => cancelAnimationFrame(frame)
  }, [])
  const wished = useWish((s) => s.ping === device.id)
  const { pinging, toggle } = probe
  const may = running && !device.isSelf
  useEffect(() => {
    if (!wished) return
    useWish.setState({ ping: undefined })
    if (may && !pinging) toggle()
  }, [wished, may, pinging, toggle])
  const explain = (): void => {
    goTo(device.id, 'path')
    // The tab may not be drawn yet.
    requestAnimationFrame(() => page.current?.querySelector<HTMLElement>('[role=tabpanel] .verdict')?.focus())
  }
  useKeys(device.isSelf ? {} : { 'Mod+P': () => { if (running) { goTo(device.id, 'path'); toggle() } }, 'Mod+D': explain, ...(mayReceive(device) ? { 'Mod+U': () => void chooseToSend(api, false, device.id, say) } : {}) })
  const tabs = TABS.filter((id) => id !== 'path' || !device.isSelf).map((id) => ({ id, label: t(`device.tab.${id}`) }))
  const wanted: Tab = route.place === 'devices' ? route.tab : 'path'
  const tab = wanted === 'path' && device.isSelf ? 'details' : wanted
  return (
    <section className="device-page" aria-label={device.name} ref={page} {...(device.isSelf ? {} : { 'data-drop': device.id })}>
      <header className="bar">
        <button type="button" className="icon-button back" aria-label={t('device.back')} onClick={() => goTo(undefined)}><ArrowLeft size={16} aria-hidden="true" /></button>
        <KindIcon os={device.peer.OS} tagged={device.tagged} />
        <h1 className="cut" ref={title} tabIndex={-1}><bdi>{device.name}</bdi></h1>
      </header>
      <div className="page-body">
        <FactsLine device={device} nowMs={nowMs} />
        {device.isSelf ? <p className="verdict">{t('device.self')}</p> : (
          <DeviceActions device={device} probe={probe} running={running} onPing={() => tab !== 'path' && goTo(device.id, 'path')} />
        )}
        {!device.isSelf && <DeviceTransfers device={device} />}
        <Tabs tabs={tabs} chosen={tab} label={t('device.tabs')} onChoose={(id) => goTo(device.id, id)}>
          {tab === 'path' && <PathSection device={device} look={look} probe={probe} running={running} nowMs={nowMs} />}
          {tab === 'details' && <DeviceDetails device={device} page={look?.page} nowMs={nowMs} />}
          {tab === 'access' && <DeviceAccess device={device} />}
        </Tabs>
      </div>
    </section>
  )
}

function FactsLine({ device, nowMs }: { device: Device; nowMs: number }): ReactNode {
  const heard = heardMs(device.peer, device.row, nowMs)
  return (
    <p className="facts-line t2">
      <span className="num selectable">{device.address}</span>
      <CopyButton text={device.address} className="icon-button inline"><Copy size={14} strokeWidth={1.9} aria-hidden="true" /></CopyButton>
      <span aria-hidden="true">·</span> <bdi>{device.owner}</bdi> <span aria-hidden="true">·</span> <span>{safeText(device.peer.OS || t('device.system.unknown'), 30)}</span>
      {!device.isSelf && <> <span aria-hidden="true">·</span> <span className="num">{heard === undefined ? t('device.heard.never') : t('device.heard', { age: ago(heard) })}</span></>}
    </p>
  )
}
