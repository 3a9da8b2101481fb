/**
 * Why a device cannot receive files, and what somebody who looks after the network could do: text to copy.
 */
import type { ReactNode } from 'react'
import type { TransferTarget } from '../../main/localapi/transfers.ts'
import { rich, t } from '../../main/words/words.ts'
import { reasonMeans, requestText } from '../state/targets.ts'
import { named } from '../state/transfers-words.ts'
import { CopyButton } from '../ui/CopyButton.tsx'
import { useDialog } from '../ui/use-dialog.ts'

export function TargetWhy({ target, onClose }: { target: TransferTarget; onClose: () => void }): ReactNode {
  const dialog = useDialog()
  const grant = target.Grant ?? ''
  return (
    <dialog ref={dialog} className="dialog target-why" aria-labelledby="target-why-title" onClose={onClose}>
      <h2 id="target-why-title">{rich('transfers.why.title', { device: <bdi key="device">{named(target.Name, 60)}</bdi> })}</h2>
      <p className="t2 selectable">{reasonMeans(target)}</p>
      {grant !== '' && (
        <section aria-label={t('transfers.why.grant')}>
          <h3 className="small strong-2">{t('transfers.why.grant')}</h3>
          <pre className="well mono selectable" tabIndex={0}>{grant}</pre>
        </section>
      )}
      <div className="buttons end">
        {grant !== '' && <CopyButton className="button lg" text={grant}>{t('transfers.copyGrant')}</CopyButton>}
        <CopyButton className="button lg" text={requestText(target.Name, reasonMeans(target), grant)}>{t('transfers.copyRequest')}</CopyButton>
        <button type="button" className="button ink lg" onClick={() => dialog.current?.close()}>{t('action.close')}</button>
      </div>
    </dialog>
  )
}
