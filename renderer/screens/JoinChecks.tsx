/**
 * The checks before joining, a row each: what was looked at, what was seen, and below a red one the one thing to do.
 */
import { Check, Info, LoaderCircle, TriangleAlert, X } from 'lucide-react'
import type { ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import type { PreflightPage } from '../../preload/contract.ts'
import { checkRows, fixWords, obstacle, type Mark } from '../state/join.ts'
import { JoinCertificate } from './JoinCertificate.tsx'

const ICONS = { good: Check, info: Info, warn: TriangleAlert, bad: X, waiting: LoaderCircle } as const

function CheckMark({ mark }: { mark: Mark }): ReactNode {
  const Icon = ICONS[mark]
  return <><Icon className={`check-mark mark-${mark}`} size={16} strokeWidth={1.9} aria-hidden="true" /><span className="sr-only">{t(`join.mark.${mark}`)}</span></>
}

export function JoinChecks({ page, onTrusted }: { page: PreflightPage; onTrusted: () => void }): ReactNode {
  return (
    <ul className="plain">
      {checkRows(page).map((row) => (
        <li key={row.key} className={`check ${row.mark}`}>
          <CheckMark mark={row.mark} />
          <span>{row.name}</span>
          <span className="check-saw t2"><span className="selectable">{row.saw}</span>{row.mark === 'bad' && row.fix !== '' && <span className="check-fix">{row.fix}</span>}</span>
          {row.key === 'certificate' && <JoinCertificate page={page} onTrusted={onTrusted} />}
        </li>
      ))}
    </ul>
  )
}

/** What the warnings mean, once for all of them: joining works all the same. */
export function Callout({ page }: { page: PreflightPage }): ReactNode {
  if (page.State === 'running' || obstacle(page)) return null
  const said = page.Steps.filter(({ State, Needed }) => State === 'bad' && !Needed).map(fixWords).filter((words) => words !== '')
  if (said.length === 0) return null
  return (
    <div className="callout warn" role="status">
      <TriangleAlert size={16} strokeWidth={1.9} aria-hidden="true" />
      <p><span className="strong-2">{t('join.ready.works')}</span> {said.join(' ')}</p>
    </div>
  )
}
