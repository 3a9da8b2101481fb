/**
 * What is drawn of a transfer wherever one stands: its title with what stands at the right, its bar, and its line with the path or mark.
 */
import { Check, CheckCheck, X } from 'lucide-react'
import type { ReactNode } from 'react'
import type { Entry } from '../state/transfers.ts'
import { hasBar, shareOf } from '../state/transfers.ts'
import { lineOf, partsWords, rightOf, titleOf, type LineMark } from '../state/transfers-words.ts'
import { PathGlyph } from './PathGlyph.tsx'

interface TransferWordsProps {
  readonly entry: Entry
  readonly midnightMs: number
  /** At the end of the line: what helps. */
  readonly children?: ReactNode
}

export function TransferWords({ entry, midnightMs, children }: TransferWordsProps): ReactNode {
  const { row } = entry
  const line = lineOf(row)
  const [title, parts] = [titleOf(entry), partsWords(entry)]
  return (
    <div className="grow transfer-words">
      <div className="transfer-title"><bdi className="cut strong-2" title={title}>{title}</bdi><span className="transfer-right num small t2">{rightOf(entry, midnightMs)}</span></div>
      {hasBar(row) && <TransferBar share={shareOf(row)} isPaused={row.State === 'paused'} />}
      <div className="transfer-line small t2">
        {line.path ? <PathGlyph kind={line.path} /> : <Mark mark={line.mark} />}
        <span className="cut" title={line.words}>{line.words}</span>
        {line.bytes !== undefined && <><span className="t3" aria-hidden="true">·</span><span className="num transfer-bytes">{line.bytes}</span></>}
        {parts !== '' && <><span className="t3" aria-hidden="true">·</span><span className="transfer-bytes bad-words">{parts}</span></>}
        {children}
      </div>
    </div>
  )
}

function Mark({ mark }: { mark: LineMark }): ReactNode {
  if (mark === 'checked') return <CheckCheck className="mark-yes" size={14} strokeWidth={1.9} aria-hidden="true" />
  if (mark === 'done') return <Check className="mark-yes" size={14} strokeWidth={1.9} aria-hidden="true" />
  return mark === 'stopped' ? <X className="mark-bad" size={14} strokeWidth={1.9} aria-hidden="true" /> : null
}

/** Its words stand beside it, so it is for the eye alone. `share` undefined: nobody knows how much there is. */
function TransferBar({ share, isPaused }: { share: number | undefined; isPaused: boolean }): ReactNode {
  return (
    <div className={`transfer-bar ${isPaused ? 'paused' : ''} ${share === undefined ? 'unknown' : ''}`} aria-hidden="true">
      <span style={{ inlineSize: `${(share ?? 1) * 100}%` }} />
    </div>
  )
}
