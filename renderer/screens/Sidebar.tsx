/**
 * The left column: account, connection with its switch, places, and this device with its address. In a narrow window it is a rail of icons,
 * whose words are in the tooltips.
 */
import { ArrowDownUp, Copy, DoorOpen, MonitorSmartphone, Settings, Stethoscope, type LucideIcon } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { deviceCount } from '../state/devices.ts'
import { exitWords } from '../state/exit-nodes.ts'
import { safeText, whole } from '../../main/words/format.ts'
import { t, type WordId } from '../../main/words/words.ts'
import type { Place } from '../state/route.ts'
import { serverWords } from '../state/server-words.ts'
import { openCount } from '../state/transfers.ts'
import { useSnapshot } from '../state/store.ts'
import type { Headline } from '../../main/words/states.ts'
import { CopyButton } from '../ui/CopyButton.tsx'
import { ariaKeys, withKey, type Combination } from '../ui/keys.ts'
import { Knot, Mark } from '../ui/PathGlyph.tsx'
import { Account } from './Account.tsx'
import { ConnectionSwitch } from './ConnectionSwitch.tsx'
import { ModeDialog } from './ModeDialog.tsx'

export function Sidebar({ head, place }: { head: Headline; place: Place }): ReactNode {
  const [exitPage, count] = useSnapshot(useShallow((s) => [s.app.engine === 'running' ? s.exitNodes : undefined, s.status ? deviceCount(s.status) : undefined] as const))
  const exit = exitWords(exitPage)
  const exitNodes = t('frame.exitTip', { place: t('place.exit-nodes'), words: exit.words })
  return (
    <aside className="sidebar" aria-label={t('frame.region')} data-region="">
      <div className="brand"><Mark /><span>Bowline</span></div>
      <Account />
      <section className="connection" aria-label={t('frame.connection')}>
        <div className="connection-head" title={head.words}>
          <Knot tone={head.tone} />
          <span className="grow strong-2 cut">{head.words}</span>
          <ConnectionSwitch />
        </div>
        <div className="kv"><span>{t('frame.exitNode')}</span><span className={`cut exit-${exit.tone}`} title={exit.words}><bdi>{exit.words}</bdi></span></div>
        <ModeLine />
        <div className="kv"><span>{t('frame.server')}</span><ServerWords /></div>
      </section>
      <nav className="places" aria-label={t('frame.places')} data-region="">
        <PlaceLink to="devices" here={place} icon={MonitorSmartphone} words="place.devices" keys="Mod+1"><span className="n num">{count}</span></PlaceLink>
        <PlaceLink to="exit-nodes" here={place} icon={DoorOpen} words="place.exit-nodes" tip={exitNodes} keys="Mod+E">
          {(exit.tone === 'warn' || exit.tone === 'bad') && <span className={`n exit-dot exit-${exit.tone}`} aria-hidden="true" />}
        </PlaceLink>
        <PlaceLink to="transfers" here={place} icon={ArrowDownUp} words="place.transfers" keys="Mod+3"><OpenTransfers /></PlaceLink>
        <PlaceLink to="diagnose" here={place} icon={Stethoscope} words="place.diagnose" keys="Mod+4" />
        <span className="grow" />
        <PlaceLink to="settings" here={place} icon={Settings} words="place.settings" keys="Mod+," />
      </nav>
      <ThisDevice />
    </aside>
  )
}

function OpenTransfers(): ReactNode {
  const n = useSnapshot((s) => openCount(s.transfers))
  return n === 0 ? null : <span className="n num open-transfers"><span aria-hidden="true">{whole(n)}</span><span className="sr-only">{t('transfers.open', { n })}</span></span>
}

interface PlaceLinkProps {
  readonly to: Place
  readonly here: Place
  readonly icon: LucideIcon
  readonly words: WordId
  /** What the tooltip says in place of the name. */
  readonly tip?: string
  readonly keys: Combination
  readonly children?: ReactNode
}

function PlaceLink({ to, here, icon: Icon, words, tip = t(words), keys, children }: PlaceLinkProps): ReactNode {
  return (
    <a href={`#/${to}`} title={withKey(tip, keys)} aria-keyshortcuts={ariaKeys(keys)} {...(to === here ? { className: 'on', 'aria-current': 'page' } : {})}>
      <Icon size={16} strokeWidth={1.9} aria-hidden="true" />
      <span className="place-name">{t(words)}</span>
      {children}
    </a>
  )
}

function ModeLine(): ReactNode {
  const mode = useSnapshot((s) => s.machine?.Mode)
  const [open, setOpen] = useState(false)
  if (mode === undefined) return null
  return (
    <>
      <div className="kv"><span>{t('frame.mode')}</span><button type="button" className="link" aria-haspopup="dialog" title={t('frame.mode.why')} onClick={() => setOpen(true)}>{t(`machine.mode.${mode}`)}</button></div>
      {open && <ModeDialog onClose={() => setOpen(false)} />}
    </>
  )
}

function ServerWords(): ReactNode {
  const { words, why } = useSnapshot(useShallow((s) => serverWords(s)))
  return <span className="num cut" title={why === '' ? words : why}>{words}</span>
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
      <CopyButton text={address} className="icon-button" label={t('frame.copyOwn', { address })}><Copy size={16} strokeWidth={1.9} aria-hidden="true" /></CopyButton>
    </div>
  )
}
