/**
 * Files in the small window: who wants to send some, with the answer at hand, and what is under way. All of it is in the main window.
 */
import { ArrowDown, ArrowUp, FileQuestion } from 'lucide-react'
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { safeText } from '../../main/words/format.ts'
import { rich, t } from '../../main/words/words.ts'
import type { TransferAsk, TransferRow } from '../../preload/contract.ts'
import { shareOf, smallTransfers } from '../state/small.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { useAsk } from '../ui/use-ask.ts'

const PLACE = '#/transfers'

export function SmallTransfers(): ReactNode {
  const api = useApi()
  const [running, page] = useSnapshot(useShallow((s) => [s.app.engine === 'running', s.transfers] as const))
  if (!running || !page) return null
  const { asks, rows, more } = smallTransfers(page)
  const show = (): void => void api.call('showMain', { hash: PLACE })
  return (
    <>
      {asks.map((ask) => <AskLine key={ask.Batch} ask={ask} />)}
      {rows.map((row) => <RowLine key={row.ID} row={row} onShow={show} />)}
      {more > 0 && <button type="button" className="small-line t2" onClick={show}><span className="small-more">{t('small.transfers.more', { n: more })}</span></button>}
    </>
  )
}

function AskLine({ ask }: { ask: TransferAsk }): ReactNode {
  const api = useApi()
  const doing = useAsk()
  const answer = (Do: 'accept' | 'refuse') => (): void => void doing.run(() => api.call('transferAction', { Do, Batch: ask.Batch }))
  const name = <bdi key="name">{safeText(ask.Items[0]?.Name ?? '', 60)}</bdi>
  const device = <bdi key="device">{safeText(ask.PeerName, 60)}</bdi>
  return (
    <div className="small-line asks-soon" role="group" aria-label={t('small.ask')}>
      <FileQuestion size={16} strokeWidth={1.9} aria-hidden="true" />
      <span className="grow small-ask">{doing.problem === '' ? rich('notice.files.ask', { device, name, more: Math.max(0, ask.Count - 1) }) : safeText(doing.problem, 200)}</span>
      <button type="button" className="link" aria-busy={doing.wait !== 'no'} onClick={answer('accept')}>{t('notice.files.accept')}</button>
      <button type="button" className="link quiet" aria-busy={doing.wait !== 'no'} onClick={answer('refuse')}>{t('notice.files.refuse')}</button>
    </div>
  )
}

function RowLine({ row, onShow }: { row: TransferRow; onShow: () => void }): ReactNode {
  const share = shareOf(row)
  const Icon = row.Direction === 'out' ? ArrowUp : ArrowDown
  const name = safeText(row.Name, 80)
  const words = { name, device: safeText(row.PeerName, 60) }
  const label = row.Direction === 'out' ? t('small.sending', words) : t('small.receiving', words)
  return (
    <button type="button" className="small-line small-transfer" title={label} onClick={onShow}>
      <Icon className="t3" size={16} strokeWidth={1.9} aria-hidden="true" />
      <span className="grow">
        <span className="small-transfer-words"><span className="sr-only">{label}</span><span className="cut grow" aria-hidden="true"><bdi>{name}</bdi></span><span className="num t2">{share === undefined ? '' : t('small.percent', { share: Math.floor(share * 100) / 100 })}</span></span>
        <progress className="small-progress" aria-label={label} {...(share === undefined ? {} : { value: share })} max={1} />
      </span>
    </button>
  )
}
