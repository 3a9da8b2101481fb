/**
 * What is wrong, one line each, gravest first: since when, and the page that helps where the server names one. Notes, and what
 * is beyond the two gravest, are folded: they are there for who asks.
 */
import { CircleAlert, ExternalLink, Info, TriangleAlert } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { clockTime, safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { healthRows, type HealthRow } from '../state/health.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'

const SHOWN = 2

const ICONS = { high: TriangleAlert, medium: CircleAlert, low: Info } as const

/** All rows, those that are always shown, and whether the person wants to see the others too. */
function useRows(): { rows: readonly HealthRow[]; grave: readonly HealthRow[]; open: boolean } {
  const [warnings, nowMs, open] = useSnapshot(useShallow((s) => [s.warnings, s.nowMs, s.unfolded] as const))
  const rows = healthRows(warnings, nowMs)
  return { rows, grave: rows.filter((row) => row.severity !== 'low').slice(0, SHOWN), open }
}

export function HealthList(): ReactNode {
  const { rows, grave, open } = useRows()
  const shown = open ? rows : grave
  if (shown.length === 0) return null
  return (
    <section className="health" aria-label={t('health.region')}>
      <ul className="plain">{shown.map((row) => <Row key={row.code} row={row} />)}</ul>
    </section>
  )
}

/** Unfolds what is not shown; stands in the foot, where it moves nothing. */
export function MoreHealth(): ReactNode {
  const { rows, grave, open } = useRows()
  const folded = rows.length - grave.length
  if (folded === 0) return null
  const words = open ? t('action.fewer') : grave.length > 0 ? t('health.more', { n: folded }) : t('health.notes', { n: folded })
  return <button type="button" className="link" aria-expanded={open} onClick={() => useSnapshot.setState({ unfolded: !open })}>{words}</button>
}

function Row({ row }: { row: HealthRow }): ReactNode {
  const api = useApi()
  const [problem, setProblem] = useState('')
  const Icon = ICONS[row.severity]
  const open = async (url: string): Promise<void> => {
    const answer = await api.call('openExternal', { url })
    setProblem(answer.ok || answer.code === 'needs-click' ? '' : answer.message)
  }
  return (
    <li className={`notice health-row ${row.severity === 'high' ? 'bad' : row.severity === 'medium' ? 'warn' : ''}`}>
      <Icon size={16} strokeWidth={1.9} aria-hidden="true" />
      <div className="grow">
        <p><span className="sr-only">{t(`health.${row.severity}`)} </span><span className="strong-2">{row.title}.</span> <span className="t2 selectable">{row.text}</span></p>
        {problem !== '' && <p className="t2" role="alert">{safeText(problem, 200)}</p>}
      </div>
      {row.sinceMs !== undefined && <span className="small t2 num since">{t('stopped.since', { time: clockTime(row.sinceMs) })}</span>}
      {row.page && <button type="button" className="button" title={row.page.url} onClick={() => void open(row.page!.url)}><ExternalLink size={16} aria-hidden="true" />{row.page.label}</button>}
    </li>
  )
}
