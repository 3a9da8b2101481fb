/**
 * The steps of a sign-in, each with its time; under the one that runs or failed, the engine's reason.
 */
import { Check, X } from 'lucide-react'
import type { ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import type { StepRow } from '../state/steps.ts'

/** `hint` stands under the running step in place of its reason. */
export function StepList({ rows, hint }: { rows: readonly StepRow[]; hint?: ReactNode }): ReactNode {
  return (
    <ol className="plain steps">
      {rows.map((row) => <Step key={row.key} row={row} hint={hint} />)}
    </ol>
  )
}

function Step({ row, hint }: { row: StepRow; hint: ReactNode }): ReactNode {
  const under = row.state === 'running' && hint !== undefined ? hint : row.state === 'running' || row.state === 'failed' ? row.why : ''
  return (
    <li className={`step ${row.state}`} {...(row.state === 'running' ? { 'aria-current': 'step' as const } : {})}>
      <span className="step-mark" aria-hidden="true">{row.state === 'done' ? <Check size={12} strokeWidth={2.4} /> : row.state === 'failed' && <X size={12} strokeWidth={2.4} />}</span>
      <span className="grow">
        <span className="step-words">{row.words}<span className="sr-only">{row.state === 'running' ? '' : t(`join.said.${row.state}`)}</span></span>
        {under !== '' && under !== undefined && <span className="step-why small t2">{under}</span>}
      </span>
      {row.time !== '' && <time className="t2 num small" title={row.at === '' ? undefined : row.why === '' ? row.at : `${row.at}. ${row.why}`}>{row.time}</time>}
    </li>
  )
}
