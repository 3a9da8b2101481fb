/**
 * The rows of the list, of which only those in view are drawn, under heads that stay in sight.
 *
 *   one stop for Tab: the row (or head) that had the focus last. It stays drawn when it is scrolled away, so that the focus survives.
 *   Handlers sit on the grid, not on rows; rows of devices without news are not drawn again.
 *   Nothing jumps: news above what is in view moves the scroll position by as much.
 */
import { useEffect, useLayoutEffect, useMemo, useRef, useState, type ReactNode } from 'react'
import { whole } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { template, type Column } from '../state/devices-columns.ts'
import type { Line, Lines } from '../state/devices-groups.ts'
import { useAccountView } from '../state/devices-live.ts'
import { setFolded, useList } from '../state/devices-session.ts'
import { nicknameOf } from '../state/devices-view.ts'
import { useSnapshot } from '../state/store.ts'
import type { DeviceActions } from './DevicesActions.tsx'
import { DevicesHead } from './DevicesHead.tsx'
import { DevicesRow } from './DevicesRow.tsx'
import type { Order } from './devices-held.ts'
import { useGridKeys, type GridTarget } from './devices-keys.ts'
import { useGridMouse } from './devices-mouse.ts'
import { useDrawn } from './devices-window.ts'

const ROW_PX = 32
const COMFORTABLE_ROW_PX = 40

export interface GridProps {
  readonly lines: Lines
  readonly order: Order
  readonly columns: readonly Column[]
  readonly chosen: string | undefined
  /** Beside a device's page: names and glyphs alone. */
  readonly isCompact: boolean
  /** When the facts were last true, while the engine tells nothing new. */
  readonly past: number | undefined
  readonly actions: DeviceActions
}

export function DevicesGrid(props: GridProps): ReactNode {
  const { lines, order, columns, chosen, isCompact, past, actions } = props
  const rowPx = useSnapshot((s) => (s.app.settings.comfortableRows ? COMFORTABLE_ROW_PX : ROW_PX))
  const view = useAccountView()
  const selected = useList((s) => s.selected)
  const grid = useRef<HTMLDivElement>(null)
  const scroller = useRef<HTMLDivElement>(null)
  const focus = useGridFocus(lines, chosen, grid)
  const drawn = useDrawn(lines, focus.place, rowPx, scroller)
  useSteadyScroll(lines, scroller, rowPx)
  useScrollbarWidth(grid, scroller)
  const target: GridTarget = { lines, focus, grid, pageRows: () => Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowPx) - 2) }
  focus.scrollTo.current = drawn.scrollTo
  const onKeyDown = useGridKeys(target, actions)
  const mouse = useGridMouse(target, actions)
  const { setHeld } = order
  useEffect(() => () => setHeld(false), [setHeld])
  return (
    <>
      {order.isStale && <button type="button" className="sort-again" onClick={order.sortAgain}>{t('devices.sortAgain')}</button>}
      <div ref={grid} className="grid" role="grid" aria-label={t('devices.title')} aria-rowcount={lines.length + (isCompact ? 0 : 1)} aria-multiselectable="true" style={{ '--columns': template(columns) } as object}
        onKeyDown={onKeyDown} {...mouse} onPointerEnter={() => setHeld(true)} onPointerLeave={() => setHeld(grid.current?.contains(document.activeElement) ?? false)}
        onFocus={(event) => { setHeld(true); focus.took(event.target) }} onBlur={(event) => {
          if (event.currentTarget.contains(event.relatedTarget)) return
          focus.left()
          setHeld(event.currentTarget.matches(':hover'))
        }}>
        {!isCompact && <DevicesHead columns={columns} past={past} focused={focus.current} />}
        <div ref={scroller} className="scroll" role="presentation">
          <div className="rows" role="rowgroup" style={{ height: lines.length * rowPx }}>
            {drawn.places.map((place) => {
              const line = lines.at(place)!
              const isFocused = place === focus.place
              const [start, rowIndex] = [place * rowPx, place + (isCompact ? 1 : 2)]
              return line.kind === 'group' ? (
                <GroupRow key={line.key} line={line} rowIndex={rowIndex} start={place === drawn.stuck ? undefined : start} isFocused={isFocused} />
              ) : (
                <DevicesRow key={line.key} device={line.device} rowIndex={rowIndex} start={start} columns={columns} isCompact={isCompact} past={past} isChosen={line.key === chosen}
                  isSelected={selected.has(line.key)} isFocused={isFocused} nickname={nicknameOf(view, line.key)} />
              )
            })}
          </div>
        </div>
      </div>
    </>
  )
}

