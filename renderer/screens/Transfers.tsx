/**
 * Files on their way.
 */
import type { ReactNode } from 'react'
import { t } from '../../main/words/words.ts'

export function Transfers(): ReactNode {
  return (
    <section className="transfers" aria-label={t('place.transfers')}>
      <header className="bar"><h1>{t('place.transfers')}</h1></header>
      <p className="empty">{t('transfers.empty')}</p>
    </section>
  )
}
