/**
 * What can be done with many devices at once, in place of the filters while some are selected.
 */
import { X } from 'lucide-react'
import type { ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { useAccountView } from '../state/devices-live.ts'
import { select } from '../state/devices-session.ts'
import type { DeviceActions } from './DevicesActions.tsx'
import { itemsOfMany } from './DevicesMenu.tsx'

export function DevicesSelection({ devices, actions }: { devices: readonly Device[]; actions: DeviceActions }): ReactNode {
  const view = useAccountView()
  return (
    <div className="filters" role="group" aria-label={t('devices.menu.many', { n: devices.length })}>
      <span className="strong-2 num">{t('devices.menu.many', { n: devices.length })}</span>
      {itemsOfMany(devices, view, actions).map(({ words, icon, act }) => <button key={words} type="button" className="filter" onClick={act}>{icon}{words}</button>)}
      <span className="grow" />
      <button type="button" className="filter" onClick={() => select([])}><X size={16} strokeWidth={1.9} aria-hidden="true" />{t('devices.selected.clear')}</button>
    </div>
  )
}
