/**
 * The place "Diagnose".
 */
import type { ReactNode } from 'react'
import { t } from '../../main/words/words.ts'

export function Diagnose(): ReactNode {
  return <header className="bar"><h1>{t('place.diagnose')}</h1></header>
}
