/**
 * The exit node in use: since when and why, what was looked at with its age, and the way out of it. With none in use, where traffic
 * goes now and the one that is suggested.
 */
import { Check, CircleHelp, RefreshCw, TriangleAlert, X } from 'lucide-react'
import type { ReactNode } from 'react'
import type { ExitNodesPage } from '../../preload/contract.ts'
import { blockedWhy, checkedWords, chosenName, pauseLeft, proofLines, type ProofLine } from '../state/exit-nodes.ts'
import { clockTime, safeText, sentence } from '../../main/words/format.ts'
import { useSnapshot } from '../state/store.ts'
import { AskWords } from '../ui/AskWords.tsx'
import { Knot } from '../ui/PathGlyph.tsx'
import { waits } from '../ui/use-ask.ts'
import { useExit } from '../ui/use-exit.ts'

export function ExitInUse({ page, running }: { page: ExitNodesPage; running: boolean }): ReactNode {
  return page.Chosen.Kind === 'none' ? <NoneInUse page={page} running={running} /> : <InUse page={page} running={running} />
}

function InUse({ page, running }: { page: ExitNodesPage; running: boolean }): ReactNode {
  const nowMs = useSnapshot((s) => s.nowMs)
  const exit = useExit()
  const check = useExit()
  const { Chosen: chosen, Egress: egress } = page
  const used = egress.Kind === 'direct' ? '' : egress.ID
  const place = page.Nodes.find((node) => node.ID === used)?.Place ?? ''
  const sinceMs = chosen.Kind === 'none' ? NaN : Date.parse(chosen.Since ?? '')
  const facts = [safeText(place, 80), egress.Kind !== 'exit' || Number.isNaN(sinceMs) ? '' : `since ${clockTime(sinceMs)}`, chosen.Kind === 'auto' ? 'chosen automatically' : ''].filter((one) => one !== '')
  return (
    <section className={`exit-card card-${egress.Kind}`} aria-label="In use">
      <div className="exit-main">
        <div className="exit-name">
          {egress.Kind === 'blocked' ? <TriangleAlert className="bad-mark" size={20} strokeWidth={1.7} aria-hidden="true" /> : <Knot tone={egress.Kind === 'exit' ? 'exit-node' : 'attention'} size={20} />}
          <h2 className="cut"><bdi>{chosenName(page) || 'None found yet'}</bdi></h2>
          <span className="t3 cut num">{facts.join(', ')}</span>
        </div>
        <p className="small t2 why selectable"><EgressWords page={page} nowMs={nowMs} /></p>
        <div className="buttons">
          <button type="button" className="button" aria-busy={waits(exit.ask)} disabled={!running && egress.Kind === 'direct'} onClick={() => void exit.clear()}>Stop using it</button>
          {egress.Kind === 'paused' && <button type="button" className="button ghost" aria-busy={waits(check.ask)} onClick={() => void check.pause(false)}>Use it again now</button>}
          {egress.Kind === 'exit' && (
            <button type="button" className="button ghost" aria-busy={waits(check.ask)} onClick={() => void check.check()}>
              <RefreshCw className="turn" size={16} strokeWidth={1.9} aria-hidden="true" />{waits(check.ask) ? 'Checking…' : 'Check again'}
            </button>
          )}
        </div>
        <AskWords ask={exit.ask} />
        <AskWords ask={check.ask} />
      </div>
      {egress.Kind === 'exit' && <ul className="plain proofs" aria-label="What was checked">{proofLines(page, nowMs).map((line) => <Proof key={line.what} line={line} />)}</ul>}
    </section>
  )
}

/** One sentence: what becomes of traffic now, and how fresh the proofs are. */
function EgressWords({ page, nowMs }: { page: ExitNodesPage; nowMs: number }): ReactNode {
  const { Egress: egress } = page
  if (egress.Kind === 'exit') return <>{sentence(egress.Why)} <span className="t3">{checkedWords(page, nowMs)}</span></>
  if (egress.Kind === 'direct') return <>Not in use yet.</>
  if (egress.Kind === 'blocked') return <>Nothing leaves. {blockedWhy(egress)}</>
  const left = pauseLeft(egress, nowMs)
  return <>{left === '' ? 'Paused.' : <>Paused, in use again in <span className="num">{left}</span>.</>} {sentence(egress.Why)}</>
}

const MARKS = { yes: Check, no: X, unknown: CircleHelp } as const
const SPOKEN = { yes: 'Yes:', no: 'No:', unknown: 'Not known:' } as const

function Proof({ line }: { line: ProofLine }): ReactNode {
  const Icon = MARKS[line.state]
  return (
    <li>
      <Icon className={`mark proof-${line.state}`} size={16} strokeWidth={1.9} aria-hidden="true" />
      <span className="grow">
        <span className="sr-only">{SPOKEN[line.state]} </span><bdi>{line.words}</bdi>
        {line.detail !== '' && <span className="t3 detail selectable">{line.detail}</span>}
      </span>
      <span className="t3 num selectable">{line.value}</span>
      <span className="t3 num proof-age">{line.age}</span>
    </li>
  )
}

function NoneInUse({ page, running }: { page: ExitNodesPage; running: boolean }): ReactNode {
  const exit = useExit()
  const best = page.Nodes.find((node) => node.Suggested && (node.Unavailable ?? '') === '')
  const name = safeText(best?.Name.split('.')[0] ?? '')
  return (
    <section className="exit-card none" aria-label="In use">
      <div className="exit-main">
        <div className="exit-name"><Knot tone={running ? 'connected' : 'disconnected'} size={20} /><h2>None in use</h2></div>
        <p className="small t2 why">Internet traffic leaves by your own network, and sites see your address.</p>
        {best && running && <div className="buttons"><button type="button" className="button ink" aria-busy={waits(exit.ask)} onClick={() => void exit.use(best.ID)}><span className="cut">Use <bdi>{name}</bdi></span></button><span className="small t3">{sentence(best.Why ?? '')}</span></div>}
        <AskWords ask={exit.ask} />
      </div>
    </section>
  )
}
