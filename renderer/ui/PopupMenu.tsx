/**
 * A menu at a place in the window: closes with a choice, Escape, Tab or a press elsewhere, and gives the focus back to where it was.
 */
import { useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'
import { moveInMenu } from './menu-keys.ts'

export interface MenuItem {
  readonly words: string
  readonly icon: ReactNode
  readonly act: () => void
  /** Beside it, for those who look. */
  readonly key?: string
}

interface PopupMenuProps {
  readonly label: string
  readonly x: number
  readonly y: number
  readonly items: readonly MenuItem[]
  readonly onClose: () => void
}

const EDGE_PX = 8

export function PopupMenu({ label, x, y, items, onClose }: PopupMenuProps): ReactNode {
  const box = useRef<HTMLDivElement>(null)
  const before = useRef(document.activeElement)
  const [place, setPlace] = useState({ left: x, top: y })
  useLayoutEffect(() => {
    const menu = box.current!
    const { width, height } = menu.getBoundingClientRect()
    setPlace({ left: Math.max(EDGE_PX, Math.min(x, window.innerWidth - width - EDGE_PX)), top: Math.max(EDGE_PX, Math.min(y, window.innerHeight - height - EDGE_PX)) })
    menu.querySelector('button')?.focus({ preventScroll: true })
    const away = (event: Event): void => {
      if (!menu.contains(event.target as Node)) onClose()
    }
    window.addEventListener('pointerdown', away)
    window.addEventListener('resize', onClose)
    window.addEventListener('blur', onClose)
    return () => {
      window.removeEventListener('pointerdown', away)
      window.removeEventListener('resize', onClose)
      window.removeEventListener('blur', onClose)
    }
  }, [x, y, onClose])
  const close = (): void => {
    if (before.current instanceof HTMLElement && before.current.isConnected) before.current.focus({ preventScroll: true })
    onClose()
  }
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>): void => {
    event.stopPropagation()
    if (event.key === 'Escape' || event.key === 'Tab') {
      event.preventDefault()
      return close()
    }
    moveInMenu(event, [...event.currentTarget.querySelectorAll('button')])
  }
  return (
    <div ref={box} className="menu row-menu" role="menu" aria-label={label} style={place} onKeyDown={onKeyDown} onContextMenu={(event) => event.preventDefault()}>
      {items.map(({ words, icon, act, key }) => (
        <button key={words} type="button" role="menuitem" tabIndex={-1} className="menu-item" onClick={() => { close(); act() }}>
          {icon}<span className="grow cut-box">{words}</span>{key !== undefined && <span className="t3 small" aria-hidden="true">{key}</span>}
        </button>
      ))}
    </div>
  )
}
