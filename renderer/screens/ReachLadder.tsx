/**
 * Whether a place can be reached: the verdict in one sentence with what to do, beside it the ladder from the name to the port that fills
 * itself. Looks again when it is asked to.
 */
import { Check, CircleDashed, CircleHelp, ClipboardList, Minus, X, type LucideIcon } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import type { ReachPage } from '../../preload/contract.ts'
import { ageOf, ago } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { rungLines, useReach, verdictLines, type Mark, type RungLine } from '../state/diagnose-reach.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'

/** `turn`: another number looks again. */
export function ReachLadder({ target, turn = 0 }: { target: string; turn?: number }): ReactNode {
  const api = useApi()
  const running = useSnapshot((s) => s.app.engine === 'running')
  const [again, setAgain] = useState(0)
  const { page, problem } = useReach(api, running ? target : '', turn + again)
  if (!running) return <p className="t2 only-line">{t('diagnose.reach.stopped')}</p>
  if (problem !== '') return <p className="error-line" role="alert">{problem}</p>
  if (!page) return <div className="reach skeleton" aria-busy="true" aria-label={t('diagnose.reach.region')}><span /></div>
  return <Ladder page={page} onAgain={() => setAgain(again + 1)} />
}

function Ladder({ page, onAgain }: { page: ReachPage; onAgain: () => void }): ReactNode {
  const nowMs = useSnapshot((s) => s.nowMs)
  const [evidence, setEvidence] = useState(false)
  const { title, means, tone } = verdictLines(page)
  const done = page.Ended !== undefined
  return (
    <section className={`reach reach-${tone}`} aria-label={t('diagnose.reach.region')} aria-busy={!done}>
      <div className="reach-said">
        <div role="status">
          <h2 className="reach-title selectable"><bdi>{title}</bdi></h2>
          {means !== '' && <p className="t2 selectable"><bdi>{means}</bdi></p>}
        </div>
        {done && <p className="small t3 num">{t('diagnose.reach.age', { age: ago(ageOf(page.Ended, nowMs)) })}</p>}
        <div className="buttons">
          {page.Request !== undefined && <CopyButton text={page.Request} className="button ink" icon={ClipboardList}>{t('diagnose.reach.request')}</CopyButton>}
          <button type="button" className="button" disabled={!done} onClick={onAgain}>{t('action.tryAgain')}</button>
          {page.Device && <a className="button ghost" href={`#/devices/${encodeURIComponent(page.Device.ID)}`}>{t('diagnose.reach.openDevice', { device: page.Device.Name })}</a>}
          <button type="button" className="button ghost" aria-expanded={evidence} onClick={() => setEvidence(!evidence)}>{evidence ? t('diagnose.reach.hide') : t('diagnose.reach.show')}</button>
        </div>
      </div>
      <ol className="plain rungs" aria-label={t('diagnose.reach.steps')}>{rungLines(page).map((line) => <Line key={line.name} line={line} />)}</ol>
      {evidence && <pre className="mono evidence selectable" tabIndex={0} aria-label={t('diagnose.reach.show')}>{JSON.stringify(page, undefined, 2)}</pre>}
    </section>
  )
}

const ICONS: Readonly<Record<Mark, LucideIcon>> = { passed: Check, failed: X, unclear: CircleHelp, looking: CircleDashed, 'not-looked': Minus }

function Line({ line: { mark, words, value } }: { line: RungLine }): ReactNode {
  const Icon = ICONS[mark]
  return (
    <li className={`rung rung-${mark}`}>
      <span className="rung-mark"><Icon size={12} strokeWidth={2.2} aria-hidden="true" /></span>
      <span className="grow"><span className="sr-only">{t(`diagnose.mark.${mark}`)} </span><bdi>{words}</bdi></span>
      <span className="t3 small num selectable cut" title={value}><bdi>{value}</bdi></span>
    </li>
  )
}
