/**
 * What is chosen to be sent and waits for a device: names, how much, and a way not to send it.
 */
import { X } from 'lucide-react'
import { useEffect, useRef, useState, type ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import { dropOffer, offeredWords, useSending } from '../state/sending.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { FileNames } from '../ui/FileNames.tsx'

export function TransfersOffer(): ReactNode {
  const api = useApi()
  const offer = useSending((s) => s.offer)
  const [open, setOpen] = useState(false)
  const strip = useRef<HTMLDivElement>(null)
  const id = offer?.Offer
  useEffect(() => {
    if (id !== undefined) strip.current?.focus()
  }, [id])
  if (!offer) return null
  return (
    <div ref={strip} className="offer-strip" role="group" aria-label={t('transfers.offer.choose')} tabIndex={-1} onKeyDown={(event) => event.key === 'Escape' && dropOffer(api)}>
      <div className="ask-line">
        <div className="grow ask-words">
          <p className="strong-2" role="status">{t('transfers.offer.choose')}</p>
          <p className="small t2"><bdi>{offeredWords(offer)}</bdi>{offer.Items.length > 1 && <> <button type="button" className="link" aria-expanded={open} onClick={() => setOpen(!open)}>{t(open ? 'transfers.ask.names.hide' : 'transfers.ask.names')}</button></>}</p>
        </div>
        <button type="button" className="button" onClick={() => dropOffer(api)}><X size={16} strokeWidth={1.9} aria-hidden="true" />{t('action.cancel')}</button>
      </div>
      {open && <FileNames of={offer} />}
    </div>
  )
}
