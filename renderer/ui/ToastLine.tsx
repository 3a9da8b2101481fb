/**
 * The line that says what was just done. It goes by itself, later where it offers a way back, and not while somebody is at it.
 */
import { useEffect, useState, type ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import { unsay, useToast } from './toast.ts'

const SHOWN_MS = 4000
const WITH_UNDO_MS = 12_000

export function ToastLine(): ReactNode {
  const toast = useToast((s) => s.toast)
  const [held, setHeld] = useState(false)
  useEffect(() => {
    if (!toast || held) return undefined
    const timer = setTimeout(unsay, toast.undo ? WITH_UNDO_MS : SHOWN_MS)
    return () => clearTimeout(timer)
  }, [toast, held])
  return (
    <div className="toast-place" role="status">
      {toast && (
        <div className="toast" key={toast.turn} onPointerEnter={() => setHeld(true)} onPointerLeave={() => setHeld(false)} onFocus={() => setHeld(true)} onBlur={() => setHeld(false)}>
          <span>{toast.words}</span>
          {toast.undo && <button type="button" className="link" onClick={() => { toast.undo?.(); setHeld(false); unsay() }}>{t('action.undo')}</button>}
        </div>
      )}
    </div>
  )
}
