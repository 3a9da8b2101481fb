/**
 * A device's services on this computer: a web page opens in the browser, any other port gets a loopback address to copy for a while,
 * and one for good where somebody wants to keep it.
 */
import { Globe, Plug } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import type { Answer, ForwardRow, OpenedForward } from '../../preload/contract.ts'
import { rich, t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { look } from '../state/looks.ts'
import { commandFor, forwardTarget, SERVICES } from '../state/networks.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { Said } from '../ui/Said.tsx'
import { useAsk, waits } from '../ui/use-ask.ts'

/** The lowest port that a person without admin rights may listen on. */
const FIRST_FREE = 1024
const HTTPS_PORTS = [443, 8443]

interface Door {
  readonly port: number
  readonly forward: OpenedForward
}

export function DeviceServices({ device, running }: { device: Device; running: boolean }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const [text, setText] = useState('')
  const [door, setDoor] = useState<Door>()
  const port = Number(text)
  const valid = Number.isInteger(port) && port >= 1 && port <= 65_535
  const openPage = (to: number): void => void ask.run(async () => {
    setDoor(undefined)
    const answer = await api.call('openForward', { To: forwardTarget(device, to), Scheme: HTTPS_PORTS.includes(to) ? 'https' : 'http' })
    return answer.ok ? api.call('openExternal', { url: answer.value.URL ?? '' }) : answer
  })
  const openDoor = (to: number): void => void ask.run(async () => {
    setDoor(undefined)
    const answer = await api.call('openForward', { To: forwardTarget(device, to) })
    if (!answer.ok) return answer
    setDoor({ port: to, forward: answer.value })
    return look(api, 'forwards')
  })
  return (
    <section className="services" aria-label={t('device.service')}>
      <div className="buttons">
        {SERVICES.map((service) => (
          <button key={service.port} type="button" className="chip" disabled={!running} title={t(service.isWeb ? 'device.service.opens' : 'device.service.gives')}
            onClick={() => (service.isWeb ? openPage(service.port) : openDoor(service.port))}>{'name' in service ? service.name : t(`device.service.${service.word}`)} <span className="t3 num">{service.port}</span></button>
        ))}
      </div>
      <div className="buttons">
        <label className="field port">{t('device.service.port')} <input inputMode="numeric" size={5} maxLength={5} value={text} onChange={(event) => setText(event.target.value.replaceAll(/\D/g, ''))} aria-invalid={text !== '' && !valid} /></label>
        <button type="button" className="button" disabled={!valid || !running} aria-busy={waits(ask)} onClick={() => openPage(port)}><Globe size={16} aria-hidden="true" />{t('device.service.page')}</button>
        <button type="button" className="button" disabled={!valid || !running} aria-busy={waits(ask)} onClick={() => openDoor(port)}><Plug size={16} aria-hidden="true" />{t('device.service.address')}</button>
      </div>
      <AskWords ask={ask} />
      {door && <OpenDoor device={device} door={door} />}
    </section>
  )
}

/** The address that leads there now, and how to keep one. */
function OpenDoor({ device, door }: { device: Device; door: Door }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const [kept, setKept] = useState('')
  const { port, forward } = door
  const command = commandFor(port, forward.Listen)
  const keep = (): void => void ask.run(async () => {
    const add = (listen: number): Promise<Answer<ForwardRow>> => api.call('addForward', { Proto: 'tcp', Listen: `127.0.0.1:${listen}`, To: forwardTarget(device, port) })
    // The port that the service has itself is the easiest to remember; it may be taken.
    const same = port >= FIRST_FREE ? await add(port) : undefined
    const answer = same?.ok ? same : await add(0)
    if (answer.ok) setKept(answer.value.Listen)
    return answer.ok ? look(api, 'forwards') : answer
  })
  return (
    <div className="well door" role="status">
      {kept === '' ? (
        <p><Said parts={rich<ReactNode>('device.service.door', { port: String(port), name: <bdi>{device.name}</bdi>, address: <span className="num strong-2 selectable">{forward.Listen}</span> })} /></p>
      ) : (
        <p><Said parts={rich<ReactNode>('device.service.kept', { port: String(port), name: <bdi>{device.name}</bdi>, address: <span className="num strong-2 selectable">{kept}</span> })} /></p>
      )}
      <div className="buttons">
        <CopyButton text={kept || forward.Listen} className="button">{t('device.copyAddress')}</CopyButton>
        {command !== '' && kept === '' && <CopyButton text={command} className="button">{t('device.service.copyCommand')}</CopyButton>}
        {kept === '' && <button type="button" className="button" aria-busy={waits(ask)} onClick={keep}>{t('device.service.keep')}</button>}
      </div>
      <AskWords ask={ask} />
    </div>
  )
}
