/**
 * Around a table that may be wider than its place: it scrolls by itself, by keyboard too, under a name.
 */
import type { ReactNode } from 'react'

export function TableBox({ name, className, children }: { name: string; className?: string; children: ReactNode }): ReactNode {
  return <div className={className === undefined ? 'table-box' : `table-box ${className}`} tabIndex={0} role="region" aria-label={name}>{children}</div>
}
