/**
 * The last files to and from one device, on its page; nothing where there were none.
 */
import { useMemo, type ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { entriesOf } from '../state/transfers.ts'
import { useEntries, useMidnight } from '../state/transfers-live.ts'
import { kindOf } from '../state/transfers-words.ts'
import { FileIcon } from '../ui/FileIcon.tsx'
import { TransferWords } from '../ui/TransferWords.tsx'

const LAST = 3

export function DeviceTransfers({ device }: { device: Device }): ReactNode {
  const entries = useEntries()
  const midnightMs = useMidnight()
  const own = useMemo(() => entriesOf(entries, device.id, LAST), [entries, device.id])
  if (own.length === 0) return null
  return (
    <section className="device-transfers" aria-label={t('place.transfers')}>
      <ul className="plain">{own.map((entry) => <li key={entry.key}><FileIcon kind={kindOf(entry)} /><TransferWords entry={entry} midnightMs={midnightMs} /></li>)}</ul>
      <p className="small"><a className="link" href="#/transfers">{t('transfers.all')}</a></p>
    </section>
  )
}
