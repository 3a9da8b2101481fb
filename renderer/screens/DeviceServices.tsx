/**
 * A device's services on this computer: a web page opens in the browser, any other port gets a loopback address to copy for a while,
 * which can be kept as a saved forward.
 */
import { Globe, Plug } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import type { Answer } from '../../preload/contract.ts'
import type { Device } from '../state/devices.ts'
import { look } from '../state/looks.ts'
import { commandFor, forwardTarget, SERVICES } from '../state/networks.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { useAsk } from '../ui/use-ask.ts'

/** The lowest port that a person without admin rights may listen on. */
const FIRST_FREE = 1024

interface Door {
  readonly port: number
  /** "127.0.0.1:40123" */
  readonly at: string
}

export function DeviceServices({ device, running }: { device: Device; running: boolean }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const [text, setText] = useState('')
  const [door, setDoor] = useState<Door>()
  const port = Number(text)
  const valid = Number.isInteger(port) && port >= 1 && port <= 65_535
  const open = async (to: number): Promise<Answer<{ url: string }>> => api.call('openPeerPage', { ip: device.address, port: to })
  const openPage = (to: number, scheme: 'http' | 'https'): void => void ask.run(async () => {
    setDoor(undefined)
    const answer = await open(to)
    return answer.ok ? api.call('openExternal', { url: answer.value.url.replace(/^http:/, `${scheme}:`) }) : answer
  })
  const openDoor = (to: number): void => void ask.run(async () => {
    setDoor(undefined)
    const answer = await open(to)
    if (answer.ok) setDoor({ port: to, at: new URL(answer.value.url).host })
    return answer
  })
  const busy = ask.wait === 'shown' || ask.wait === 'long'
  return (
    <section className="services" aria-label="Open a service">
      <div className="buttons chips">
        {SERVICES.map((service) => (
          <button key={service.port} type="button" className="chip" disabled={!running} title={service.web ? 'Opens in your browser' : 'Gives an address on this computer'}
            onClick={() => (service.web ? openPage(service.port, service.web) : openDoor(service.port))}>{service.name} <span className="t3 num">{service.port}</span></button>
        ))}
      </div>
      <div className="buttons">
        <label className="field port">port <input inputMode="numeric" size={5} maxLength={5} value={text} onChange={(event) => setText(event.target.value.replaceAll(/\D/g, ''))} aria-invalid={text !== '' && !valid} /></label>
        <button type="button" className="button" disabled={!valid || !running} aria-busy={busy} onClick={() => openPage(port, port === 443 || port === 8443 ? 'https' : 'http')}><Globe size={16} aria-hidden="true" />Open its web page</button>
        <button type="button" className="button" disabled={!valid || !running} aria-busy={busy} onClick={() => openDoor(port)}><Plug size={16} aria-hidden="true" />Get an address</button>
      </div>
      <AskWords ask={ask} />
      {door && <OpenDoor device={device} door={door} onKept={() => setDoor(undefined)} />}
    </section>
  )
}

/** The address that leads there now, and how to keep it. */
function OpenDoor({ device, door, onKept }: { device: Device; door: Door; onKept: () => void }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const command = commandFor(door.port, door.at)
  const keep = async (): Promise<void> => {
    const add = (listen: number): Promise<Answer<unknown>> => api.call('addForward', { Proto: 'tcp', Listen: `127.0.0.1:${listen}`, To: forwardTarget(device, door.port) })
    const done = await ask.run(async () => {
      const same = door.port >= FIRST_FREE ? await add(door.port) : undefined
      const answer = same?.ok ? same : await add(0)
      return answer.ok ? look(api, 'forwards') : answer
    })
    if (done) onKept()
  }
  return (
    <div className="well door" role="status">
      <p>Port {door.port} of <bdi>{device.name}</bdi> is at <span className="num strong-2 selectable">{door.at}</span> on this computer, until ten minutes after its last use.</p>
      <div className="buttons">
        <CopyButton text={door.at} className="button">Copy address</CopyButton>
        {command !== '' && <CopyButton text={command} className="button">Copy command</CopyButton>}
        <button type="button" className="button" aria-busy={ask.wait === 'shown' || ask.wait === 'long'} onClick={() => void keep()}>Keep this forward</button>
      </div>
      <AskWords ask={ask} />
    </div>
  )
}
