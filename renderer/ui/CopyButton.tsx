/**
 * Copies a text and says so on itself for a moment. With words it is a labelled button, with an icon alone it names what it copies.
 */
import { Check, Copy } from 'lucide-react'
import { useState, type ReactNode } from 'react'

const SAID_MS = 1500

export function CopyButton({ text, className, label, children }: { text: string; className: string; label?: string; children: ReactNode }): ReactNode {
  const [copied, setCopied] = useState(false)
  const iconOnly = typeof children !== 'string'
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text)
    setCopied(true)
    setTimeout(() => setCopied(false), SAID_MS)
  }
  const name = label ?? `Copy ${text}`
  return (
    <button type="button" className={className} onClick={() => void copy()} {...(iconOnly ? { 'aria-label': copied ? 'Copied' : name, title: copied ? 'Copied' : name } : {})}>
      {iconOnly ? (copied ? <Check size={14} aria-hidden="true" /> : children) : (
        <>
          {copied ? <Check size={16} aria-hidden="true" /> : <Copy size={16} strokeWidth={1.9} aria-hidden="true" />}
          {copied ? 'Copied' : children}
        </>
      )}
    </button>
  )
}
