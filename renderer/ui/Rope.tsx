/**
 * The mark as a real rope, on Welcome alone: one line laid in three passes, the part that goes under drawn first. The lay
 * of the rope is drawn from its own geometry: slanted strokes from edge to edge, one every few pixels along the middle.
 */
import type { ReactNode } from 'react'

type Piece =
  | { readonly kind: 'line'; readonly from: readonly [number, number]; readonly to: readonly [number, number] }
  /** Angles in turns, clockwise on screen when `to` is larger. */
  | { readonly kind: 'arc'; readonly centre: readonly [number, number]; readonly radius: number; readonly from: number; readonly to: number }

/** Tail; stem and half of the bowl; the rest of the bowl and the turn. Later ones lie over earlier ones. */
const PASSES: readonly (readonly Piece[])[] = [
  [{ kind: 'line', from: [80, 459], to: [272, 459] }],
  [{ kind: 'line', from: [150, -30], to: [150, 470] }, { kind: 'arc', centre: [272, 470], radius: 122, from: 0.5, to: 0 }],
  [
    { kind: 'arc', centre: [272, 470], radius: 122, from: 0, to: -0.25 },
    { kind: 'line', from: [272, 348], to: [82.5, 348] },
    { kind: 'arc', centre: [82.5, 403.5], radius: 55.5, from: -0.25, to: -0.75 },
  ],
]
const HALF = 16.8
const LAY_EVERY = 13
const SLANT = 11

const lengthOf = (piece: Piece): number =>
  piece.kind === 'line' ? Math.hypot(piece.to[0] - piece.from[0], piece.to[1] - piece.from[1]) : Math.abs(piece.to - piece.from) * 2 * Math.PI * piece.radius

/** The point `along` px from the start of a pass, moved `aside` px to its left. */
function pointOf(pass: readonly Piece[], along: number, aside: number): string {
  let rest = along
  for (const [i, piece] of pass.entries()) {
    const length = lengthOf(piece)
    if (rest > length && i < pass.length - 1) {
      rest -= length
      continue
    }
    const t = rest / length
    if (piece.kind === 'line') {
      const [dx, dy] = [(piece.to[0] - piece.from[0]) / length, (piece.to[1] - piece.from[1]) / length]
      return `${(piece.from[0] + dx * rest + dy * aside).toFixed(1)} ${(piece.from[1] + dy * rest - dx * aside).toFixed(1)}`
    }
    const angle = (piece.from + (piece.to - piece.from) * t) * 2 * Math.PI
    const radius = piece.radius + (piece.to > piece.from ? aside : -aside)
    return `${(piece.centre[0] + radius * Math.cos(angle)).toFixed(1)} ${(piece.centre[1] + radius * Math.sin(angle)).toFixed(1)}`
  }
  return ''
}

const steps = (length: number, every: number): number[] => Array.from({ length: Math.floor(length / every) + 1 }, (_, i) => Math.min(length, i * every))

function pathsOf(pass: readonly Piece[]): { readonly middle: string; readonly lay: string } {
  const length = pass.reduce((sum, piece) => sum + lengthOf(piece), 0)
  const middle = `M${[...steps(length, 4), length].map((along) => pointOf(pass, along, 0)).join('L')}`
  const lay = steps(length - 2 * SLANT, LAY_EVERY)
    .map((start) => {
      const at = (part: number, aside: number): string => pointOf(pass, start + 2 * SLANT * part, aside)
      return `M${at(0, HALF)}C${at(0.15, HALF * 0.25)} ${at(0.85, -HALF * 0.25)} ${at(1, -HALF)}`
    })
    .join('')
  return { middle, lay }
}

const DRAWN = PASSES.map(pathsOf)

export function Rope(): ReactNode {
  return (
    <div className="rope" aria-hidden="true">
      <svg viewBox="0 0 452 720" preserveAspectRatio="xMidYMid slice" fill="none">
        {DRAWN.map(({ middle, lay }) => (
          <g key={middle.slice(0, 24)}>
            <path className="rope-edge" d={middle} strokeWidth="48" />
            <path className="rope-body" d={middle} strokeWidth="36" />
            <path className="rope-lay" d={lay} strokeWidth="1.6" strokeLinecap="round" />
          </g>
        ))}
        <path className="rope-whip" d="M265 442V476M261.4 442V476M257.8 442V476M254.2 442V476M250.6 442V476" strokeWidth="2.2" />
      </svg>
    </div>
  )
}
