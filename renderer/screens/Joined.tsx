/**
 * Said once after signing in here: what this computer is called now, where it is reached, and where Bowline is when its window is closed.
 */
import { Check, X } from 'lucide-react'
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { safeText } from '../../main/words/format.ts'
import { rich, t } from '../../main/words/words.ts'
import { useJoin } from '../state/join.ts'
import { useSnapshot } from '../state/store.ts'

export function Joined(): ReactNode {
  const arrived = useJoin((s) => s.arrived)
  const [self, running, tray] = useSnapshot(useShallow((s) => [s.status?.Self, s.status?.BackendState === 'Running', s.app.tray] as const))
  if (!arrived || !running || !self?.TailscaleIPs?.[0]) return null
  const name = safeText(self.DNSName.split('.')[0] || self.HostName)
  return (
    <div className="joined" role="status">
      <Check className="mark-good" size={16} strokeWidth={1.9} aria-hidden="true" />
      <p className="grow">{rich<ReactNode>('join.in', { name: <bdi key="name" className="strong-2">{name}</bdi>, address: <span key="address" className="num selectable">{self.TailscaleIPs[0]}</span> })}{tray === 'shown' ? ` ${t('join.in.tray')}` : ''}</p>
      <button type="button" className="icon-button" aria-label={t('action.close')} title={t('action.close')} onClick={() => useJoin.setState({ arrived: false })}><X size={16} strokeWidth={1.9} aria-hidden="true" /></button>
    </div>
  )
}
