/**
 * A message with something drawn between its words.
 */
import { Fragment, type ReactNode } from 'react'

export function Said({ parts }: { parts: readonly ReactNode[] }): ReactNode {
  // oxlint-disable-next-line react/no-array-index-key
  return parts.map((part, i) => <Fragment key={i}>{part}</Fragment>)
}
