/**
 * In place of a device that the network no longer has.
 */
import type { ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import { goTo } from '../state/route.ts'

export function DeviceGone(): ReactNode {
  return (
    <section className="device-page empty" aria-label={t('device.gone')} role="status">
      <p className="strong-2">{t('device.gone')}</p>
      <p>{t('device.gone.more')}</p>
      <button type="button" className="button" onClick={() => goTo(undefined)}>{t('device.gone.back')}</button>
    </section>
  )
}
