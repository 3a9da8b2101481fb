/**
 * The list of transfers: sections, a row each, and below an open batch its files. Heights are known, and only what is in view is drawn.
 *
 *   arrows, Home, End, pages move   Enter opens   Space pauses and resumes   Delete cancels   Left and Right fold and open a batch
 */
import { useEffect, useMemo, useRef, type KeyboardEvent, type MouseEvent, type ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { isMany, linesOf, sectionsOf, type Entry, type Heights, type Line } from '../state/transfers.ts'
import { setOpen, useTransfersSession } from '../state/transfers-session.ts'
import { useMidnight } from '../state/transfers-live.ts'
import { useLines, type DrawnLines } from '../ui/use-lines.ts'
import { canCancel, canPause, canResume, canRetry, type Meant, type TransferActions } from './TransfersActions.tsx'
import { TransferPart, TransferRowView } from './TransfersRow.tsx'

const HEIGHTS: Heights = { section: 37, entry: 53, bar: 15, part: 32 }
const COMFORTABLE: Heights = { section: 41, entry: 61, bar: 15, part: 40 }

const meantBy = (line: Line): Meant | undefined => (line.kind === 'section' ? undefined : line.kind === 'entry' ? line.entry : { key: line.key, row: line.row, rows: [line.row] })

export function TransfersList({ entries, actions }: { entries: readonly Entry[]; actions: TransferActions }): ReactNode {
  const heights = useSnapshot((s) => (s.app.settings.comfortableRows ? COMFORTABLE : HEIGHTS))
  const midnightMs = useMidnight()
  const open = useTransfersSession((s) => s.open)
  const scroller = useRef<HTMLDivElement>(null)
  const lines = useMemo(() => linesOf(sectionsOf(entries, midnightMs), open, heights), [entries, midnightMs, open, heights])
  const keys = useMemo(() => lines.all.map((line) => line.key), [lines])
  const drawn = useLines({ keys, tops: lines.tops, isStop: (index) => lines.all[index]!.kind !== 'section' }, scroller, useTransfersSession.getState().scrollTop)
  useKeptScroll(scroller)
  return (
    <div ref={scroller} className="transfer-scroll" role="presentation">
      <div className="transfer-lines" role="treegrid" aria-label={t('place.transfers')} aria-rowcount={lines.all.length} style={{ blockSize: lines.tops.at(-1)! }}
        onKeyDown={(event) => onKey(event, lines.all, drawn, actions)} {...mouse(lines.all, actions)}
        onFocus={(event) => drawn.took(event.target)} onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && drawn.left()}>
        {drawn.places.map((place) => {
          const line = lines.all[place]!
          const common = { rowIndex: place + 1, top: lines.tops[place]!, height: lines.tops[place + 1]! - lines.tops[place]!, isFocused: place === drawn.current }
          if (line.kind === 'section') return <SectionRow key={line.key} line={line} {...common} />
          if (line.kind === 'part') return <TransferPart key={line.key} row={line.row} {...common} />
          return <TransferRowView key={line.key} entry={line.entry} isOpen={isMany(line.entry) ? open.has(line.key) : undefined} midnightMs={midnightMs} {...common} />
        })}
      </div>
    </div>
  )
}

function SectionRow({ line, rowIndex, top, height }: { line: Line & { kind: 'section' }; rowIndex: number; top: number; height: number }): ReactNode {
  return (
    <div className="transfer-section" role="row" aria-rowindex={rowIndex} style={{ transform: `translateY(${top}px)`, blockSize: height }}>
      <div role="gridcell"><h2>{t(`transfers.section.${line.id}`)}</h2></div>
    </div>
  )
}

function useKeptScroll(scroller: { readonly current: HTMLElement | null }): void {
  useEffect(() => {
    const element = scroller.current
    if (!element) return undefined
    const note = (): void => useTransfersSession.setState({ scrollTop: element.scrollTop })
    element.addEventListener('scroll', note, { passive: true })
    return () => element.removeEventListener('scroll', note)
  }, [scroller])
}

