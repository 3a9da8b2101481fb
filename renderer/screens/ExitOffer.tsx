/**
 * This device as an exit node for others, in the foot of the page: off, waiting for an admin, or on with what passes now.
 */
import { useState, type ReactNode } from 'react'
import type { ExitNodesPage } from '../../preload/contract.ts'
import { safeText } from '../../main/words/format.ts'
import { useSnapshot } from '../state/store.ts'
import { AskWords } from '../ui/AskWords.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { waits } from '../ui/use-ask.ts'
import { useDialog } from '../ui/use-dialog.ts'
import { useExit } from '../ui/use-exit.ts'

export function ExitOffer({ page }: { page: ExitNodesPage }): ReactNode {
  const [open, setOpen] = useState(false)
  const { Offer: offer } = page
  const flows = offer.Flows === 0 ? 'nobody uses it now' : `${offer.Flows} ${offer.Flows === 1 ? 'connection' : 'connections'} now`
  const state = !offer.Advertised ? 'off' : offer.Approved ? `on, ${flows}` : 'offered, not approved yet'
  return (
    <>
      <footer className="foot">
        <span className="grow cut">Let other devices leave through this one: <span className={offer.Advertised && !offer.Approved ? 'warn-text' : ''}>{state}</span></span>
        <button type="button" className="link" aria-haspopup="dialog" onClick={() => setOpen(true)}>{offer.Advertised ? 'Change…' : 'Turn on…'}</button>
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
  const device = safeText(self?.DNSName.split('.')[0] || self?.HostName || 'this device')
  const set = async (on: boolean): Promise<void> => {
    if ((await exit.offer(on)) && !on) dialog.current?.close()
  }
  const request = `Please approve ${device} as an exit node:\nheadscale nodes approve-routes --identifier ID --routes 0.0.0.0/0,::/0\n`
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="offer-title" aria-describedby="offer-text" onClose={onClose}>
      <h2 id="offer-title">{offer.Advertised ? <><bdi>{device}</bdi> offers to be an exit node</> : <>Let other devices leave through <bdi>{device}</bdi>?</>}</h2>
      <p id="offer-text">Devices of your network may then send their internet traffic through this computer. Sites see your address, and your connection carries their traffic. Your local network stays closed to them.</p>
      {offer.Advertised && <p className={offer.Approved ? 't2' : 'warn-text'}>{offer.Approved ? `Approved. ${offer.Flows} ${offer.Flows === 1 ? 'connection' : 'connections'} of other devices now.` : 'Not approved yet: an admin has to approve it on the server. Until then nobody can use it.'}</p>}
      {!offer.Advertised && <p className="t2">An admin has to approve it on the server. You can stop it at any time.</p>}
      <AskWords ask={exit.ask} />
      <div className="buttons end">
        {offer.Advertised && !offer.Approved && <CopyButton text={request} className="button lg">Copy request for admin</CopyButton>}
        <button type="button" className="button lg" onClick={() => dialog.current?.close()}>{offer.Advertised ? 'Keep it' : 'Cancel'}</button>
        <button type="button" className="button ink lg" aria-busy={waits(exit.ask)} onClick={() => void set(!offer.Advertised)}>{offer.Advertised ? 'Turn off' : 'Turn on'}</button>
      </div>
    </dialog>
  )
}
