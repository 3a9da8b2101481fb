/**
 * The line between two posts: each path has its own shape, so that it reads without colour.
 */
import type { ReactNode } from 'react'
import type { PathKind } from '../../main/words/states.ts'

const post = (x: number, y: number): ReactNode => <circle cx={x} cy={y} r="1.75" fill="currentColor" stroke="none" />

const SHAPES: Readonly<Partial<Record<PathKind, ReactNode>>> = {
  direct: <>{post(3, 8)}{post(17, 8)}<path d="M5 8H15" /></>,
  'peer-relay': <>{post(3, 11)}{post(17, 11)}{post(10, 4.5)}<path d="M4.8 9.4L8.3 6.1M11.7 6.1L15.2 9.4" /></>,
  relay: <>{post(3, 11)}{post(17, 11)}<rect x="7.6" y="2.1" width="4.8" height="4.8" rx="0.8" /><path d="M4.6 9.5L7.2 7M12.8 7L15.4 9.5" /></>,
  trying: <>{post(3, 8)}<circle cx="17" cy="8" r="1.75" strokeWidth="1.3" /><path d="M5 8H9.5M12.2 8H12.21" /></>,
  idle: <>{post(3, 8)}{post(17, 8)}</>,
  unknown: <>{post(3, 8)}{post(17, 8)}<path d="M6.8 8H6.81M10 8H10.01M13.2 8H13.21" strokeWidth="1.6" /></>,
  blocked: <>{post(3, 8)}{post(17, 8)}<path d="M5 8H7M13 8H15M8.6 5.9L11.4 10.1" /></>,
}

export function PathGlyph({ kind }: { kind: PathKind }): ReactNode {
  const shape = SHAPES[kind]
  if (!shape) return null
  return (
    <svg className={`glyph glyph-${kind}`} aria-hidden="true" viewBox="0 0 20 16" width="20" height="16" fill="none" stroke="currentColor"
      strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round">
      {shape}
    </svg>
  )
}

const KNOTS = {
  connected: <><path d="M5 2V3.3" /><path d="M5 8.8V10a4 4 0 1 0 4-4H2" /></>,
  connecting: <><path d="M5 2V10a4 4 0 0 0 4 4" /><path d="M12 12.7V12.71M13 9.9V9.91M11.9 7.1V7.11M9 6V6.01" /></>,
  disconnected: <path d="M5 2V10a4 4 0 1 0 6.9-2.75" />,
  'exit-node': <><path d="M5 2V3.3" /><path d="M5 8.8V10a4 4 0 1 0 4-4H2" /><circle cx="9" cy="10" r="1.6" fill="currentColor" stroke="none" /></>,
  attention: <><path d="M5 2V3.3" /><path d="M5 8.8V10a4 4 0 1 0 4-4H2" /><circle cx="12.9" cy="2.9" r="2.2" fill="currentColor" stroke="none" /></>,
  error: <><path d="M5 2V10a4 4 0 0 0 8 0" /><path d="M10.2 1.8L13.8 5.4M13.8 1.8L10.2 5.4" strokeWidth="1.8" /></>,
} as const

/** The knot: tied when connected, with a point in its loop for an exit node, dotted while connecting, open when not, with a cross when the engine stopped. */
export function Knot({ tone, size = 18 }: { tone: keyof typeof KNOTS; size?: number }): ReactNode {
  return (
    <svg className={`knot knot-${tone}`} aria-hidden="true" viewBox="0 0 16 16" width={size} height={size} fill="none" stroke="currentColor"
      strokeWidth="2" strokeLinecap="round" strokeLinejoin="round">
      {KNOTS[tone]}
    </svg>
  )
}

/** The mark: a lower-case b tied from one rope. */
export function Mark({ size = 18 }: { size?: number }): ReactNode {
  return (
    <svg aria-hidden="true" viewBox="0 0 24 24" width={size} height={size} fill="none" stroke="currentColor" strokeWidth="2.2" strokeLinecap="round" strokeLinejoin="round">
      <path d="M9 2.4V6.3" />
      <path d="M9 12.2V14.9a5.6 5.6 0 1 0 5.6-5.6H5.9a2.55 2.55 0 0 0 0 5.1H6.1" />
      <path d="M11.9 14.4H13.6" />
    </svg>
  )
}
