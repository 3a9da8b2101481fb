/**
 * What a person does with the list until the window closes: what is typed, the order, folded groups, the selection, where it is scrolled
 * to. Kept while they look at other places.
 */
import { create } from 'zustand'
import type { Lines } from './devices-groups.ts'
import { BY_NAME, type Sort } from './devices-order.ts'

export interface ListSession {
  readonly query: string
  /** Where the caret is in it while somebody types; -1 = they do not, and nothing is offered. */
  readonly caret: number
  readonly sort: Sort
  readonly folded: ReadonlySet<string>
  readonly selected: ReadonlySet<string>
  /** Where a range of the selection begins. */
  readonly anchor: string | undefined
  /** In px. */
  readonly scrollTop: number
}

export const useList = create<ListSession>(() => ({ query: '', caret: -1, sort: BY_NAME, folded: new Set(), selected: new Set(), anchor: undefined, scrollTop: 0 }))

export function setQuery(query: string): void {
  useList.setState({ query })
}

export function select(ids: Iterable<string>): void {
  useList.setState({ selected: new Set(ids) })
}

export function toggleSelected(id: string): void {
  const selected = new Set(useList.getState().selected)
  if (!selected.delete(id)) selected.add(id)
  useList.setState({ selected })
}

/** Begins the next range at a line. */
export function setAnchor(anchor: string): void {
  useList.setState({ anchor })
}

/** Selects the devices from where the range began, else from `begin`, to `end`. */
export function selectRange(lines: Lines, begin: string, end: string): void {
  const from = useList.getState().anchor ?? begin
  const [a, b] = [lines.indexOf(from) ?? lines.indexOf(begin) ?? 0, lines.indexOf(end) ?? 0]
  useList.setState({ anchor: from })
  select(lines.devicesOf(Math.min(a, b), Math.max(a, b) + 1))
}

/** Folds a group, or opens it. */
export function setFolded(group: string, isFolded: boolean): void {
  const folded = new Set(useList.getState().folded)
  if (isFolded) folded.add(group)
  else folded.delete(group)
  useList.setState({ folded })
}
