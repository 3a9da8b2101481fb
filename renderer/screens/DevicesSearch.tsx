/**
 * The search of the list: plain words and tokens, which are offered as somebody types. "/" goes to it, Escape closes the offers, then
 * empties it; ArrowDown goes on into the list.
 */
import { Search } from 'lucide-react'
import { useId, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { accepted, suggestions, type Suggestion } from '../state/devices-suggest.ts'
import { setQuery, useList } from '../state/devices-session.ts'
import { useSnapshot } from '../state/store.ts'
import { useKeys } from '../ui/keys.ts'

const FIELD = 'devices-search'

const setCaret = (caret: number): void => useList.setState({ caret })

/** Puts the caret at the end of what is typed. */
export function focusSearch(): void {
  const field = document.getElementById(FIELD) as HTMLInputElement | null
  field?.focus()
  // What was put into it just now is there with the next frame.
  requestAnimationFrame(() => {
    if (!field) return
    field.setSelectionRange(field.value.length, field.value.length)
    setCaret(field.value.length)
  })
}

/** Gives the list's present row the focus. */
function focusList(): void {
  document.querySelector<HTMLElement>('[role=grid] [role=row][tabindex="0"], [role=grid] button[tabindex="0"]')?.focus()
}

interface SearchProps {
  readonly devices: readonly Device[]
  readonly isShort: boolean
  /** How many devices match; undefined while nothing is asked. */
  readonly found: number | undefined
}

export function DevicesSearch({ devices, isShort, found }: SearchProps): ReactNode {
  const [query, caret] = useList(useShallow((s) => [s.query, s.caret] as const))
  const singleKeys = useSnapshot((s) => s.app.settings.singleKeys)
  const field = useRef<HTMLInputElement>(null)
  const list = useId()
  const [at, setAt] = useState(-1)
  const offers = useMemo(() => (caret < 0 ? [] : suggestions(query, caret, devices)), [query, caret, devices])
  useKeys({ '/': focusSearch })
  const take = (offer: Suggestion): void => {
    const next = accepted(query, caret, offer)
    setQuery(next.query)
    setAt(-1)
    setCaret(next.caret)
    requestAnimationFrame(() => field.current?.setSelectionRange(next.caret, next.caret))
  }
  const close = (): void => {
    setCaret(-1)
    setAt(-1)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const isOpen = offers.length > 0
    if (event.key === 'Escape') {
      event.preventDefault()
      if (isOpen) close()
      else setQuery('')
    } else if (isOpen && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault()
      setAt((at + (event.key === 'ArrowDown' ? 1 : offers.length) + (at < 0 && event.key === 'ArrowUp' ? 1 : 0)) % offers.length)
    } else if (isOpen && at >= 0 && event.key === 'Enter') {
      event.preventDefault()
      take(offers[at]!)
    } else if (event.key === 'ArrowDown' || event.key === 'Enter') {
      event.preventDefault()
      close()
      focusList()
    }
  }
  return (
    <div className="search-box">
      <label className="field search">
        <Search size={16} strokeWidth={1.9} aria-hidden="true" />
        <input ref={field} id={FIELD} value={query} role="combobox" aria-expanded={offers.length > 0} aria-controls={list} aria-autocomplete="list" autoComplete="off" spellCheck={false}
          aria-label={t('devices.search.label')} placeholder={isShort ? t('devices.search.short') : t('devices.search.hint')} onKeyDown={onKeyDown} onBlur={close}
          onSelect={(event) => { if (useList.getState().caret >= 0) setCaret(event.currentTarget.selectionStart ?? -1) }}
          onChange={(event) => { setQuery(event.target.value); setCaret(event.target.selectionStart ?? -1); setAt(-1) }}
          {...(at >= 0 ? { 'aria-activedescendant': `${list}-${at}` } : {})} />
        {singleKeys && <kbd aria-hidden="true">/</kbd>}
      </label>
      <ul id={list} className={`offers ${offers.length === 0 ? 'none' : ''}`} role="listbox" aria-label={t('devices.search.offers')}>
        {offers.map((offer, index) => (
          // The field keeps the focus: a press must not take it away before the click.
          <li key={offer.insert} id={`${list}-${index}`} role="option" aria-selected={index === at} className="offer" onPointerDown={(event) => event.preventDefault()} onClick={() => take(offer)}>
            <bdi className="cut">{offer.insert}</bdi>{offer.isKey && <span className="t3 small">{t(`devices.token.${offer.key}`)}</span>}
          </li>
        ))}
      </ul>
      <p className="sr-only" aria-live="polite">{found === undefined ? '' : t('devices.search.found', { n: found })}</p>
    </div>
  )
}
