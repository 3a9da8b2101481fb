/**
 * How this computer joins: what the mode means, how apps get into the network in it, and how to get the other mode.
 */
import { Copy } from 'lucide-react'
import type { ReactNode } from 'react'
import { capital, safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { ProxiesPage } from '../../preload/contract.ts'
import { useSnapshot } from '../state/store.ts'
import { CopyButton } from '../ui/CopyButton.tsx'
import { useDialog } from '../ui/use-dialog.ts'

export const modeName = (mode: ProxiesPage['Mode']): string => t(`settings.mode.${mode}`)

export function ModeDialog({ onClose }: { onClose: () => void }): ReactNode {
  const dialog = useDialog()
  const proxies = useSnapshot((s) => s.proxies)
  const ways = [[t('settings.proxy.pac'), proxies?.PacUrl], [t('settings.proxy.socks'), proxies?.Socks5], [t('settings.proxy.http'), proxies?.Http]] as const
  const there = ways.filter((way): way is readonly [string, string] => way[1] !== undefined && way[1] !== '')
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="mode-title" onClose={onClose}>
      <h2 id="mode-title">{proxies ? modeName(proxies.Mode) : t('settings.row.mode')}</h2>
      <p>{proxies ? t(`settings.modeMeans.${proxies.Mode}`) : t('settings.unknown')}</p>
      {proxies?.Why !== undefined && <p className="t2">{capital(safeText(proxies.Why, 300))}</p>}
      {there.length > 0 && (
        <section aria-labelledby="mode-ways">
          <h3 id="mode-ways">{t('settings.mode.ways')}</h3>
          <dl className="facts ways">
            {there.map(([name, address]) => (
              <div key={name}><dt>{name}</dt><dd className="num selectable">{safeText(address, 200)}<CopyButton text={address} className="icon-button"><Copy size={14} strokeWidth={1.9} aria-hidden="true" /></CopyButton></dd></div>
            ))}
          </dl>
        </section>
      )}
      {proxies?.Mode === 'apps' && there.length === 0 && <p className="t2">{t('settings.proxy.none')}</p>}
      {proxies && <section aria-labelledby="mode-other"><h3 id="mode-other">{t(`settings.modeOther.${proxies.Mode}`)}</h3><p className="t2">{t(`settings.modeUpgrade.${proxies.Mode}`)}</p></section>}
      <div className="buttons end"><button type="button" className="button lg" onClick={() => dialog.current?.close()}>{t('action.close')}</button></div>
    </dialog>
  )
}
