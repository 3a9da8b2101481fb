/**
 * A field that narrows a list as somebody types: "/" goes to it from anywhere but another field, Escape empties it.
 */
import { Search } from 'lucide-react'
import { useRef, type ReactNode } from 'react'
import { useSnapshot } from '../state/store.ts'
import { useKeys } from './keys.ts'

export function SearchField({ value, onChange, label, placeholder }: { value: string; onChange: (text: string) => void; label: string; placeholder: string }): ReactNode {
  const field = useRef<HTMLInputElement>(null)
  const singleKeys = useSnapshot((s) => s.app.settings.singleKeys)
  useKeys({ '/': () => field.current?.focus() })
  return (
    <label className="field search">
      <Search size={16} strokeWidth={1.9} aria-hidden="true" />
      <input ref={field} value={value} onChange={(event) => onChange(event.target.value)} aria-label={label} placeholder={placeholder}
        onKeyDown={(event) => event.key === 'Escape' && onChange('')} spellCheck={false} />
      {singleKeys && <kbd aria-hidden="true">/</kbd>}
    </label>
  )
}
