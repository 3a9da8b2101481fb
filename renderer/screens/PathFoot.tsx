/**
 * Under the path: the evidence, a text for a ticket with what the person wants in it, and ten seconds of trying for a direct path.
 */
import { ClipboardCopy } from 'lucide-react'
import { useEffect, useRef, useState, type ReactNode } from 'react'
import type { PathPage } from '../../preload/contract.ts'
import { pathTicket, type TicketPart } from '../../main/localapi/path-ticket.ts'
import { t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'

const TRY_SEC = 10
const PARTS: readonly TicketPart[] = ['sides', 'changes', 'versions', 'names']

export function PathFoot({ device, page, open, onOpen }: { device: Device; page: PathPage; open: boolean; onOpen: () => void }): ReactNode {
  const [asks, setAsks] = useState(false)
  return (
    <>
      {asks && <Ticket page={page} />}
      <div className="path-foot">
        <button type="button" className="link" aria-expanded={open} onClick={onOpen}>{t(open ? 'device.evidence.hide' : 'device.evidence.show')}</button>
        <span className="grow" />
        <button type="button" className="button" aria-expanded={asks} onClick={() => setAsks(!asks)}><ClipboardCopy size={16} strokeWidth={1.9} aria-hidden="true" />{t('device.ticket')}</button>
        <TryDirect device={device} />
      </div>
    </>
  )
}

function Ticket({ page }: { page: PathPage }): ReactNode {
  const [parts, setParts] = useState<readonly TicketPart[]>(['sides', 'changes', 'versions'])
  return (
    <fieldset className="block ticket">
      <legend className="strong-2">{t('device.ticket.what')}</legend>
      <label className="tick"><input type="checkbox" checked disabled />{t('device.ticket.always')}</label>
      {PARTS.map((part) => (
        <label key={part} className="tick">
          <input type="checkbox" checked={parts.includes(part)} onChange={(event) => setParts(event.target.checked ? [...parts, part] : parts.filter((one) => one !== part))} />{t(`device.ticket.${part}`)}
        </label>
      ))}
      <div className="buttons"><CopyButton text={pathTicket(page, parts)} className="button">{t('device.ticket.copy')}</CopyButton><span className="t3 small">{t('device.ticket.local')}</span></div>
    </fieldset>
  )
}

/** Probes for ten seconds, or until a direct reply comes; what came of it is said aloud. */
function TryDirect({ device }: { device: Device }): ReactNode {
  const api = useApi()
  const [leftSec, setLeftSec] = useState<number>()
  const [result, setResult] = useState<'worked' | 'failed'>()
  const mounted = useRef(true)
  useEffect(() => {
    mounted.current = true
    return () => {
      mounted.current = false
    }
  }, [])
  const tryAgain = async (): Promise<void> => {
    setResult(undefined)
    let direct = false
    for (let left = TRY_SEC; left > 0 && !direct && mounted.current; left--) {
      setLeftSec(left)
      void api.call('ping', { ip: device.address, type: 'disco' }).then((answer) => {
        direct ||= answer.ok && answer.value.Err === '' && answer.value.Endpoint !== ''
      })
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
    setLeftSec(undefined)
    setResult(direct ? 'worked' : 'failed')
  }
  const trying = leftSec !== undefined
  return (
    <>
      {(device.row?.kind !== 'direct' || trying) && (
        <button type="button" className="button ink" disabled={trying} aria-busy={trying} onClick={() => void tryAgain()}>{trying ? t('device.try.now', { n: leftSec }) : t('device.try')}</button>
      )}
      <p className="small t2 try-result" role="status">{result === undefined ? '' : t(`device.try.${result}`, { name: device.name, path: device.path.words })}</p>
    </>
  )
}
