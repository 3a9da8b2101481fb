/**
 * Whether one port of this device can be reached, and where it stops if not.
 */
import { useState, type FormEvent, type ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { forwardTarget } from '../state/networks.ts'
import { useSnapshot } from '../state/store.ts'
import { ReachLadder } from './ReachLadder.tsx'

export function DeviceReach({ device }: { device: Device }): ReactNode {
  const running = useSnapshot((s) => s.status?.BackendState === 'Running' && s.app.engine === 'running')
  const [text, setText] = useState('')
  const [asked, setAsked] = useState({ port: 0, turn: 0 })
  const port = Number(text)
  const valid = Number.isInteger(port) && port >= 1 && port <= 65_535
  const look = (event: FormEvent): void => {
    event.preventDefault()
    if (valid) setAsked({ port, turn: asked.turn + 1 })
  }
  return (
    <section className="device-reach" aria-labelledby="device-reach">
      <h2 id="device-reach">{t('device.reach')}</h2>
      <form className="buttons" onSubmit={look}>
        <label className="field port">{t('device.service.port')} <input inputMode="numeric" size={5} maxLength={5} value={text} onChange={(event) => setText(event.target.value.replaceAll(/\D/g, ''))} aria-invalid={text !== '' && !valid} /></label>
        <button type="submit" className="button" disabled={!valid || !running}>{t('device.reach.look')}</button>
      </form>
      {asked.port === 0 ? <p className="t2 small">{t('device.reach.means')}</p> : <ReachLadder target={forwardTarget(device, asked.port)} turn={asked.turn} />}
    </section>
  )
}
