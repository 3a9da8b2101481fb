/**
 * The place "Settings".
 */
import type { ReactNode } from 'react'
import { t } from '../../main/words/words.ts'

export function Settings(): ReactNode {
  return <header className="bar"><h1>{t('place.settings')}</h1></header>
}
