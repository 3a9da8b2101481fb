/**
 * The list by pointer: a press opens a device, with Ctrl or Shift it selects; the small buttons of a row, the heads of columns, and
 * the menu by right click.
 */
import type { MouseEvent } from 'react'
import type { Column } from '../state/devices-columns.ts'
import { select, selectRange, setAnchor, toggleSelected, useList } from '../state/devices-session.ts'
import type { DeviceActions } from './DevicesActions.tsx'
import { sortBy } from './DevicesHead.tsx'
import type { GridTarget } from './devices-keys.ts'

interface GridMouse {
  onClick(event: MouseEvent<HTMLDivElement>): void
  onContextMenu(event: MouseEvent<HTMLDivElement>): void
}

const near = (event: MouseEvent, what: string): HTMLElement | null => (event.target as Element).closest<HTMLElement>(what)

export function useGridMouse({ lines }: GridTarget, actions: DeviceActions): GridMouse {
  return {
    onClick: (event) => {
      const head = near(event, '[data-head]')?.dataset['head']
      if (head !== undefined) return sortBy(head as Column)
      const id = near(event, '[data-device]')?.dataset['device']
      if (id === undefined) return
      const act = near(event, '[data-act]')
      if (act) return small(act, id, actions)
      if (event.shiftKey) return selectRange(lines, id, id)
      setAnchor(id)
      if (event.ctrlKey || event.metaKey) return toggleSelected(id)
      if (useList.getState().selected.size > 0) select([])
      swallowSecondClick()
      actions.open(id)
    },
    onContextMenu: (event) => {
      const id = near(event, '[data-device]')?.dataset['device']
      if (id === undefined) return
      event.preventDefault()
      actions.menu(id, event.clientX, event.clientY)
    },
  }
}

function small(act: HTMLElement, id: string, actions: DeviceActions): void {
  if (act.dataset['act'] === 'copy') actions.copyAddresses([id])
  else if (act.dataset['act'] === 'ping') actions.ping(id)
  else if (act.dataset['act'] === 'send') actions.send(id)
  else {
    const box = act.getBoundingClientRect()
    actions.menu(id, box.left, box.bottom)
  }
}

const DOUBLE_CLICK_MS = 600

/** People who double click must not press what the device's page has put under the pointer meanwhile. */
function swallowSecondClick(): void {
  const swallow = (event: globalThis.MouseEvent): void => {
    if (event.detail < 2) return
    event.preventDefault()
    event.stopPropagation()
  }
  window.addEventListener('click', swallow, { capture: true })
  setTimeout(() => window.removeEventListener('click', swallow, { capture: true }), DOUBLE_CLICK_MS)
}
