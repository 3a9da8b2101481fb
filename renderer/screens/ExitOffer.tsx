/**
 * This device as an exit node for others, in the foot of the page: off, waiting for an admin, or on with what passes now.
 */
import { useState, type ReactNode } from 'react'
import type { ExitNodesPage } from '../../preload/contract.ts'
import { safeText } from '../../main/words/format.ts'
import { rich, t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { AskWords } from '../ui/AskWords.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { waits } from '../ui/use-ask.ts'
import { useDialog } from '../ui/use-dialog.ts'
import { useExit } from '../ui/use-exit.ts'

export function ExitOffer({ page }: { page: ExitNodesPage }): ReactNode {
  const [open, setOpen] = useState(false)
  const { Offer: offer } = page
  const state = !offer.Advertised ? t('exit.offer.off') : !offer.Approved ? t('exit.offer.waits') : offer.Flows === 0 ? t('exit.offer.idle') : t('exit.offer.used', { n: offer.Flows })
  return (
    <>
      <footer className="foot">
        <span className="grow cut">{rich<ReactNode>('exit.offer', { state: <span key="state" className={offer.Advertised && !offer.Approved ? 'warn-text' : ''}>{state}</span> })}</span>
        <button type="button" className="link" aria-haspopup="dialog" onClick={() => setOpen(true)}>{offer.Advertised ? t('exit.offer.change') : t('exit.offer.turnOn')}</button>
      </footer>
      {open && <OfferDialog page={page} onClose={() => setOpen(false)} />}
    </>
  )
}

function OfferDialog({ page, onClose }: { page: ExitNodesPage; onClose: () => void }): ReactNode {
  const dialog = useDialog()
  const exit = useExit()
  const self = useSnapshot((s) => s.status?.Self)
  const { Offer: offer } = page
  const device = safeText(self?.DNSName.split('.')[0] || self?.HostName || t('exit.offer.thisDevice'))
  const set = async (on: boolean): Promise<void> => {
    if ((await exit.offer(on)) && !on) dialog.current?.close()
  }
  const request = `${t('exit.offer.request', { device })}\nheadscale nodes approve-routes --identifier ID --routes 0.0.0.0/0,::/0\n`
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="offer-title" aria-describedby="offer-text" onClose={onClose}>
      <h2 id="offer-title">{rich<ReactNode>(offer.Advertised ? 'exit.offer.title.on' : 'exit.offer.title.off', { device: <bdi key="device">{device}</bdi> })}</h2>
      <p id="offer-text">{t('exit.offer.means')}</p>
      {offer.Advertised && <p className={offer.Approved ? 't2' : 'warn-text'}>{offer.Approved ? t('exit.offer.approved', { n: offer.Flows }) : t('exit.offer.notApproved')}</p>}
      {!offer.Advertised && <p className="t2">{t('exit.offer.needs')}</p>}
      <AskWords ask={exit.ask} />
      <div className="buttons end">
        {offer.Advertised && !offer.Approved && <CopyButton text={request} className="button lg">{t('exit.do.request')}</CopyButton>}
        <button type="button" className="button lg" onClick={() => dialog.current?.close()}>{offer.Advertised ? t('exit.offer.keep') : t('action.cancel')}</button>
        <button type="button" className="button ink lg" aria-busy={waits(exit.ask)} onClick={() => void set(!offer.Advertised)}>{offer.Advertised ? t('exit.offer.doOff') : t('exit.offer.doOn')}</button>
      </div>
    </dialog>
  )
}
