/**
 * Every key of the window in one table, opened by "?".
 */
import { Fragment, type ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { keyCaps, type Combination } from '../ui/keys.ts'
import { useDialog } from '../ui/use-dialog.ts'

interface KeyRow {
  readonly keys: readonly Combination[]
  readonly id: 'palette' | 'search' | 'places' | 'settings' | 'exit' | 'connect' | 'regions' | 'table' | 'escape' | 'move' | 'fold' | 'open' | 'select' | 'jump' | 'copy' | 'ping' | 'explain' | 'send' | 'openTransfer' | 'pause' | 'cancelTransfer'
  /** Without Ctrl: can be turned off. */
  readonly single?: true
}

const EVERYWHERE: readonly KeyRow[] = [
  { keys: ['Mod+K'], id: 'palette' }, { keys: ['Mod+1…4'], id: 'places' }, { keys: ['Mod+,'], id: 'settings' }, { keys: ['Mod+E'], id: 'exit' },
  { keys: ['Mod+Shift+C'], id: 'connect' }, { keys: ['F6', 'Shift+F6'], id: 'regions' }, { keys: ['Esc'], id: 'escape' }, { keys: ['/'], id: 'search', single: true }, { keys: ['?'], id: 'table', single: true },
]
const IN_LIST: readonly KeyRow[] = [
  { keys: ['↑', '↓', 'Home', 'End'], id: 'move' }, { keys: ['←', '→'], id: 'fold' }, { keys: ['Enter'], id: 'open' }, { keys: ['Space'], id: 'select' }, { keys: ['Mod+C'], id: 'copy' },
  { keys: ['A…Z'], id: 'jump', single: true },
]
/** On a row of the list and on the page of a device. */
const ON_DEVICE: readonly KeyRow[] = [{ keys: ['Mod+P'], id: 'ping' }, { keys: ['Mod+U'], id: 'send' }, { keys: ['Mod+D'], id: 'explain' }]
const IN_TRANSFERS: readonly KeyRow[] = [{ keys: ['Enter'], id: 'openTransfer' }, { keys: ['Space'], id: 'pause' }, { keys: ['Delete'], id: 'cancelTransfer' }]

export function KeyboardTable({ onClose }: { onClose: () => void }): ReactNode {
  const dialog = useDialog()
  const singleKeys = useSnapshot((s) => s.app.settings.singleKeys)
  return (
    <dialog ref={dialog} className="dialog keyboard" aria-labelledby="keyboard-title" onClose={onClose}>
      <h2 id="keyboard-title">{t('keyboard.title')}</h2>
      <div className="keyboard-tables">
        <Keys caption={t('keyboard.everywhere')} rows={EVERYWHERE} singleKeys={singleKeys} />
        <Keys caption={t('keyboard.list')} rows={IN_LIST} singleKeys={singleKeys} />
        <Keys caption={t('keyboard.device')} rows={ON_DEVICE} singleKeys={singleKeys} />
        <Keys caption={t('keyboard.transfers')} rows={IN_TRANSFERS} singleKeys={singleKeys} />
      </div>
      <p className="small t2">{t(singleKeys ? 'keyboard.singleOn' : 'keyboard.singleOff')} <a href="#/settings/general" onClick={() => dialog.current?.close()}>{t('place.settings')}</a></p>
      <div className="buttons end"><button type="button" className="button lg" onClick={() => dialog.current?.close()}>{t('action.close')}</button></div>
    </dialog>
  )
}

function Keys({ caption, rows, singleKeys }: { caption: string; rows: readonly KeyRow[]; singleKeys: boolean }): ReactNode {
  return (
    <table className="keys">
      <caption>{caption}</caption>
      <tbody>
        {rows.filter((row) => singleKeys || !row.single).map((row) => (
          <tr key={row.id}>
            <th scope="row">{row.keys.map((keys, i) => <Fragment key={keys}>{i > 0 && ' '}<span className="key-combination">{keyCaps(keys).map((key) => <kbd key={key}>{key}</kbd>)}</span></Fragment>)}</th>
            <td>{t(`keyboard.${row.id}`)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
