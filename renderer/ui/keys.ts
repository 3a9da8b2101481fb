/**
 * Keys that work everywhere in the window, as ui.md lays them down: which they are, how this system writes them, and what has them.
 *
 * Ctrl on Linux and Windows, Command on macOS. Single keys can be turned off (WCAG 2.1.4); none is taken from a field or a dialog.
 */
import { useEffect, useRef } from 'react'
import { useSnapshot } from '../state/store.ts'

/** "Mod+Shift+C": Mod is Ctrl or Command, the last part is the key. */
export type Combination = string

/** In a browser the page itself knows the system. */
export function isMac(): boolean {
  const { platform } = useSnapshot.getState().app
  return platform === 'darwin' || (platform === 'web' && /Mac/.test(navigator.platform))
}

/** "Ctrl+Shift+C", or "⇧⌘C". */
export function keyWords(combination: Combination): string {
  const mac = isMac()
  return keyCaps(combination).join(mac ? '' : '+')
}

/** Each key of a combination by itself. */
export function keyCaps(combination: Combination): readonly string[] {
  const mac = isMac()
  return combination.split('+').map((key) => (key === 'Mod' ? (mac ? '⌘' : 'Ctrl') : key === 'Shift' ? (mac ? '⇧' : 'Shift') : key === '' ? '+' : key))
}

/** For a tooltip: what it does, and its key. */
export const withKey = (words: string, combination: Combination): string => `${words} (${keyWords(combination)})`

/** For `aria-keyshortcuts`. */
export const ariaKeys = (combination: Combination): string => combination.replace('Mod', isMac() ? 'Meta' : 'Control')

/** Whether an event is that combination and no other. */
export function isKey(event: KeyboardEvent, combination: Combination): boolean {
  const parts = combination.split('+')
  const key = parts.at(-1)!
  const mod = isMac() ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey
  const none = !event.ctrlKey && !event.metaKey
  if (event.altKey || !(parts.includes('Mod') ? mod : none)) return false
  // Shift is part of how "?" is typed on most keyboards.
  if (event.shiftKey !== parts.includes('Shift') && /^[\w,]+$/.test(key)) return false
  return event.key.toLowerCase() === key.toLowerCase()
}

export const inField = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName))

/** Does something on a key, wherever the focus is; not under an open dialog. */
export function useKeys(keys: Readonly<Partial<Record<Combination, () => void>>>): void {
  const latest = useRef(keys)
  useEffect(() => {
    latest.current = keys
  })
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || document.querySelector('dialog[open]')) return
      for (const [combination, run] of Object.entries(latest.current)) {
        if (!run || !isKey(event, combination)) continue
        const single = !combination.includes('+') && combination.length === 1
        if (single && (inField(event.target) || !useSnapshot.getState().app.settings.singleKeys)) continue
        event.preventDefault()
        run()
        return
      }
    }
    window.addEventListener('keydown', press)
    return () => window.removeEventListener('keydown', press)
  }, [])
}
