/**
 * The heads of the columns: a press orders the list by one, a second press turns it round, a third goes back to the name.
 */
import { ArrowDown, ArrowUp } from 'lucide-react'
import type { ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import { AT_END, type Column } from '../state/devices-columns.ts'
import { nextSort } from '../state/devices-order.ts'
import { useList } from '../state/devices-session.ts'

export function sortBy(column: Column): void {
  useList.setState((s) => ({ sort: nextSort(s.sort, column) }))
}

export function DevicesHead({ columns, past, focused }: { columns: readonly Column[]; past: number | undefined; focused: string }): ReactNode {
  const sort = useList((s) => s.sort)
  return (
    <div role="rowgroup">
      <div className="row head" role="row" aria-rowindex={1}>
        {columns.map((column) => {
          const isSorted = sort.column === column
          const Arrow = sort.isDown ? ArrowDown : ArrowUp
          const words = column === 'heard' && past !== undefined ? t('devices.knownAt') : t(`devices.column.${column}`)
          return (
            <div key={column} role="columnheader" data-line={`head ${column}`} data-head={column} tabIndex={focused === `head ${column}` ? 0 : -1} className={AT_END.has(column) ? 'right' : ''}
              aria-sort={isSorted ? (sort.isDown ? 'descending' : 'ascending') : 'none'}>
              <span className="cut">{words}</span>{isSorted && (column !== 'name' || sort.isDown) && <Arrow size={12} aria-hidden="true" />}
            </div>
          )
        })}
      </div>
    </div>
  )
}
