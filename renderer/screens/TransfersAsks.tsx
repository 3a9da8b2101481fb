/**
 * What others want to send and a person decides: who, what, how much, by which way. An ask stays until it is answered.
 */
import { useState, type ReactNode } from 'react'
import type { TransferAsk } from '../../main/localapi/transfers.ts'
import { rich, t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { initials, mayAlways } from '../state/transfers.ts'
import { askedKind, askedWay, askedWords, askerOf, named } from '../state/transfers-words.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { FileNames } from '../ui/FileNames.tsx'
import { useAsk, waits } from '../ui/use-ask.ts'

export function TransfersAsks(): ReactNode {
  const asks = useSnapshot((s) => s.transfers?.Asks)
  if (!asks || asks.length === 0) return null
  return (
    <ul className="plain asks-list" aria-label={t('transfers.ask.region')}>
      {asks.map((ask) => <li key={ask.Batch}><AskCard ask={ask} /></li>)}
    </ul>
  )
}

function AskCard({ ask: one }: { ask: TransferAsk }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const [open, setOpen] = useState(false)
  const inApp = useSnapshot((s) => s.app.host === 'electron')
  const who = askerOf(one)
  const accept = (always: boolean): void => void ask.run(() => api.call('transferAction', { Do: 'accept', Batch: one.Batch, ...(always ? { Always: true } : {}) }))
  const refuse = (): void => void ask.run(() => api.call('transferAction', { Do: 'refuse', Batch: one.Batch }))
  return (
    <article className="ask" aria-label={t(`transfers.ask.wants.${askedKind(one)}`, { who, n: one.Count })}>
      <div className="ask-line">
        <span className="avatar" aria-hidden="true">{initials(who)}</span>
        <div className="grow ask-words">
          <p>{rich<ReactNode>(`transfers.ask.wants.${askedKind(one)}`, { who: <bdi key="who" className="strong-3">{who}</bdi>, n: one.Count })}</p>
          <p className="small t2">
            <span>{askedWords(one)} {askedWay(one)}</span>
            {one.Items.length > 1 && <> <button type="button" className="link" aria-expanded={open} onClick={() => setOpen(!open)}>{t(open ? 'transfers.ask.names.hide' : 'transfers.ask.names')}</button></>}
          </p>
          {!one.Held && <p className="small t2">{t('transfers.ask.gone')}</p>}
        </div>
        <div className="buttons ask-buttons" aria-busy={waits(ask)}>
          <button type="button" className="button ghost" onClick={refuse}>{t('transfers.ask.refuse')}</button>
          {inApp && <button type="button" className="button" onClick={() => void ask.run(() => api.call('chooseFolder', { for: one.Batch }))}>{t('transfers.ask.saveTo')}</button>}
          <button type="button" className="button ink" onClick={() => accept(false)}>{t('transfers.ask.accept')}</button>
        </div>
      </div>
      {open && <FileNames of={one} />}
      {mayAlways(one) && <p className="ask-always"><button type="button" className="link" onClick={() => accept(true)}>{t('transfers.ask.always', { device: named(one.PeerName, 60) })}</button></p>}
      <AskWords ask={ask} />
    </article>
  )
}
