/**
 * Keys in an open menu: arrows go round, Home and End to the ends. Who opened the menu closes it.
 */
import type { KeyboardEvent } from 'react'

/** Moves the focus between the items of a menu. */
export function moveInMenu(event: KeyboardEvent, items: readonly HTMLElement[]): void {
  const at = items.indexOf(document.activeElement as HTMLElement)
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key]
  if (to === undefined || items.length === 0) return
  event.preventDefault()
  items.at(to % items.length)!.focus()
}
