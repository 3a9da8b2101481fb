/**
 * A switch that moves when the engine says so: pressed, it waits, with a moving hairline below.
 */
import type { ReactNode } from 'react'
import type { Wait } from './use-ask.ts'

interface SwitchProps {
  readonly on: boolean
  readonly wait: Wait
  /** Names it; what it does may be told by `describedBy`. */
  readonly label: string
  readonly describedBy?: string
  readonly disabled?: boolean
  /** It cannot be moved and keeps the focus: somebody else decides. */
  readonly locked?: boolean
  readonly onFlip: () => void
}

export function Switch({ on, wait, label, describedBy, disabled = false, locked = false, onFlip }: SwitchProps): ReactNode {
  return (
    <button type="button" role="switch" aria-checked={on} aria-label={label} aria-busy={wait === 'shown' || wait === 'long'} disabled={disabled}
      className={`switch sea ${on ? 'on' : ''} ${locked ? 'lock' : ''}`} onClick={locked ? undefined : onFlip} {...(locked ? { 'aria-disabled': true } : {})} {...(describedBy === undefined ? {} : { 'aria-describedby': describedBy })} />
  )
}
