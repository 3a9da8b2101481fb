/**
 * Keys that belong to the app and not to its page, where no menu bar carries them (Linux and Windows). Pure.
 */

export type KeyCommand = 'quit' | 'close' | 'zoom-in' | 'zoom-out' | 'zoom-reset' | 'full-screen'

/** Of Electron's before-input-event what is used. */
export interface KeyInput {
  readonly type: string
  readonly key: string
  readonly control: boolean
  readonly alt: boolean
  readonly shift: boolean
  readonly meta: boolean
}

const WITH_CONTROL: Readonly<Record<string, KeyCommand>> = { q: 'quit', w: 'close', '+': 'zoom-in', '=': 'zoom-in', '-': 'zoom-out', '0': 'zoom-reset' }

/** What a key asks of the app; undefined = it is the page's. */
export function keyCommand({ type, key, control, alt, shift, meta }: KeyInput): KeyCommand | undefined {
  if (type !== 'keyDown' || alt || meta) return undefined
  if (key === 'F11' && !control && !shift) return 'full-screen'
  // "+" needs Shift on many keyboards.
  if (!control || (shift && key !== '+')) return undefined
  return Object.hasOwn(WITH_CONTROL, key.toLowerCase()) ? WITH_CONTROL[key.toLowerCase()] : undefined
}

const LEAST_ZOOM = 0.5
const MOST_ZOOM = 3

/** The next zoom factor, in steps of a quarter, 1 = as designed. */
export function zoomAfter(command: KeyCommand, factor: number): number {
  if (command === 'zoom-reset') return 1
  const step = command === 'zoom-in' ? 0.25 : command === 'zoom-out' ? -0.25 : 0
  return Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, factor + step))
}
