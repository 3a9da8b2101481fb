/**
 * Beside the one in use: whether the local network stays reachable, by name, and what happens when it stops working.
 */
import type { KeyboardEvent, ReactNode } from 'react'
import type { ExitNodeFailure, ExitNodesPage } from '../../preload/contract.ts'
import { lanWords } from '../state/exit-nodes.ts'
import { t } from '../../main/words/words.ts'
import { AskWords } from '../ui/AskWords.tsx'
import { PolicyLine, useLock } from '../ui/PolicyLine.tsx'
import { Switch } from '../ui/Switch.tsx'
import { waits } from '../ui/use-ask.ts'
import { useExit } from '../ui/use-exit.ts'

export function ExitRules({ page }: { page: ExitNodesPage }): ReactNode {
  return <div className="exit-rules"><LocalNetwork page={page} /><Failure page={page} /></div>
}

function LocalNetwork({ page }: { page: ExitNodesPage }): ReactNode {
  const exit = useExit()
  const rule = useLock('ExitNodeAllowLANAccess')
  return (
    <section className="rule" aria-label={t('exit.lan.region')}>
      <Switch on={page.AllowLAN} wait={exit.ask.wait} label={t('exit.lan.title')} describedBy={rule === undefined ? 'lan-words' : 'lan-words lan-rule'} locked={rule !== undefined} onFlip={() => void exit.setLan(!page.AllowLAN)} />
      <div className="grow">
        <p className="strong-2" aria-hidden="true">{t('exit.lan.title')}</p>
        <p className="small t2 selectable" id="lan-words">{lanWords(page)}</p>
        <PolicyLine id="lan-rule" rule={rule} />
        <AskWords ask={exit.ask} />
      </div>
    </section>
  )
}

const KINDS: readonly ExitNodeFailure[] = ['block', 'next', 'direct']

function Failure({ page }: { page: ExitNodesPage }): ReactNode {
  const exit = useExit()
  // Nothing goes past an exit node that the policy names.
  const rule = useLock('ExitNodeID')
  const choose = (failure: ExitNodeFailure): void => {
    if (failure !== page.Failure && rule === undefined) void exit.setFailure(failure)
  }
  const move = (event: KeyboardEvent<HTMLDivElement>): void => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const buttons = [...event.currentTarget.querySelectorAll('button')]
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement)
    buttons.at((at + step) % buttons.length)?.focus()
  }
  return (
    <section className="rule failure" aria-label={t('exit.failure.title')}>
      <div className="grow">
        <p className="strong-2" id="failure-title">{t('exit.failure.title')}</p>
        <p className="small t2" id="failure-words">{t(`exit.failure.${page.Failure}.means`)}</p>
        <PolicyLine id="failure-rule" rule={rule} />
        <AskWords ask={exit.ask} />
      </div>
      <div className="segments" role="radiogroup" aria-labelledby="failure-title" aria-describedby={rule === undefined ? 'failure-words' : 'failure-words failure-rule'} aria-disabled={rule !== undefined} aria-busy={waits(exit.ask)} onKeyDown={move}>
        {KINDS.map((kind) => (
          <button key={kind} type="button" role="radio" aria-checked={kind === page.Failure} tabIndex={kind === page.Failure ? 0 : -1} title={t(`exit.failure.${kind}.means`)}
            className={`segment ${rule === undefined ? '' : 'held'}`} aria-disabled={rule !== undefined} onClick={() => choose(kind)}>{t(`exit.failure.${kind}`)}</button>
        ))}
      </div>
    </section>
  )
}
