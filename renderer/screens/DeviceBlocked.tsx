/**
 * What did not get through between this device and another lately, in the engine's own words; nothing when all did.
 */
import { Ban } from 'lucide-react'
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { t } from '../../main/words/words.ts'
import { useLook } from '../state/looks.ts'
import { blockedWith } from '../state/networks.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'

const EVERY_MS = 2000
const SHOWN = 3

export function DeviceBlocked({ nodeKey }: { nodeKey: string }): ReactNode {
  const api = useApi()
  const [page, nowMs] = useSnapshot(useShallow((s) => [s.blocked, s.nowMs] as const))
  useLook(api, 'blocked', EVERY_MS)
  const lines = blockedWith(page, nodeKey, nowMs, SHOWN)
  if (lines.length === 0) return null
  return (
    <section className="block" aria-label={t('device.blocked')}>
      <h2>{t('device.blocked.title')}</h2>
      <ul className="plain lines">
        {lines.map((line) => (
          <li key={line.why}><Ban className="blocked-mark" size={16} strokeWidth={1.9} aria-hidden="true" /><span className="grow selectable">{line.why}</span><span className="t3 small num">{line.when}</span></li>
        ))}
      </ul>
    </section>
  )
}
