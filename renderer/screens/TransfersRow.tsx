/**
 * One transfer in the list, and one file of an open batch. Handlers sit on the list.
 */
import { ChevronDown, ChevronRight, Ellipsis, FolderOpen, Pause, Play, RotateCw, X, type LucideIcon } from 'lucide-react'
import { memo, type ReactNode } from 'react'
import type { TransferRow } from '../../main/localapi/transfers.ts'
import { t } from '../../main/words/words.ts'
import { routeHash } from '../state/route.ts'
import { useSnapshot } from '../state/store.ts'
import type { Entry } from '../state/transfers.ts'
import { isSlow, kindOf, kindOfRow, lineOf, named, rightOf, spokenOf, titleOf } from '../state/transfers-words.ts'
import { requestText } from '../state/targets.ts'
import { CopyButton } from '../ui/CopyButton.tsx'
import { FileIcon } from '../ui/FileIcon.tsx'
import { TransferWords } from '../ui/TransferWords.tsx'
import { canCancel, canPause, canResume, canRetry, isThere } from './TransfersActions.tsx'

interface PlacedProps {
  readonly rowIndex: number
  /** In px. */
  readonly top: number
  readonly height: number
  readonly isFocused: boolean
}

interface RowProps extends PlacedProps {
  readonly entry: Entry
  /** Of a batch; undefined: there is nothing to open. */
  readonly isOpen: boolean | undefined
  readonly midnightMs: number
}

export const TransferRowView = memo(function TransferRowView({ entry, isOpen, midnightMs, rowIndex, top, height, isFocused }: RowProps): ReactNode {
  return (
    <div className="transfer" role="row" aria-rowindex={rowIndex} data-line={entry.key} tabIndex={isFocused ? 0 : -1} aria-label={spokenOf(entry, midnightMs)}
      {...(isOpen === undefined ? {} : { 'aria-expanded': isOpen })} style={{ transform: `translateY(${top}px)`, blockSize: height }}>
      <div className="transfer-cell grow" role="gridcell">
        {isOpen === undefined ? <FileIcon kind={kindOf(entry)} /> : <FoldButton entry={entry} isOpen={isOpen} isFocused={isFocused} />}
        <TransferWords entry={entry} midnightMs={midnightMs}><Help row={entry.row} isFocused={isFocused} /></TransferWords>
      </div>
      <div className="transfer-acts" role="gridcell"><RowButtons rows={entry.rows} name={titleOf(entry)} isFocused={isFocused} /></div>
    </div>
  )
})

function FoldButton({ entry, isOpen, isFocused }: { entry: Entry; isOpen: boolean; isFocused: boolean }): ReactNode {
  const Mark = isOpen ? ChevronDown : ChevronRight
  const words = t(isOpen ? 'transfers.act.files.hide' : 'transfers.act.files')
  return (
    <button type="button" className="transfer-fold" data-act="open" tabIndex={isFocused ? 0 : -1} aria-expanded={isOpen} aria-label={t('transfers.act.of', { act: words, name: titleOf(entry) })} title={words}>
      <Mark size={14} strokeWidth={1.9} aria-hidden="true" /><FileIcon kind={kindOf(entry)} />
    </button>
  )
}

/** What helps with it, at the end of its line. */
function Help({ row, isFocused }: { row: TransferRow; isFocused: boolean }): ReactNode {
  const tabIndex = isFocused ? 0 : -1
  if (isSlow(row)) return <><span className="t3" aria-hidden="true">·</span><a className="transfer-help" href={routeHash(row.Peer, 'path')} tabIndex={tabIndex}>{t('transfers.act.why')}</a></>
  return row.Direction === 'out' && row.State === 'stopped' ? <RequestButton row={row} /> : null
}

/** Of refusals by the network's rules: what an admin would have to do. */
const BY_RULES: ReadonlySet<string> = new Set(['peer-not-allowed', 'other-owner', 'tagged', 'self-tagged', 'no-file-sharing', 'self-no-capability'])

function RequestButton({ row }: { row: TransferRow }): ReactNode {
  const grant = useSnapshot((s) => s.transferTargets?.Targets.find((target) => target.ID === row.Peer)?.Grant)
  if (!BY_RULES.has(row.Why?.Code ?? '')) return null
  return <span className="transfer-help"><CopyButton className="link" text={requestText(row.PeerName, lineOf(row).words, grant)}>{t('transfers.copyRequest')}</CopyButton></span>
}

interface ButtonSpec {
  readonly act: string
  readonly words: string
  readonly icon: LucideIcon
}

function RowButtons({ rows, name, isFocused }: { rows: readonly TransferRow[]; name: string; isFocused: boolean }): ReactNode {
  const inApp = useSnapshot((s) => s.app.host === 'electron')
  const canShow = inApp && rows.some(isThere)
  const isOpenStill = rows.some(canCancel)
  const specs: ButtonSpec[] = [
    ...(rows.some((row) => canPause(row) && row.State !== 'waiting-device') ? [{ act: 'pause', words: t('transfers.act.pause'), icon: Pause }] : rows.some(canResume) ? [{ act: 'resume', words: t('transfers.act.resume'), icon: Play }] : []),
    ...(isOpenStill ? [{ act: 'cancel', words: t('transfers.act.cancel'), icon: X }] : []),
    ...(!isOpenStill && rows.some(canRetry) ? [{ act: 'retry', words: t('transfers.act.retry'), icon: RotateCw }] : []),
    ...(!isOpenStill && canShow ? [{ act: 'show', words: t('transfers.act.show'), icon: FolderOpen }] : []),
    ...(isOpenStill ? [] : [{ act: 'menu', words: t('transfers.act.more'), icon: Ellipsis }]),
  ]
  return specs.map(({ act, words, icon: Icon }) => (
    <button key={act} type="button" className="icon-button" data-act={act} tabIndex={isFocused ? 0 : -1} aria-label={t('transfers.act.of', { act: words, name })} title={words} {...(act === 'menu' ? { 'aria-haspopup': 'menu' } : {})}>
      <Icon size={16} strokeWidth={1.9} aria-hidden="true" />
    </button>
  ))
}

interface PartProps extends PlacedProps {
  readonly row: TransferRow
}

export const TransferPart = memo(function TransferPart({ row, rowIndex, top, height, isFocused }: PartProps): ReactNode {
  const line = lineOf(row)
  const entry: Entry = { key: row.ID, row, rows: [row] }
  const midnightMs = new Date().setHours(0, 0, 0, 0)
  return (
    <div className="transfer part" role="row" aria-rowindex={rowIndex} data-line={row.ID} tabIndex={isFocused ? 0 : -1} aria-label={spokenOf(entry, midnightMs)} style={{ transform: `translateY(${top}px)`, blockSize: height }}>
      <div className="transfer-cell grow" role="gridcell">
        <FileIcon kind={kindOfRow(row)} size={16} />
        <bdi className="cut part-name" title={named(row.Name)}>{named(row.Name)}</bdi>
        <span className="cut small t2 part-line" title={line.words}>{line.words}</span>
        <span className="num small t2 transfer-right">{line.bytes ?? rightOf(entry, midnightMs)}</span>
      </div>
      <div className="transfer-acts" role="gridcell"><RowButtons rows={[row]} name={named(row.Name)} isFocused={isFocused} /></div>
    </div>
  )
})
