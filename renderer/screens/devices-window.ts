/**
 * Which lines of the list are drawn: those in view and some around them. By arithmetic alone, for all lines are equally high; what it
 * costs does not grow with the list.
 */
import { useLayoutEffect, useState } from 'react'
import { placesOf, type Lines } from '../state/devices-groups.ts'
import { useList } from '../state/devices-session.ts'
import { useScrolled } from '../ui/use-scrolled.ts'

/** Lines above and below those in view, so that quick scrolling finds them there. */
const AROUND = 8

export interface Drawn {
  /** Places of the lines to draw, from the top. */
  readonly places: readonly number[]
  /** The head that stays at the top while its devices are in view; -1 = none. */
  readonly stuck: number
  /** Scrolls a line into view, below the head that stays; no further than needed. */
  readonly scrollTo: (place: number) => void
}

/** `kept` is a line that is drawn wherever the list is scrolled to; -1 = none. Begins where the person last left the list. */
export function useDrawn(lines: Lines, kept: number, rowPx: number, scroller: { readonly current: HTMLElement | null }): Drawn {
  const [view, setView] = useState({ first: 0, rows: 0 })
  useLayoutEffect(() => {
    if (scroller.current) scroller.current.scrollTop = useList.getState().scrollTop
  }, [scroller])
  useScrolled(scroller, (element) => {
    // Behind a device's page in a small window it has no height.
    if (element.clientHeight === 0) return
    const [first, rows] = [Math.floor(element.scrollTop / rowPx), Math.ceil(element.clientHeight / rowPx) + 1]
    setView((was) => (was.first === first && was.rows === rows ? was : { first, rows }))
  }, rowPx)
  // A list that got shorter is scrolled up by the browser, which tells of it later.
  const first = Math.max(0, Math.min(view.first, lines.length - view.rows + 1))
  const stuck = lines.heads.findLast((place) => place <= first) ?? -1
  return {
    places: placesOf(first - AROUND, first + view.rows + AROUND, lines.length, [stuck, kept]),
    stuck,
    scrollTo: (place) => {
      const element = scroller.current
      if (!element) return
      const [top, covered] = [place * rowPx, lines.heads.length > 0 ? rowPx : 0]
      if (top < element.scrollTop + covered) element.scrollTop = top - covered
      else if (top + rowPx > element.scrollTop + element.clientHeight) element.scrollTop = top + rowPx - element.clientHeight
    },
  }
}
