/**
 * What a person does with the page until the window closes: batches they opened, where it is scrolled to, what they look for among devices.
 */
import { create } from 'zustand'

export interface TransfersSession {
  readonly open: ReadonlySet<string>
  /** In px. */
  readonly scrollTop: number
  readonly typed: string
}

export const useTransfersSession = create<TransfersSession>(() => ({ open: new Set(), scrollTop: 0, typed: '' }))

/** Opens a batch, or folds it again. */
export function setOpen(key: string, isOpen: boolean): void {
  const open = new Set(useTransfersSession.getState().open)
  if (isOpen) open.add(key)
  else open.delete(key)
  useTransfersSession.setState({ open })
}
