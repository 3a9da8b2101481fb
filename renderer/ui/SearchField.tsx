/**
 * A field that narrows a list as somebody types: "/" goes to it from anywhere but another field, Escape empties it.
 */
import { Search } from 'lucide-react'
import { useEffect, useRef, type ReactNode } from 'react'

export function SearchField({ value, onChange, label, placeholder }: { value: string; onChange: (text: string) => void; label: string; placeholder: string }): ReactNode {
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const focus = (event: globalThis.KeyboardEvent): void => {
      if (event.key !== '/' || event.target instanceof HTMLInputElement) return
      event.preventDefault()
      field.current?.focus()
    }
    window.addEventListener('keydown', focus)
    return () => window.removeEventListener('keydown', focus)
  }, [])
  return (
    <label className="field search">
      <Search size={16} strokeWidth={1.9} aria-hidden="true" />
      <input ref={field} value={value} onChange={(event) => onChange(event.target.value)} aria-label={label} placeholder={placeholder}
        onKeyDown={(event) => event.key === 'Escape' && onChange('')} spellCheck={false} />
      <kbd aria-hidden="true">/</kbd>
    </label>
  )
}
