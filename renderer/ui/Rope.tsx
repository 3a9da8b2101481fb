/**
 * The mark as a real rope, on Welcome alone: one line laid in three passes, the part that goes under drawn first.
 */
import type { ReactNode } from 'react'

/** Tail, bowl and stem, turn: later ones lie over earlier ones. */
const PARTS = [
  'M80 459H272',
  'M150 -30V470A122 122 0 0 0 394 470',
  'M394 470A122 122 0 0 0 272 348H82.5A55.5 55.5 0 0 0 82.5 459',
] as const

export function Rope(): ReactNode {
  return (
    <div className="rope" aria-hidden="true">
      <svg viewBox="0 0 452 720" preserveAspectRatio="xMidYMid slice" width="100%" height="100%" fill="none">
        {PARTS.map((d) => (
          <g key={d}>
            <path className="rope-edge" d={d} strokeWidth="48" />
            <path className="rope-body" d={d} strokeWidth="36" />
            <path className="rope-lay" d={d} strokeWidth="36" strokeDasharray="1.6 11.4" />
          </g>
        ))}
        <path className="rope-whip" d="M265 441V477M261 441V477M257 441V477M253 441V477" strokeWidth="2.2" />
      </svg>
    </div>
  )
}
