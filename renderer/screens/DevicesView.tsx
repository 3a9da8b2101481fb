/**
 * How the list looks: what it is grouped by, which columns in what order. Kept for the account on this computer; each choice counts at once.
 */
import { ArrowDown, ArrowUp, SlidersHorizontal } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import { COLUMNS, columnsOf, movedColumn, USUAL_COLUMNS, withColumn, type Column } from '../state/devices-columns.ts'
import { groupingOf, GROUPINGS } from '../state/devices-groups.ts'
import { useAccountView } from '../state/devices-live.ts'
import { useDialog } from '../ui/use-dialog.ts'
import type { DeviceActions } from './DevicesActions.tsx'

export function DevicesViewButton({ actions }: { actions: DeviceActions }): ReactNode {
  const [open, setOpen] = useState(false)
  const label = t('devices.view')
  return (
    <>
      <button type="button" className="icon-button" aria-label={label} title={label} aria-haspopup="dialog" onClick={() => setOpen(true)}><SlidersHorizontal size={16} strokeWidth={1.9} aria-hidden="true" /></button>
      {open && <DevicesView actions={actions} onClose={() => setOpen(false)} />}
    </>
  )
}

function DevicesView({ actions, onClose }: { actions: DeviceActions; onClose: () => void }): ReactNode {
  const dialog = useDialog()
  const view = useAccountView()
  const columns = columnsOf(view.columns)
  const grouping = groupingOf(view.groupBy)
  const keep = (next: readonly Column[]): void => {
    const isUsual = next.length === USUAL_COLUMNS.length && next.every((one, index) => one === USUAL_COLUMNS[index])
    void actions.edit((before) => ({ ...before, columns: isUsual ? [] : next }))
  }
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="view-title" onClose={onClose}>
      <h2 id="view-title">{t('devices.view')}</h2>
      <fieldset className="view-choices">
        <legend className="label">{t('devices.view.group')}</legend>
        {GROUPINGS.map((one) => (
          <label key={one} className="tick"><input type="radio" name="grouping" checked={grouping === one} onChange={() => void actions.edit((before) => ({ ...before, groupBy: one }))} />{t(`devices.view.group.${one}`)}</label>
        ))}
      </fieldset>
      <fieldset className="view-choices">
        <legend className="label">{t('devices.view.columns')}</legend>
        {[...columns, ...COLUMNS.filter((one) => !columns.includes(one))].map((one) => (
          <ColumnChoice key={one} column={one} columns={columns} keep={keep} />
        ))}
      </fieldset>
      <div className="buttons end">
        <button type="button" className="button lg" disabled={view.columns.length === 0} onClick={() => keep(USUAL_COLUMNS)}>{t('devices.view.usual')}</button>
        <button type="button" className="button ink lg" onClick={() => dialog.current?.close()}>{t('action.close')}</button>
      </div>
    </dialog>
  )
}

function ColumnChoice({ column, columns, keep }: { column: Column; columns: readonly Column[]; keep: (next: readonly Column[]) => void }): ReactNode {
  const name = t(`devices.column.${column}`)
  const at = columns.indexOf(column)
  const mover = (by: 1 | -1, label: string, icon: ReactNode): ReactNode => (
    <button type="button" className="icon-button" aria-label={label} title={label} disabled={movedColumn(columns, column, by) === columns} onClick={() => keep(movedColumn(columns, column, by))}>{icon}</button>
  )
  return (
    <div className="view-column">
      <label className="tick grow"><input type="checkbox" checked={at >= 0} disabled={column === 'name'} onChange={(event) => keep(withColumn(columns, column, event.target.checked))} />{name}</label>
      {at > 0 && mover(-1, t('devices.view.earlier', { column: name }), <ArrowUp size={16} aria-hidden="true" />)}
      {at > 0 && mover(1, t('devices.view.later', { column: name }), <ArrowDown size={16} aria-hidden="true" />)}
    </div>
  )
}
