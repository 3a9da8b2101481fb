/**
 * Which lines of a list are drawn: those in view and some around them, by arithmetic on where each begins. What it costs does not grow
 * with the list. One line has the tab stop; it stays drawn wherever the list is scrolled to, so that the focus survives.
 */
import { useLayoutEffect, useRef, useState } from 'react'
import { useScrolled } from './use-scrolled.ts'

const AROUND_PX = 300

export interface LineList {
  readonly keys: readonly string[]
  /** Where each begins, in px, and the end of the last. */
  readonly tops: readonly number[]
  /** Whether the arrows stop at a line. */
  isStop(index: number): boolean
}

export interface DrawnLines {
  /** Places of the lines to draw, from the top. */
  readonly places: readonly number[]
  /** The line that Tab comes to; -1 = there is none. */
  readonly current: number
  /** Moves the focus to a line, drawn or not. */
  go(index: number): void
  /** The next place to stop from `from` on, `by` stops away, as far as there are some. */
  stop(from: number, by: number): number
  /** Lines that a page has. */
  page(): number
  /** For the box of all lines: what takes the focus becomes the line with the tab stop. */
  took(element: Element): void
  left(): void
}

/** `scroller` is the box that scrolls; lines have `data-line` with their key. `keptTop`: where it was last scrolled to. */
export function useLines(list: LineList, scroller: { readonly current: HTMLElement | null }, keptTop = 0): DrawnLines {
  const [view, setView] = useState({ top: 0, height: 0 })
  const [key, setKey] = useState<string>()
  const [isInside, wanted, lastPlace] = [useRef(false), useRef(false), useRef(0)]
  useLayoutEffect(() => {
    if (scroller.current) scroller.current.scrollTop = keptTop
    // Where it was scrolled to counts only at first.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [scroller])
  useScrolled(scroller, (element) => {
    // To steps, so that not each px is a new picture.
    const [top, height] = [Math.floor(element.scrollTop / 50) * 50, element.clientHeight]
    if (height > 0) setView((was) => (was.top === top && was.height === height ? was : { top, height }))
  }, 50)
  const { keys, tops } = list
  const own = key === undefined ? -1 : keys.indexOf(key)
  const first = keys.findIndex((_, i) => list.isStop(i))
  // A line that went leaves its focus to the one that took its place.
  const heir = own === -1 && isInside.current ? nearest(list, lastPlace.current) : -1
  const current = own !== -1 ? own : heir !== -1 ? heir : first
  useLayoutEffect(() => {
    if (current !== -1) lastPlace.current = current
    if (heir !== -1) {
      setKey(keys[heir])
      wanted.current = true
    }
    if (!wanted.current || current === -1) return
    const element = scroller.current?.querySelector<HTMLElement>(`[data-line="${CSS.escape(keys[current]!)}"]`)
    if (!element) return
    wanted.current = false
    element.focus({ preventScroll: true })
    show(scroller.current!, tops[current]!, tops[current + 1]!)
  })
  const [from, to] = [placeAt(tops, view.top - AROUND_PX), placeAt(tops, view.top + view.height + AROUND_PX)]
  const places = Array.from({ length: keys.length === 0 ? 0 : to - from + 1 }, (_, i) => from + i)
  if (current !== -1 && (current < from || current > to)) places.push(current)
  const stop = (at: number, by: number): number => {
    let [found, left] = [-1, Math.abs(by)]
    for (let i = at + Math.sign(by); i >= 0 && i < keys.length && left > 0; i += Math.sign(by)) {
      if (!list.isStop(i)) continue
      found = i
      left--
    }
    return found
  }
  return {
    places, current, stop,
    go: (index) => {
      if (index < 0 || index >= keys.length) return
      wanted.current = true
      setKey(keys[index])
      // The line that has it already: nothing is drawn anew.
      if (index === current) scroller.current?.querySelector<HTMLElement>(`[data-line="${CSS.escape(keys[index]!)}"]`)?.focus()
    },
    page: () => Math.max(1, Math.floor(view.height / Math.max(1, (tops.at(-1) ?? 0) / Math.max(1, keys.length))) - 1),
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

function nearest(list: LineList, place: number): number {
  for (let i = Math.min(place, list.keys.length - 1); i >= 0; i--) if (list.isStop(i)) return i
  return list.keys.findIndex((_, i) => list.isStop(i))
}

/** The line at a height; the first or last one beyond them. */
function placeAt(tops: readonly number[], px: number): number {
  let [low, high] = [0, Math.max(0, tops.length - 2)]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (tops[middle]! <= px) low = middle
    else high = middle - 1
  }
  return low
}

/** Scrolls no further than needed. */
function show(element: HTMLElement, top: number, bottom: number): void {
  if (top < element.scrollTop) element.scrollTop = top
  else if (bottom > element.scrollTop + element.clientHeight) element.scrollTop = bottom - element.clientHeight
}
