/**
 * What a control says beside itself while it waits long, and when the engine did not do what it asked.
 */
import type { ReactNode } from 'react'
import { safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { Ask } from './use-ask.ts'

export function AskWords({ ask }: { ask: Ask }): ReactNode {
  if (ask.wait === 'long') return <p className="small t3" role="status">{t('frame.noAnswer')}</p>
  return ask.problem === '' ? null : <p className="small error-line" role="alert">{safeText(ask.problem, 300)}</p>
}
