/**
 * Tabs: one is chosen, arrow keys, Home and End move between them, and the one panel says which it belongs to.
 */
import { useRef, type KeyboardEvent, type ReactNode } from 'react'

export interface TabItem<Id extends string> {
  readonly id: Id
  readonly label: string
}

export function Tabs<Id extends string>({ tabs, chosen, label, onChoose, children }: { tabs: readonly TabItem<Id>[]; chosen: Id; label: string; onChoose: (id: Id) => void; children: ReactNode }): ReactNode {
  const list = useRef<HTMLDivElement>(null)
  const move = (event: KeyboardEvent): void => {
    const at = tabs.findIndex(({ id }) => id === chosen)
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key]
    if (to === undefined) return
    event.preventDefault()
    const next = (to + tabs.length) % tabs.length
    onChoose(tabs[next]!.id)
    list.current?.querySelectorAll<HTMLElement>('[role=tab]')[next]?.focus()
  }
  return (
    <>
      <div className="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={move}>
        {tabs.map(({ id, label: text }) => (
          <button key={id} type="button" role="tab" id={`tab-${id}`} className="tab" aria-selected={id === chosen} aria-controls="tab-panel" tabIndex={id === chosen ? 0 : -1} onClick={() => onChoose(id)}>{text}</button>
        ))}
      </div>
      <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${chosen}`}>{children}</div>
    </>
  )
}
