/**
 * What was just done, said at the foot of the window for a moment, with a way back where there is one.
 */
import { create } from 'zustand'

export interface Toast {
  readonly words: string
  readonly undo?: () => void
  /** Tells one from the one before with the same words. */
  readonly turn: number
}

export const useToast = create<{ readonly toast: Toast | undefined }>(() => ({ toast: undefined }))

let turn = 0

/** Says it in place of what was said before. */
export function say(words: string, undo?: () => void): void {
  useToast.setState({ toast: { words, turn: ++turn, ...(undo ? { undo } : {}) } })
}

export function unsay(): void {
  useToast.setState({ toast: undefined })
}
