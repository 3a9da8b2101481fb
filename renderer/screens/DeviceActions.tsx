/**
 * What can be done with a device: ping it, open a service, use it as exit node, pin it.
 */
import { Activity, DoorOpen, Pin, PinOff, Plug, Send, Square } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { editView, useAccountView } from '../state/devices-live.ts'
import { marked } from '../state/devices-view.ts'
import { mayReceive } from '../state/targets.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { ariaKeys, withKey } from '../ui/keys.ts'
import { useLock } from '../ui/PolicyLine.tsx'
import { SendButton } from '../ui/SendButton.tsx'
import { useAsk, waits } from '../ui/use-ask.ts'
import { useExit } from '../ui/use-exit.ts'
import type { Probe } from '../ui/use-probe.ts'
import { DeviceServices } from './DeviceServices.tsx'

export function DeviceActions({ device, probe, running, onPing }: { device: Device; probe: Probe; running: boolean; onPing: () => void }): ReactNode {
  const [open, setOpen] = useState(false)
  const ping = (): void => {
    if (!probe.pinging) onPing()
    probe.toggle()
  }
  const exit = useExit()
  const page = useSnapshot((s) => s.exitNodes)
  const held = useLock('ExitNodeID') !== undefined
  const inUse = page !== undefined && page.Chosen.Kind !== 'none' && page.Chosen.ID === device.id
  return (
    <>
      <div className="buttons">
        <button type="button" className="button" disabled={!running} title={withKey(t(probe.pinging ? 'device.ping.stop' : 'device.ping'), 'Mod+P')} aria-keyshortcuts={ariaKeys('Mod+P')} onClick={ping}>
          {probe.pinging ? <Square size={16} aria-hidden="true" /> : <Activity size={16} aria-hidden="true" />}{t(probe.pinging ? 'device.ping.stop' : 'device.ping')}
        </button>
        {mayReceive(device) && <SendButton peer={device.id} words={t('transfers.send.to')} keys="Mod+U"><Send size={16} aria-hidden="true" /></SendButton>}
        <button type="button" className="button" aria-expanded={open} onClick={() => setOpen(!open)}><Plug size={16} aria-hidden="true" />{t('device.service')}</button>
        {(device.peer.ExitNodeOption || inUse) && !held && (
          <button type="button" className="button" disabled={!running} aria-busy={waits(exit.ask)} onClick={() => void (inUse ? exit.clear() : exit.use(device.id))}>
            <DoorOpen size={16} aria-hidden="true" />{t(inUse ? 'device.exit.stop' : 'device.exit.use')}
          </button>
        )}
        <PinButton id={device.id} />
      </div>
      <AskWords ask={exit.ask} />
      {open && <DeviceServices device={device} running={running} />}
    </>
  )
}

function PinButton({ id }: { id: string }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const on = useAccountView().pinned.includes(id)
  const isKnown = useSnapshot((s) => (s.profiles?.current.ID ?? '') !== '')
  if (!isKnown) return null
  return (
    <>
      <button type="button" className="button" aria-busy={waits(ask)} onClick={() => void ask.run(() => editView(api, (view) => marked(view, 'pinned', [id], !on)))}>
        {on ? <PinOff size={16} aria-hidden="true" /> : <Pin size={16} aria-hidden="true" />}{t(on ? 'device.unpin' : 'device.pin')}
      </button>
      <AskWords ask={ask} />
    </>
  )
}
