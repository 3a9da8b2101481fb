/**
 * How this computer joins: what the mode means, how apps get into the network in it, and how to get the other mode. Words are the engine's.
 */
import { Copy } from 'lucide-react'
import type { ReactNode } from 'react'
import { capital, safeText } from '../../main/words/format.ts'
import { useSnapshot } from '../state/store.ts'
import { CopyButton } from '../ui/CopyButton.tsx'
import { useDialog } from '../ui/use-dialog.ts'

export const MODE_NAMES = { apps: 'Apps only', 'whole-computer': 'Whole computer' } as const

export function ModeDialog({ onClose }: { onClose: () => void }): ReactNode {
  const dialog = useDialog()
  const proxies = useSnapshot((s) => s.proxies)
  const ways = [['Proxy script (PAC)', proxies?.PacUrl], ['SOCKS5 proxy', proxies?.Socks5], ['HTTP proxy', proxies?.Http]] as const
  const there = ways.filter(([, address]) => address !== undefined && address !== '')
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="mode-title" onClose={onClose}>
      <h2 id="mode-title">{proxies ? MODE_NAMES[proxies.Mode] : 'How this computer joins'}</h2>
      <p>{proxies ? capital(safeText(proxies.Words.Mode, 600).replace(`${MODE_NAMES[proxies.Mode]}: `, '')) : 'The engine has not said yet.'}</p>
      {proxies?.Why !== undefined && <p className="t2">{safeText(proxies.Why, 300)}</p>}
      {there.length > 0 && (
        <section aria-label="How an app joins">
          <h3>Where to point an app</h3>
          <dl className="facts ways">
            {there.map(([name, address]) => (
              <div key={name}><dt>{name}</dt><dd className="num selectable">{safeText(address!, 200)}<CopyButton text={address!} className="icon-button"><Copy size={14} strokeWidth={1.9} aria-hidden="true" /></CopyButton></dd></div>
            ))}
          </dl>
        </section>
      )}
      {proxies?.Mode === 'apps' && there.length === 0 && <p className="t2">No proxy is open now.</p>}
      {proxies && proxies.Words.Upgrade !== '' && <section aria-label="The whole computer"><h3>{proxies.Mode === 'apps' ? 'The whole computer instead' : 'Apps only instead'}</h3><p className="t2">{safeText(proxies.Words.Upgrade, 600)}</p></section>}
      <div className="buttons end"><button type="button" className="button lg" onClick={() => dialog.current?.close()}>Close</button></div>
    </dialog>
  )
}