/** `start` undefined: it stays at the top while its devices are in view. */
function GroupRow({ line, rowIndex, start, isFocused }: { line: Line & { kind: 'group' }; rowIndex: number; start: number | undefined; isFocused: boolean }): ReactNode {
  const group = line.key.slice('group '.length)
  return (
    <div className={`row group ${start === undefined ? 'stuck' : ''}`} role="row" aria-rowindex={rowIndex} data-line={line.key} style={start === undefined ? {} : { transform: `translateY(${start}px)` }}>
      <div role="gridcell">
        <button type="button" className="fold" tabIndex={isFocused ? 0 : -1} aria-expanded={!line.isFolded} aria-label={t('devices.group.spoken', { name: line.name, n: line.count })} onClick={() => setFolded(group, !line.isFolded)}>
          <svg className="fold-mark" viewBox="0 0 16 16" width="14" height="14" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true"><path d="M4 6l4 4 4-4" /></svg>
          <bdi>{line.name}</bdi> <span className="n num">{whole(line.count)}</span>
        </button>
      </div>
    </div>
  )
}

export interface GridFocus {
  /** Key of the line, or "head COLUMN", that Tab comes to. */
  readonly current: string
  /** Where that line is; -1 = it is a head. */
  readonly place: number
  /** Moves the focus to a line, drawn or not. */
  go(key: string): void
  /** An element of the grid has taken the focus. */
  took(element: Element): void
  /** The focus is elsewhere now. */
  left(): void
  /** Scrolls a line into view. */
  readonly scrollTo: { current: (place: number) => void }
}

function useGridFocus(lines: Lines, chosen: string | undefined, grid: { readonly current: HTMLDivElement | null }): GridFocus {
  const [key, setKey] = useState<string>()
  const wanted = useRef(false)
  // A focused row that goes takes the focus along without a word.
  const isInside = useRef(false)
  const lastIndex = useRef(0)
  const scrollTo = useRef<(place: number) => void>(() => {})
  const own = useMemo(() => (key === undefined ? undefined : lines.indexOf(key)), [lines, key])
  const isThere = key !== undefined && (own !== undefined || key.startsWith('head '))
  // A row that went leaves its focus to the one that took its place.
  const heir = key !== undefined && !isThere && isInside.current ? lines.at(Math.min(lastIndex.current, lines.length - 1))?.key : undefined
  const current = isThere ? key : (heir ?? (chosen !== undefined && lines.indexOf(chosen) !== undefined ? chosen : (lines.firstDevice ?? lines.at(0)?.key ?? '')))
  const place = own ?? lines.indexOf(current)
  useLayoutEffect(() => {
    if (place !== undefined && (isThere || heir !== undefined)) lastIndex.current = place
    if (heir !== undefined) {
      setKey(heir)
      wanted.current = true
    }
    if (!wanted.current) return
    const element = grid.current?.querySelector<HTMLElement>(`[data-line="${CSS.escape(current)}"]`)
    if (!element) return
    wanted.current = false
    if (place !== undefined) scrollTo.current(place)
    const focusable = element.matches('.group') ? element.querySelector('button') : element
    focusable?.focus({ preventScroll: true })
  })
  return {
    current, place: place ?? -1, scrollTo,
    go: (next) => {
      wanted.current = true
      setKey(next)
      // The same line again: nothing is drawn anew, so it is done here.
      if (next === current && place !== undefined) scrollTo.current(place)
    },
    took: (element) => {
      isInside.current = true
      const line = element.closest<HTMLElement>('[data-line]')?.dataset['line']
      if (line !== undefined && line !== key) setKey(line)
    },
    left: () => {
      isInside.current = false
    },
  }
}

/** The heads stand over their columns where a scrollbar takes room from the rows, too. */
function useScrollbarWidth(grid: { readonly current: HTMLDivElement | null }, scroller: { readonly current: HTMLDivElement | null }): void {
  useLayoutEffect(() => {
    const element = scroller.current
    if (!element) return undefined
    const measure = (): void => grid.current?.style.setProperty('--scrollbar', `${element.offsetWidth - element.clientWidth}px`)
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    measure()
    return () => observer.disconnect()
  }, [grid, scroller])
}

/** Keeps what is in view in its place while lines come and go above it; what the person asked for anew starts at the top. */
function useSteadyScroll(lines: Lines, scroller: { readonly current: HTMLDivElement | null }, rowPx: number): void {
  const query = useList((s) => s.query)
  const sort = useList((s) => s.sort)
  const last = useRef({ lines, query, sort })
  useLayoutEffect(() => {
    const element = scroller.current
    const was = last.current
    last.current = { lines, query, sort }
    if (!element || was.lines === lines || element.clientHeight === 0) return
    if (was.query !== query || was.sort !== sort) {
      element.scrollTop = 0
      return
    }
    if (element.scrollTop === 0) return
    // The first line in view that is still there.
    const places = lines.places()
    for (let i = Math.floor(element.scrollTop / rowPx); i < was.lines.length; i++) {
      const now = places.get(was.lines.at(i)!.key)
      if (now === undefined) continue
      if (now !== i) element.scrollTop += (now - i) * rowPx
      return
    }
  }, [lines, query, sort, scroller, rowPx])
  useEffect(() => {
    const element = scroller.current
    if (!element) return undefined
    const note = (): void => {
      if (element.clientHeight > 0) useList.setState({ scrollTop: element.scrollTop })
    }
    element.addEventListener('scroll', note, { passive: true })
    return () => element.removeEventListener('scroll', note)
  }, [scroller])
}
