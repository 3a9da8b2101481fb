/**
 * Which columns there is room for: measured on the list itself, so that zoom and text size count too.
 */
import { useEffect, useMemo, useState } from 'react'
import { columnsOf, fitting, type Column } from '../state/devices-columns.ts'

/** Below this window width only the columns that matter most are shown. */
const SMALL = '(max-width: 859px)'

export function useColumns(list: HTMLElement | null, chosen: readonly string[]): readonly Column[] {
  const [room, setRoom] = useState({ rem: 55, isSmall: false })
  useEffect(() => {
    if (list === null) return undefined
    const small = window.matchMedia(SMALL)
    const measure = (): void => {
      const rem = Math.floor(list.clientWidth / Number.parseFloat(getComputedStyle(document.documentElement).fontSize))
      // Behind a device's page in a small window it has no width.
      if (rem > 0) setRoom((was) => (was.rem === rem && was.isSmall === small.matches ? was : { rem, isSmall: small.matches }))
    }
    const observer = new ResizeObserver(measure)
    observer.observe(list)
    measure()
    return () => observer.disconnect()
  }, [list])
  return useMemo(() => fitting(columnsOf(chosen), room.rem, room.isSmall), [chosen, room])
}
