/**
 * One device: who it is, ping and where its web page is, its path with the reason, and its details.
 */
import { Activity, ArrowLeft, Copy, DoorOpen, Plug } from 'lucide-react'
import { useEffect, useRef, useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import type { PingResult, PingType } from '../../preload/contract.ts'
import type { Device } from '../state/devices.ts'
import { age, ageOf, byteCount, roundTrip, safeText } from '../../main/words/format.ts'
import { goTo } from '../state/route.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { KindIcon } from '../ui/KindIcon.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { waits } from '../ui/use-ask.ts'
import { useExit } from '../ui/use-exit.ts'
import { DeviceBlocked } from './DeviceBlocked.tsx'
import { DeviceNetworks } from './DeviceNetworks.tsx'
import { DeviceServices } from './DeviceServices.tsx'
import { ForwardList } from './ForwardList.tsx'
import { OwnNames } from './OwnNames.tsx'
import { OwnNetworks } from './OwnNetworks.tsx'
import { PathSection } from './PathSection.tsx'

export function DevicePage({ device }: { device: Device }): ReactNode {
  const nowMs = useSnapshot((s) => s.nowMs)
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    // In a small window the row that was chosen is gone, and the focus with it.
    const frame = requestAnimationFrame(() => {
      if (document.activeElement === document.body) title.current?.focus()
    })
    return () => cancelAnimationFrame(frame)
  }, [])
  return (
    <section className="device-page" aria-label={device.name}>
      <header className="bar">
        <button type="button" className="icon-button back" aria-label="Back to the list" onClick={() => goTo(undefined)}><ArrowLeft size={16} aria-hidden="true" /></button>
        <KindIcon os={device.peer.OS} tagged={device.tagged} />
        <h1 className="cut" ref={title} tabIndex={-1}><bdi>{device.name}</bdi></h1>
      </header>
      <div className="page-body">
        <p className="facts-line t2"><span className="num selectable">{device.address}</span> · <bdi>{device.owner}</bdi> · {safeText(device.peer.OS || 'system unknown', 30)}</p>
        {device.isSelf ? <p className="verdict">this is the device you are using</p> : (
          <>
            <Actions device={device} />
            <PathSection device={device} nowMs={nowMs} />
            <DeviceBlocked nodeKey={device.peer.PublicKey} />
            <DeviceNetworks device={device.id} />
          </>
        )}
        <ForwardList device={device.isSelf ? undefined : device} />
        {device.isSelf && <><OwnNetworks /><OwnNames /></>}
        <Facts device={device} nowMs={nowMs} />
      </div>
    </section>
  )
}

type Shot = { readonly atMs: number; readonly type: PingType } & ({ readonly kind: 'waiting' } | { readonly kind: 'answer'; readonly result: PingResult } | { readonly kind: 'failed'; readonly message: string })

const LAYERS: readonly { readonly type: PingType; readonly label: string; readonly asks: string }[] = [
  { type: 'disco', label: 'Path', asks: 'the other Bowline or Tailscale, by the path in use' },
  { type: 'TSMP', label: 'Tunnel', asks: 'through the encrypted tunnel' },
  { type: 'ICMP', label: 'System', asks: 'the system of the other device' },
]

/** What can be done with it: ping, open a service, use as exit node. */
function Actions({ device }: { device: Device }): ReactNode {
  const running = useSnapshot((s) => s.status?.BackendState === 'Running' && s.app.engine === 'running')
  const [shots, pingAll] = usePing(device)
  const [open, setOpen] = useState(false)
  const exit = useExit()
  const page = useSnapshot((s) => s.exitNodes)
  const inUse = page !== undefined && page.Chosen.Kind !== 'none' && page.Chosen.ID === device.id
  const busy = Object.values(shots).some((shot) => shot?.kind === 'waiting')
  return (
    <>
      <div className="buttons">
        <button type="button" className="button" disabled={!running || busy} aria-busy={busy} onClick={() => void pingAll()}><Activity size={16} aria-hidden="true" />Ping</button>
        <button type="button" className="button" aria-expanded={open} onClick={() => setOpen(!open)}><Plug size={16} aria-hidden="true" />Open a service</button>
        {(device.peer.ExitNodeOption || inUse) && (
          <button type="button" className="button" disabled={!running} aria-busy={waits(exit.ask)} onClick={() => void (inUse ? exit.clear() : exit.use(device.id))}>
            <DoorOpen size={16} aria-hidden="true" />{inUse ? 'Stop using as exit node' : 'Use as exit node'}
          </button>
        )}
      </div>
      <AskWords ask={exit.ask} />
      {open && <DeviceServices device={device} running={running} />}
      <Shots shots={shots} />
    </>
  )
}