function onKey(event: KeyboardEvent<HTMLElement>, lines: readonly Line[], drawn: DrawnLines, actions: TransferActions): void {
  const line = lines[drawn.current]
  if (event.defaultPrevented || event.altKey || line === undefined) return
  const to = moved(event.key, lines.length, drawn)
  if (to !== undefined) {
    event.preventDefault()
    if (to >= 0) drawn.go(to)
    return
  }
  // A button in the row has its own keys.
  if ((event.target as Element).getAttribute('role') !== 'row') return
  if (onRow(event, line, lines, drawn, actions)) event.preventDefault()
}

function moved(key: string, count: number, drawn: DrawnLines): number | undefined {
  switch (key) {
    case 'ArrowDown':
      return drawn.stop(drawn.current, 1)
    case 'ArrowUp':
      return drawn.stop(drawn.current, -1)
    case 'Home':
      return drawn.stop(-1, 1)
    case 'End':
      return drawn.stop(count, -1)
    case 'PageDown':
      return drawn.stop(drawn.current, drawn.page())
    case 'PageUp':
      return drawn.stop(drawn.current, -drawn.page())
    default:
      return undefined
  }
}

function onRow(event: KeyboardEvent, line: Line, lines: readonly Line[], drawn: DrawnLines, actions: TransferActions): boolean {
  const meant = meantBy(line)
  if (!meant || event.ctrlKey || event.metaKey) return false
  switch (event.key) {
    case 'Enter':
      actions.open(meant)
      return true
    case ' ':
      toggle(meant, actions)
      return true
    case 'Delete':
    case 'Backspace':
      if (meant.rows.some(canCancel)) actions.cancel(meant)
      return true
    case 'ArrowRight':
      if (isMany(meant)) setOpen(meant.key, true)
      return true
    case 'ArrowLeft':
      if (line.kind === 'part') drawn.go(lines.findIndex(({ key }) => key === line.entry.key))
      else if (isMany(meant)) setOpen(meant.key, false)
      return true
    case 'ContextMenu':
    case 'F10': {
      if (event.key === 'F10' && !event.shiftKey) return false
      const box = (event.target as Element).getBoundingClientRect()
      actions.menu(meant, box.left + 40, box.bottom)
      return true
    }
    default:
      return false
  }
}

/** Pauses what moves, resumes what rests, tries again what stopped. */
function toggle(meant: Meant, actions: TransferActions): void {
  if (meant.rows.some(canPause)) actions.pause(meant)
  else if (meant.rows.some(canResume)) actions.resume(meant)
  else if (meant.rows.some(canRetry)) actions.retry(meant)
}

function mouse(lines: readonly Line[], actions: TransferActions): Pick<React.DOMAttributes<HTMLElement>, 'onClick' | 'onDoubleClick' | 'onContextMenu'> {
  const near = (event: MouseEvent): Meant | undefined => {
    const key = (event.target as Element).closest<HTMLElement>('[data-line]')?.dataset['line']
    const line = key === undefined ? undefined : lines.find((one) => one.key === key)
    return line && meantBy(line)
  }
  return {
    onClick: (event) => {
      const act = (event.target as Element).closest<HTMLElement>('[data-act]')
      const meant = act && near(event)
      if (!act || !meant) return
      const box = act.getBoundingClientRect()
      const does = act.dataset['act']
      if (does === 'menu') actions.menu(meant, box.left, box.bottom)
      else actions[does as 'pause' | 'resume' | 'retry' | 'cancel' | 'open' | 'show'](meant)
    },
    onDoubleClick: (event) => {
      const meant = near(event)
      if (meant && !(event.target as Element).closest('button, a')) actions.open(meant)
    },
    onContextMenu: (event) => {
      const meant = near(event)
      if (!meant) return
      event.preventDefault()
      actions.menu(meant, event.clientX, event.clientY)
    },
  }
}
