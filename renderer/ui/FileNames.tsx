/**
 * Names of files and folders that are asked for or about to be sent, one below the other, and how many more there are.
 */
import type { ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import type { OfferedFiles, TransferAsk } from '../../preload/contract.ts'
import { kindOfRow, named, sizeWords } from '../state/transfers-words.ts'
import { FileIcon } from './FileIcon.tsx'

export function FileNames({ of: { Items, Count } }: { of: Pick<TransferAsk | OfferedFiles, 'Items' | 'Count'> }): ReactNode {
  const more = Count - Items.length
  return (
    <ul className="plain ask-names small" tabIndex={0}>
      {/* Two of one name would be refused; their places tell them apart all the same. */}
      {/* oxlint-disable-next-line react/no-array-index-key */}
      {Items.map((item, i) => <li key={i}><FileIcon kind={kindOfRow(item)} size={16} /><bdi className="grow ask-name">{named(item.Name)}</bdi><span className="num t2">{sizeWords(item.Size)}</span></li>)}
      {more > 0 && <li className="t2">{t('transfers.ask.more', { n: more })}</li>}
    </ul>
  )
}
