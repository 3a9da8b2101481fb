/**
 * Beside the one in use: whether the local network stays reachable, by name, and what happens when it stops working.
 */
import type { KeyboardEvent, ReactNode } from 'react'
import type { ExitNodeFailure, ExitNodesPage } from '../../preload/contract.ts'
import { FAILURE_WORDS, lanWords } from '../state/exit-nodes.ts'
import { look } from '../state/looks.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { Switch } from '../ui/Switch.tsx'
import { useAsk } from '../ui/use-ask.ts'

export function ExitRules({ page }: { page: ExitNodesPage }): ReactNode {
  return <div className="exit-rules"><LocalNetwork page={page} /><Failure page={page} /></div>
}

function LocalNetwork({ page }: { page: ExitNodesPage }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const flip = (): void => void ask.run(async () => {
    const answer = await api.call('editPrefs', { ExitNodeAllowLANAccess: !page.AllowLAN, ExitNodeAllowLANAccessSet: true })
    return answer.ok ? look(api, 'exitNodes') : answer
  })
  return (
    <section className="rule" aria-label="Local network">
      <Switch on={page.AllowLAN} wait={ask.wait} label="Reach the local network" describedBy="lan-words" onFlip={flip} />
      <div className="grow">
        <p className="strong-2" aria-hidden="true">Reach the local network</p>
        <p className="small t2 selectable" id="lan-words">{lanWords(page)}</p>
        <AskWords ask={ask} />
      </div>
    </section>
  )
}

const KINDS: readonly ExitNodeFailure[] = ['block', 'next', 'direct']

function Failure({ page }: { page: ExitNodesPage }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const choose = (failure: ExitNodeFailure): void => {
    if (failure === page.Failure) return
    void ask.run(async () => {
      const answer = await api.call('setExitNodeFailure', { failure })
      return answer.ok ? look(api, 'exitNodes') : answer
    })
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
    <section className="rule failure" aria-label="If it stops working">
      <div className="grow">
        <p className="strong-2" id="failure-title">If it stops working</p>
        <p className="small t2" id="failure-words">{FAILURE_WORDS[page.Failure].means}</p>
        <AskWords ask={ask} />
      </div>
      <div className="segments" role="radiogroup" aria-labelledby="failure-title" aria-describedby="failure-words" aria-busy={ask.wait === 'shown' || ask.wait === 'long'} onKeyDown={move}>
        {KINDS.map((kind) => (
          <button key={kind} type="button" role="radio" aria-checked={kind === page.Failure} tabIndex={kind === page.Failure ? 0 : -1} title={FAILURE_WORDS[kind].means}
            className="segment" onClick={() => choose(kind)}>{FAILURE_WORDS[kind].label}</button>
        ))}
      </div>
    </section>
  )
}
