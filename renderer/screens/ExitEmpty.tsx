/**
 * No device offers to be an exit node: what somebody has to do, in two steps, with the commands to hand on.
 */
import { Copy } from 'lucide-react'
import type { ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import { CopyButton } from '../ui/CopyButton.tsx'

const OFFER = 'bowline set --advertise-exit-node'
const APPROVE = 'headscale nodes approve-routes --identifier ID --routes 0.0.0.0/0,::/0'

export function ExitEmpty(): ReactNode {
  return (
    <section className="exit-empty" aria-label={t('exit.empty.region')}>
      <h2>{t('exit.empty.title')}</h2>
      <p className="t2">{t('exit.empty.means')}</p>
      <ol className="plain">
        <li><span className="num t3">1</span><div className="grow"><p>{t('exit.empty.offer')}</p><Command text={OFFER} /></div></li>
        <li><span className="num t3">2</span><div className="grow"><p>{t('exit.empty.approve')}</p><Command text={APPROVE} /></div></li>
      </ol>
      <div className="buttons"><CopyButton text={t('exit.empty.request', { offer: OFFER, approve: APPROVE })} className="button">{t('exit.do.request')}</CopyButton></div>
    </section>
  )
}

function Command({ text }: { text: string }): ReactNode {
  return <p className="admin-line"><code className="mono selectable">{text}</code><CopyButton text={text} className="icon-button"><Copy size={14} strokeWidth={1.9} aria-hidden="true" /></CopyButton></p>
}
