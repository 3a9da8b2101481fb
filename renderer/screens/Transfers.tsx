/**
 * Files on their way: what others want to send, the queue and what became of things, and beside them the devices to send to.
 */
import { FolderOpen, Plus } from 'lucide-react'
import { useEffect, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { byteCount, safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { useSending } from '../state/sending.ts'
import { useSnapshot } from '../state/store.ts'
import { countsOf, type Entry } from '../state/transfers.ts'
import { useEntries } from '../state/transfers-live.ts'
import { folderWords, footWords } from '../state/transfers-words.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { SendButton } from '../ui/SendButton.tsx'
import { say } from '../ui/toast.ts'
import { useSpokenTransfers } from '../ui/use-spoken-transfers.ts'
import { useTransferActions } from './TransfersActions.tsx'
import { TransfersAsks } from './TransfersAsks.tsx'
import { TransfersList } from './TransfersList.tsx'
import { TransfersNotices } from './TransfersNotices.tsx'
import { TransfersOffer } from './TransfersOffer.tsx'
import { TransfersTargets } from './TransfersTargets.tsx'

export function Transfers(): ReactNode {
  const entries = useEntries()
  const actions = useTransferActions()
  const [isChoosing, hasOffer] = useSending(useShallow((s) => [s.isChoosing, s.offer !== undefined] as const))
  const spoken = useSpokenTransfers(entries)
  useEffect(() => () => {
    if (useSending.getState().offer === undefined) useSending.setState({ isChoosing: false })
  }, [])
  return (
    <section className={`transfers ${isChoosing ? 'choosing' : ''} ${hasOffer ? 'has-offer' : ''}`} aria-label={t('place.transfers')}>
      <Head isChoosing={isChoosing} />
      <div className="transfers-body">
        <div className="transfers-main" data-region="">
          <TransfersNotices />
          <TransfersAsks />
          {entries.length > 0 ? <TransfersList entries={entries} actions={actions} /> : <Empty />}
        </div>
        <div className="transfers-side">
          <TransfersOffer />
          <TransfersTargets />
        </div>
      </div>
      <Foot entries={entries} />
      <p className="sr-only" role="status">{spoken}</p>
      {actions.overlay}
    </section>
  )
}

function Head({ isChoosing }: { isChoosing: boolean }): ReactNode {
  const api = useApi()
  const [inApp, folder] = useSnapshot(useShallow((s) => [s.app.host === 'electron', s.transfers?.Inbox.Folder ?? ''] as const))
  const openInbox = async (): Promise<void> => {
    const answer = await api.call('openInbox', {})
    if (!answer.ok) say(safeText(answer.message, 200))
  }
  return (
    <header className="bar">
      <h1>{t('place.transfers')}</h1>
      <span className="grow" />
      <button type="button" className="button ghost show-devices" aria-pressed={isChoosing} onClick={() => useSending.setState({ isChoosing: !isChoosing })}>{t(isChoosing ? 'transfers.devices.hide' : 'transfers.devices.show')}</button>
      {inApp && folder !== '' && <button type="button" className="button ghost" title={t('transfers.openInbox')} onClick={() => void openInbox()}><FolderOpen size={16} strokeWidth={1.9} aria-hidden="true" /><span className="button-words">{t('transfers.openInbox')}</span></button>}
      <SendButton words={t('transfers.send')}><Plus size={16} strokeWidth={1.9} aria-hidden="true" /></SendButton>
    </header>
  )
}

function Empty(): ReactNode {
  const [known, running] = useSnapshot(useShallow((s) => [s.transfers !== undefined, s.app.engine === 'running'] as const))
  if (!running) return <div className="empty"><p>{t('transfers.engineAway')}</p></div>
  if (!known) {
    return (
      <div className="transfers-loading" role="status" aria-label={t('transfers.loading')}>
        {[0, 1, 2].map((i) => <div key={i} className="skeleton transfer-skeleton"><span /><span /></div>)}
      </div>
    )
  }
  return <div className="empty"><p className="strong-2">{t('transfers.empty')}</p><p className="small">{t('transfers.empty.how')}</p></div>
}

function Foot({ entries }: { entries: readonly Entry[] }): ReactNode {
  const page = useSnapshot((s) => s.transfers)
  if (!page) return <footer className="foot transfers-foot" />
  const { Inbox, Totals } = page
  const folder = folderWords(Inbox.Folder)
  const saves = Inbox.Folder === '' ? t('transfers.saves.engine') : Inbox.FreeBytes < 0 ? t('transfers.saves.unknown', { folder }) : t('transfers.saves', { folder, free: byteCount(Inbox.FreeBytes) })
  return (
    <footer className="foot num transfers-foot">
      <span className="cut">{footWords(countsOf(entries), Totals.RateUp, Totals.RateDown)}</span>
      <span className="grow" />
      <a className="foot-link cut" href="#/settings/files" title={safeText(Inbox.Folder, 300)}>{saves}{Inbox.Waiting > 0 && <>. {t('transfers.saves.waiting', { n: Inbox.Waiting })}</>}</a>
    </footer>
  )
}
