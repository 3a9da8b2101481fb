/**
 * The list in one line: whom we talk to, what is hidden, what was blocked today; for a moment what was just done.
 */
import { memo, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { clockTime } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { setQuery } from '../state/devices-session.ts'
import { blockedToday, talkSummary } from '../state/devices-talk.ts'
import { useSnapshot } from '../state/store.ts'
import { MoreHealth } from './HealthList.tsx'

interface FootProps {
  readonly devices: readonly Device[]
  readonly hidden: number
  readonly past: number | undefined
  readonly live: boolean
  readonly said: string
}

/** What is typed changes nothing of it. */
export const DevicesFoot = memo(function DevicesFoot({ devices, hidden, past, live, said }: FootProps): ReactNode {
  const [page, today] = useSnapshot(useShallow((s) => [s.blocked, new Date(s.nowMs).setHours(0, 0, 0, 0)] as const))
  const blocked = live ? blockedToday(page, today).count : 0
  const words = devices.length === 0 ? '' : past !== undefined && past > 0 ? t('devices.talk.past', { n: devices.length, time: clockTime(past) }) : talkSummary(devices)
  return (
    <footer className="foot">
      <span className="grow cut" aria-live="polite">{said === '' ? <span aria-live="off">{words}</span> : said}</span>
      {hidden > 0 && <button type="button" className="foot-link" onClick={() => setQuery('is:hidden')}>{t('devices.hiddenCount', { n: hidden })}</button>}
      {blocked > 0 && <button type="button" className="foot-link" onClick={() => setQuery('is:blocked')}>{t('devices.blockedToday', { n: blocked })}</button>}
      {live && <MoreHealth />}
    </footer>
  )
})
