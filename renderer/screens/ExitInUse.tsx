/**
 * The exit node in use: since when and why, what was looked at with its age, and the way out of it. With none in use, where traffic
 * goes now and the one that is suggested.
 */
import { Check, CircleHelp, RefreshCw, TriangleAlert, X } from 'lucide-react'
import type { ReactNode } from 'react'
import type { ExitNodesPage } from '../../preload/contract.ts'
import { blockedWhy, checkedWords, chosenName, pauseLeft, proofLines, suggestWords, type ProofLine } from '../state/exit-nodes.ts'
import { clockTime, safeText, sentence } from '../../main/words/format.ts'
import { rich, t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { AskWords } from '../ui/AskWords.tsx'
import { Knot } from '../ui/PathGlyph.tsx'
import { useLock } from '../ui/PolicyLine.tsx'
import { waits } from '../ui/use-ask.ts'
import { useExit } from '../ui/use-exit.ts'

export function ExitInUse({ page, running }: { page: ExitNodesPage; running: boolean }): ReactNode {
  return page.Chosen.Kind === 'none' ? <NoneInUse page={page} running={running} /> : <InUse page={page} running={running} />
}

function InUse({ page, running }: { page: ExitNodesPage; running: boolean }): ReactNode {
  const nowMs = useSnapshot((s) => s.nowMs)
  const exit = useExit()
  const check = useExit()
  const held = useLock('ExitNodeID') !== undefined
  const { Chosen: chosen, Egress: egress } = page
  const used = egress.Kind === 'direct' ? '' : egress.ID
  const place = page.Nodes.find((node) => node.ID === used)?.Place ?? ''
  const sinceMs = chosen.Kind === 'none' ? NaN : Date.parse(chosen.Since ?? '')
  const facts = [safeText(place, 80), egress.Kind !== 'exit' || Number.isNaN(sinceMs) ? '' : t('exit.inUse.since', { time: clockTime(sinceMs) }), chosen.Kind === 'auto' ? t('exit.inUse.auto') : ''].filter((one) => one !== '')
  return (
    <section className={`exit-card card-${egress.Kind}`} aria-label={t('exit.inUse')}>
      <div>
        <div className="exit-name">
          {egress.Kind === 'blocked' ? <TriangleAlert className="bad-mark" size={20} strokeWidth={1.7} aria-hidden="true" /> : <Knot tone={egress.Kind === 'exit' ? 'exit-node' : 'attention'} size={20} />}
          <h2 className="cut"><bdi>{chosenName(page) || t('exit.inUse.noneFound')}</bdi></h2>
          <span className="t3 cut num">{facts.join(', ')}</span>
        </div>
        <p className="small t2 why selectable"><EgressWords page={page} nowMs={nowMs} /></p>
        <div className="buttons">
          {!held && <button type="button" className="button" aria-busy={waits(exit.ask)} disabled={!running && egress.Kind === 'direct'} onClick={() => void exit.clear()}>{t('exit.do.stop')}</button>}
          {egress.Kind === 'paused' && <button type="button" className="button ghost" aria-busy={waits(check.ask)} onClick={() => void check.pause(false)}>{t('exit.do.resume')}</button>}
          {egress.Kind === 'exit' && (
            <button type="button" className="button ghost" aria-busy={waits(check.ask)} onClick={() => void check.check()}>
              <RefreshCw className="turn" size={16} strokeWidth={1.9} aria-hidden="true" />{waits(check.ask) ? t('exit.do.checking') : t('action.checkAgain')}
            </button>
          )}
        </div>
        <AskWords ask={exit.ask} />
        <AskWords ask={check.ask} />
      </div>
      {egress.Kind === 'exit' && <ul className="plain proofs" aria-label={t('exit.proofs')}>{proofLines(page, nowMs).map((line) => <Proof key={line.what} line={line} />)}</ul>}
    </section>
  )
}

/** One sentence: what becomes of traffic now, and how fresh the proofs are. */
function EgressWords({ page, nowMs }: { page: ExitNodesPage; nowMs: number }): ReactNode {
  const { Egress: egress } = page
  // Whose choice it then was is said at the list.
  const held = useLock('ExitNodeID') !== undefined
  if (egress.Kind === 'exit') return <>{egress.Why === 'chosen by you' ? (held ? '' : t('exit.why.chosen')) : sentence(egress.Why)} <span className="t3">{checkedWords(page, nowMs)}</span></>
  if (egress.Kind === 'direct') return <>{t('exit.inUse.notYet')}</>
  if (egress.Kind === 'blocked') return <>{t('exit.inUse.blocked', { why: blockedWhy(egress) })}</>
  const left = pauseLeft(egress, nowMs)
  return <>{left === '' ? t('exit.inUse.paused') : rich<ReactNode>('exit.inUse.pausedFor', { left: <span className="num" key="left">{left}</span> })} {sentence(egress.Why)}</>
}

const MARKS = { yes: Check, no: X, unknown: CircleHelp } as const

function Proof({ line }: { line: ProofLine }): ReactNode {
  const Icon = MARKS[line.state]
  return (
    <li>
      <Icon className={`mark proof-${line.state}`} size={16} strokeWidth={1.9} aria-hidden="true" />
      <span className="grow">
        <span className="sr-only">{t(`exit.mark.${line.state}`)} </span><bdi>{line.words}</bdi>
        {line.detail !== '' && <span className="t3 detail selectable">{line.detail}</span>}
      </span>
      <span className="t3 num selectable">{line.value}</span>
      <span className="t3 num proof-age">{line.age}</span>
    </li>
  )
}

function NoneInUse({ page, running }: { page: ExitNodesPage; running: boolean }): ReactNode {
  const exit = useExit()
  const held = useLock('ExitNodeID') !== undefined
  const best = page.Nodes.find((node) => node.Suggested && (node.Unavailable ?? '') === '')
  const name = safeText(best?.Name.split('.')[0] ?? '')
  return (
    <section className="exit-card none" aria-label={t('exit.inUse')}>
      <div>
        <div className="exit-name"><Knot tone={running ? 'connected' : 'disconnected'} size={20} /><h2>{t('exit.inUse.none')}</h2></div>
        <p className="small t2 why">{t('exit.inUse.ownNetwork')}</p>
        {best && running && !held && <div className="buttons"><button type="button" className="button ink" aria-busy={waits(exit.ask)} onClick={() => void exit.use(best.ID)}><span className="cut">{rich<ReactNode>('exit.do.use', { name: <bdi key="name">{name}</bdi> })}</span></button><span className="small t3">{sentence(suggestWords(best.Why ?? ''))}</span></div>}
        <AskWords ask={exit.ask} />
      </div>
    </section>
  )
}
