/**
 * Copies a text and says so on itself for a moment. With words it is a labelled button, with an icon alone it names what it copies.
 */
import { Check, Copy, type LucideIcon } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import { t } from '../../main/words/words.ts'

const SAID_MS = 1500

interface CopyButtonProps {
  readonly text: string
  readonly className: string
  readonly label?: string
  /** Beside words. */
  readonly icon?: LucideIcon
  readonly children: ReactNode
}

export function CopyButton({ text, className, label, icon: Icon = Copy, children }: CopyButtonProps): ReactNode {
  const [copied, setCopied] = useState(false)
  const iconOnly = typeof children !== 'string'
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text)
    setCopied(true)
    setTimeout(() => setCopied(false), SAID_MS)
  }
  const name = copied ? t('action.copied') : (label ?? t('action.copyThis', { what: text }))
  return (
    <button type="button" className={className} onClick={() => void copy()} {...(iconOnly ? { 'aria-label': name, title: name } : {})}>
      {iconOnly ? (copied ? <Check size={14} aria-hidden="true" /> : children) : (
        <>
          {copied ? <Check size={16} aria-hidden="true" /> : <Icon size={16} strokeWidth={1.9} aria-hidden="true" />}
          {copied ? t('action.copied') : children}
        </>
      )}
    </button>
  )
}
