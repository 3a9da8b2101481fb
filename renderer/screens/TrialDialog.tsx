/**
 * A change on trial: what is tried, what is lost by it, and the time until it is taken back. It comes from the bus, so it is there after a
 * reload and in every window. Esc and closing it undo; only the button keeps.
 */
import { Check, CircleHelp, TriangleAlert } from 'lucide-react'
import { useEffect, useRef, useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import type { ExitNodesPage, Trial } from '../../preload/contract.ts'
import { safeText } from '../../main/words/format.ts'
import { rich, t } from '../../main/words/words.ts'
import { checkedWords } from '../state/exit-nodes.ts'
import { isWhole } from '../state/machine.ts'
import { useSnapshot } from '../state/store.ts'
import { lossLines, secondsLeft, trialBack, trialEnded, trialSpoken, trialTitle, type LossLine } from '../state/trial.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { useAsk, waits } from '../ui/use-ask.ts'
import { useDialog } from '../ui/use-dialog.ts'

const TICK_MS = 250
/** A ring that a reload finds half way is not full. */
const USUAL_SEC = 20

export function TrialLayer(): ReactNode {
  const [trial, last] = useSnapshot(useShallow((s) => [s.trial.Trial, s.trial.Last] as const))
  const [known, setKnown] = useState(last?.ID)
  const first = useRef(true)
  useEffect(() => {
    // What ended before this window came is no news to it.
    if (first.current) setKnown(last?.ID)
    first.current = false
  }, [last?.ID])
  return (
    <>
      {trial && <TrialDialog key={trial.ID} trial={trial} />}
      <p className="sr-only" role="status">{last && last.ID !== known && !trial ? trialEnded(last) : ''}</p>
    </>
  )
}

function TrialDialog({ trial }: { trial: Trial }): ReactNode {
  const api = useApi()
  const dialog = useDialog()
  const ask = useAsk()
  const [exits, endsMs, whole] = useSnapshot(useShallow((s) => [s.exitNodes, s.trialEndsMs, isWhole(s.machine)] as const))
  const sec = useSeconds(endsMs)
  const answer = (what: 'keep' | 'undo'): void => void ask.run(() => api.call('answerTrial', { id: trial.ID, answer: what }))
  const isExit = trial.Change.Prefs?.ExitNodeIDSet === true || trial.Change.Prefs?.AutoExitNodeSet === true
  return (
    <dialog ref={dialog} className="dialog trial" role="alertdialog" aria-labelledby="trial-title" aria-describedby="trial-losses" onCancel={(event) => {
      event.preventDefault()
      answer('undo')
    }}>
      <div className="trial-body">
        <header className="trial-head">
          <Ring sec={sec} of={Math.max(USUAL_SEC, Math.ceil(trial.LeftMs / 1000))} />
          <div className="grow">
            <h2 id="trial-title"><bdi>{trialTitle(trial.Change, exits)}</bdi></h2>
            <p className="t2" aria-hidden="true">{trialBack(trial.Back, exits, sec)}</p>
          </div>
        </header>
        <p className="sr-only" role="alert">{trialSpoken(sec)}</p>
        <ul className="plain trial-losses" id="trial-losses" aria-label={t('trial.losses')} tabIndex={-1}>
          {isExit && exits?.Egress.Kind === 'exit' && <Leaves page={exits} />}
          {lossLines(trial.Losses, whole).map((line) => <LossRow key={line.key} line={line} isExit={isExit} />)}
        </ul>
        <AskWords ask={ask} />
      </div>
      <footer className="trial-foot">
        <span className="grow small t3">{t('trial.esc')}</span>
        <button type="button" className="button lg" aria-busy={waits(ask)} onClick={() => answer('undo')}>{t('trial.undo')}</button>
        <button type="button" className="button ink lg" aria-busy={waits(ask)} onClick={() => answer('keep')}>{t('trial.keep')}</button>
      </footer>
    </dialog>
  )
}

/** Whole seconds that are left; moves by itself. */
function useSeconds(endsMs: number): number {
  const [sec, setSec] = useState(() => secondsLeft(endsMs, Date.now()))
  useEffect(() => {
    const look = (): void => setSec(secondsLeft(endsMs, Date.now()))
    look()
    const timer = setInterval(look, TICK_MS)
    return () => clearInterval(timer)
  }, [endsMs])
  return sec
}

const RADIUS = 19
const ROUND = 2 * Math.PI * RADIUS

function Ring({ sec, of }: { sec: number; of: number }): ReactNode {
  return (
    <svg className="trial-ring" width="44" height="44" viewBox="0 0 44 44" role="timer" aria-live="off" aria-label={t('trial.left', { sec })}>
      <circle className="ring-rest" cx="22" cy="22" r={RADIUS} />
      <circle className="ring-left" cx="22" cy="22" r={RADIUS} strokeDasharray={`${(ROUND * Math.min(sec, of)) / of} ${ROUND}`} transform="rotate(-90 22 22)" />
      <text x="22" y="27" textAnchor="middle">{sec}</text>
    </svg>
  )
}

/** What was seen of the way out since it is tried. */
function Leaves({ page }: { page: ExitNodesPage }): ReactNode {
  const nowMs = useSnapshot((s) => s.nowMs)
  const { Egress: egress } = page
  if (egress.Kind !== 'exit') return null
  // Never a tick for what nobody has looked at.
  const isSeen = page.Proofs.some(({ Ok }) => Ok === true)
  const place = safeText(page.Nodes.find(({ ID }) => ID === egress.ID)?.Place ?? '', 60)
  return (
    <li>
      {isSeen ? <Check className="mark proof-yes" size={16} strokeWidth={1.9} aria-hidden="true" /> : <CircleHelp className="mark proof-unknown" size={16} strokeWidth={1.9} aria-hidden="true" />}
      <div className="grow">
        <p>{place === '' ? rich<ReactNode>('trial.leaves', { name: <bdi key="name">{safeText(egress.Name, 60)}</bdi> }) : t('trial.leaves.from', { place })}</p>
        <p className="small t2">{checkedWords(page, nowMs)}</p>
      </div>
    </li>
  )
}

function LossRow({ line, isExit }: { line: LossLine; isExit: boolean }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const allowed = useSnapshot((s) => s.prefs?.ExitNodeAllowLANAccess === true)
  const isKept = line.lanKeeps && isExit && allowed
  const allow = (): void => void ask.run(() => api.call('editPrefs', { ExitNodeAllowLANAccess: true, ExitNodeAllowLANAccessSet: true }))
  const link = <button key="lan" type="button" className="link" aria-busy={waits(ask)} onClick={allow}>{t('trial.keepLan')}</button>
  return (
    <li>
      {isKept ? <Check className="mark proof-yes" size={16} strokeWidth={1.9} aria-hidden="true" /> : <TriangleAlert className="mark warn-mark" size={16} strokeWidth={1.9} aria-hidden="true" />}
      <div className="grow">
        <p className={isKept ? 'trial-kept' : ''}><bdi>{line.words}</bdi></p>
        <p className="small t2">{isKept ? t('trial.kept.lan') : line.lanKeeps && isExit ? rich<ReactNode>('trial.keepLan.would', { lan: link }) : line.why}</p>
        <AskWords ask={ask} />
      </div>
    </li>
  )
}
