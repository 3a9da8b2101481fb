/**
 * What happens when a person closes the window or quits. Pure.
 *
 *   close   the app goes on; that is said once: by a notice that points at the tray, or, where no tray is to be seen, by a question
 *   quit    an engine of the app's own ends with it, and so does the connection: asked once, remembered when the person wants that
 *           a service's engine goes on by itself: the person says whether its connection stays
 *   end     the session ends or the system stops the app: nothing is asked
 */
import type { OnQuit } from '../localapi/app-settings.ts'
import type { AppState } from '../localapi/app-state.ts'
import { STATE_NUMBER, type Notify } from '../localapi/types.ts'

export interface QuitFacts {
  /** The system stops us: a signal, the end of the session, a shutdown. */
  readonly ending: boolean
  readonly onQuit: OnQuit
  /** The engine is ours and ends with us. */
  readonly hosted: boolean
  /** There is a connection that quitting could end. */
  readonly connected: boolean
}

export type QuitStep =
  | { readonly kind: 'quit'; /** Tell the engine to disconnect first. */ readonly disconnect: boolean }
  | { readonly kind: 'ask' }

export function quitStep({ ending, onQuit, hosted, connected }: QuitFacts): QuitStep {
  if (ending || !connected) return { kind: 'quit', disconnect: false }
  if (hosted) return onQuit === 'disconnect' ? { kind: 'quit', disconnect: false } : { kind: 'ask' }
  return onQuit === 'ask' ? { kind: 'ask' } : { kind: 'quit', disconnect: onQuit === 'disconnect' }
}

/** What the person may answer, in the order of the buttons; the last one leaves everything as it is. */
export function quitChoices(hosted: boolean): readonly ('keep' | 'disconnect' | 'cancel')[] {
  return hosted ? ['disconnect', 'cancel'] : ['keep', 'disconnect', 'cancel']
}

/** Whether there is a connection that quitting could end; `notify` is the whole state as the engine told it. */
export function isConnected(notify: Pick<Notify, 'State' | 'Prefs'> | undefined): boolean {
  return notify?.Prefs?.WantRunning === true && (notify.State ?? 0) >= STATE_NUMBER.Starting
}

export type CloseStep = 'hide' | 'hide-with-notice' | 'ask'

/** `told` = things that are said once and were said. */
export function closeStep({ told, tray, canNotify }: { readonly told: readonly string[]; readonly tray: AppState['tray']; readonly canNotify: boolean }): CloseStep {
  if (told.includes(TOLD_CLOSED)) return 'hide'
  return tray === 'shown' && canNotify ? 'hide-with-notice' : 'ask'
}

/** The mark in `settings.told`. */
export const TOLD_CLOSED = 'closed'
