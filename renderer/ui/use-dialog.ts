/**
 * A dialog that opens as soon as it is drawn.
 */
import { useEffect, useRef, type RefObject } from 'react'

export function useDialog(): RefObject<HTMLDialogElement | null> {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const element = dialog.current
    if (element && !element.open) element.showModal()
  }, [])
  return dialog
}
