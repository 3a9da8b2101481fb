/**
 * Forwards: an address of this computer that leads to a port of a device, with what passes now. Saved ones are kept over restarts.
 */
import { Copy, Trash2 } from 'lucide-react'
import type { ReactNode } from 'react'
import type { ForwardRow } from '../../preload/contract.ts'
import type { Device } from '../state/devices.ts'
import { clockTime, safeText, sentence } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { look, useLook } from '../state/looks.ts'
import { forwardsTo } from '../state/networks.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { useAsk } from '../ui/use-ask.ts'

const EVERY_MS = 3000

/** Those to one device, or all without one; nothing when there are none. */
export function ForwardList({ device }: { device: Device | undefined }): ReactNode {
  const api = useApi()
  const page = useSnapshot((s) => s.forwards)
  useLook(api, 'forwards', EVERY_MS)
  const forwards = forwardsTo(page, device)
  if (forwards.length === 0) return null
  return (
    <section className="block" aria-label={t('device.forwards')}>
      <h2>{t('device.forwards')}</h2>
      <ul className="plain lines">{forwards.map((forward) => <Line key={forward.ID} forward={forward} />)}</ul>
    </section>
  )
}

function Line({ forward }: { forward: ForwardRow }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const remove = (): void => void ask.run(async () => {
    const answer = await api.call('removeForward', { id: forward.ID })
    return answer.ok ? look(api, 'forwards') : answer
  })
  const used = forward.Total === 0 ? t('device.forwards.unused') : t('device.forwards.used', { open: forward.Open, total: forward.Total })
  const state = forward.State === 'listening' ? used : forward.State === 'off' ? t('device.forwards.off') : t('device.forwards.failed')
  const last = forward.LastError
  return (
    <li>
      <div className="grow">
        <p><span className="num strong-2 selectable">{forward.Listen}</span> <span className="t3" aria-label={t('device.forwards.to')} role="img">→</span> <bdi className="selectable">{safeText(forward.To, 120)}</bdi> <span className="t3 small">{forward.Proto.toUpperCase()}</span></p>
        <p className={`small ${forward.State === 'failed' ? 'warn-text' : 't2'}`}>{state}{forward.Temporary ? ` ${t('device.forwards.temporary')}` : ''}{forward.Why === undefined ? '' : ` ${sentence(forward.Why)}`}</p>
        {last && <p className="small t2 selectable">{clockTime(Date.parse(last.At))}: {safeText(last.Text, 300)}</p>}
        <AskWords ask={ask} />
      </div>
      <CopyButton text={forward.Listen} className="icon-button"><Copy size={16} strokeWidth={1.9} aria-hidden="true" /></CopyButton>
      <button type="button" className="icon-button" aria-label={t('device.forwards.remove', { address: forward.Listen })} title={t('action.remove')} aria-busy={ask.wait !== 'no'} onClick={remove}><Trash2 size={16} strokeWidth={1.9} aria-hidden="true" /></button>
    </li>
  )
}
