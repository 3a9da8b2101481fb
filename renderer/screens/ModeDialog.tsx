/**
 * How apps get into the network: where to point one, also while the whole computer is on it.
 */
import { Copy } from 'lucide-react'
import type { ReactNode } from 'react'
import { capital, safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { CopyButton } from '../ui/CopyButton.tsx'
import { useDialog } from '../ui/use-dialog.ts'

export function ModeDialog({ onClose }: { onClose: () => void }): ReactNode {
  const dialog = useDialog()
  const proxies = useSnapshot((s) => s.proxies)
  const ways = [[t('settings.proxy.pac'), proxies?.PacUrl], [t('settings.proxy.socks'), proxies?.Socks5], [t('settings.proxy.http'), proxies?.Http]] as const
  const there = ways.filter((way): way is readonly [string, string] => way[1] !== undefined && way[1] !== '')
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="mode-title" onClose={onClose}>
      <h2 id="mode-title">{t('settings.mode.ways')}</h2>
      <p>{proxies ? t('settings.modeMeans') : t('settings.unknown')}</p>
      {proxies?.Why !== undefined && <p className="t2">{capital(safeText(proxies.Why, 300))}</p>}
      {there.length > 0 && (
        <dl className="facts ways">
          {there.map(([name, address]) => (
            <div key={name}><dt>{name}</dt><dd className="num selectable">{safeText(address, 200)}<CopyButton text={address} className="icon-button"><Copy size={14} strokeWidth={1.9} aria-hidden="true" /></CopyButton></dd></div>
          ))}
        </dl>
      )}
      {proxies && there.length === 0 && <p className="t2">{t('settings.proxy.none')}</p>}
      <div className="buttons end"><a className="button lg" href="#/settings/connection" onClick={() => dialog.current?.close()}>{t('settings.row.mode')}</a><button type="button" className="button lg" onClick={() => dialog.current?.close()}>{t('action.close')}</button></div>
    </dialog>
  )
}
