/**
 * The place "Diagnose": one box for what should be reached with the ladder under it, the network here with its relays, and tools.
 */
import { Waypoints } from 'lucide-react'
import { useState, type FormEvent, type ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { DiagnoseNames } from './DiagnoseNames.tsx'
import { DiagnoseNetwork } from './DiagnoseNetwork.tsx'
import { DiagnosePing } from './DiagnosePing.tsx'
import { ReachLadder } from './ReachLadder.tsx'

const MAX_TARGET = 300

export function Diagnose(): ReactNode {
  const running = useSnapshot((s) => s.app.engine === 'running')
  return (
    <section className="diagnose" aria-labelledby="diagnose-title">
      <header className="bar"><h1 id="diagnose-title">{t('place.diagnose')}</h1></header>
      <div className="page-body">
        <ReachBox running={running} />
        <DiagnoseNetwork />
        <div className="diagnose-part tools"><DiagnoseNames running={running} /><DiagnosePing running={running} /></div>
      </div>
    </section>
  )
}

function ReachBox({ running }: { running: boolean }): ReactNode {
  const [text, setText] = useState('')
  const [asked, setAsked] = useState({ target: '', turn: 0 })
  const go = (event: FormEvent): void => {
    event.preventDefault()
    const target = text.trim()
    if (target !== '') setAsked({ target, turn: asked.turn + 1 })
  }
  return (
    <div>
      <form className="reach-box" role="search" onSubmit={go}>
        <label className="field lg grow">
          <Waypoints size={16} strokeWidth={1.9} aria-hidden="true" />
          <span className="sr-only">{t('diagnose.box.label')}</span>
          <input value={text} maxLength={MAX_TARGET} spellCheck={false} autoComplete="off" autoCapitalize="off" placeholder={t('diagnose.box.hint')} onChange={(event) => setText(event.target.value)} />
        </label>
        <button type="submit" className="button lg" disabled={!running}>{t('diagnose.box.go')}</button>
      </form>
      {asked.target === '' ? <p className="t2 small reach-means">{t('diagnose.box.means')}</p> : <ReachLadder target={asked.target} turn={asked.turn} />}
    </div>
  )
}