type Shots = Readonly<Partial<Record<PingType, Shot>>>

function usePing(device: Device): readonly [Shots, () => Promise<void>] {
  const api = useApi()
  const [shots, setShots] = useState<Shots>({})
  const pingAll = async (): Promise<void> => {
    await Promise.all(LAYERS.map(async ({ type }) => {
      const put = (shot: Shot): void => setShots((old) => ({ ...old, [type]: shot }))
      put({ kind: 'waiting', type, atMs: Date.now() })
      const answer = await api.call('ping', { ip: device.address, type })
      const atMs = Date.now()
      if (!answer.ok) put({ kind: 'failed', type, atMs, message: answer.message })
      else if (answer.value.Err !== '') put({ kind: 'failed', type, atMs, message: answer.value.Err })
      else put({ kind: 'answer', type, atMs, result: answer.value })
    }))
  }
  return [shots, pingAll]
}

function Shots({ shots }: { shots: Shots }): ReactNode {
  if (Object.keys(shots).length === 0) return null
  return (
    <dl className="layers" aria-live="polite">
      {LAYERS.map(({ type, label, asks }) => {
        const shot = shots[type]
        return shot && <div key={type}><dt>{label}<span className="t3 small asks">{asks}</span></dt><dd className="num">{shotWords(shot)}</dd></div>
      })}
    </dl>
  )
}

function shotWords(shot: Shot): string {
  if (shot.kind === 'waiting') return 'asking…'
  if (shot.kind === 'failed') return safeText(shot.message, 160)
  const { Endpoint, DERPRegionCode, LatencySeconds } = shot.result
  const via = Endpoint !== '' ? ` direct, ${Endpoint}` : DERPRegionCode !== '' ? ` through ${safeText(DERPRegionCode, 20)}` : ''
  return `${roundTrip(LatencySeconds * 1000)}${via}`
}

function Facts({ device, nowMs }: { device: Device; nowMs: number }): ReactNode {
  const [derp] = useSnapshot(useShallow((s) => [s.status?.BackendState] as const))
  const { peer } = device
  const handshake = ageOf(peer.LastHandshake, nowMs)
  const facts: readonly (readonly [string, string])[] = [
    ['Addresses', (peer.TailscaleIPs ?? []).join(', ')],
    ['Network name', safeText(peer.DNSName.replace(/\.$/, ''))],
    ['Home relay', safeText(peer.Relay || 'none reported', 30)],
    ...(device.isSelf ? [['Own endpoints', (peer.Addrs ?? []).join(', ') || 'none yet'] as const] : [
      ['Direct address', peer.CurAddr || (device.path.kind === 'direct' ? (device.row?.addr ?? '') : '') || 'none in use'] as const,
      ['Sent, received', `${byteCount(peer.TxBytes)}, ${byteCount(peer.RxBytes)}`] as const,
      ['Last handshake', handshake === undefined ? 'none yet' : `${age(handshake)}${handshake < 1000 ? '' : ' ago'}`] as const,
      ['Server says', peer.Online ? 'online' : 'offline'] as const,
    ]),
    ['Sign-in ends', peer.KeyExpiry ? new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' }).format(Date.parse(peer.KeyExpiry)) : 'never'],
  ]
  return (
    <section className="block" aria-label="Details" data-state={derp}>
      <h2>Details</h2>
      <dl className="facts">
        {facts.map(([label, value]) => (
          <div key={label}><dt>{label}</dt><dd className="num selectable">{value}{label === 'Addresses' && <CopyButton text={peer.TailscaleIPs?.[0] ?? ''} className="icon-button"><Copy size={14} strokeWidth={1.9} aria-hidden="true" /></CopyButton>}</dd></div>
        ))}
      </dl>
    </section>
  )
}
