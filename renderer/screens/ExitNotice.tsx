/**
 * Above every place: the exit node does not answer and nothing goes out, or it is paused for a while, with the time that is left.
 */
import { Clock, TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import type { ExitNodesPage } from '../../preload/contract.ts'
import { blockedWhy, chosenName, nextExit, pauseLeft } from '../state/exit-nodes.ts'
import { HOLDS_PORTAL } from '../state/health.ts'
import { isWhole } from '../state/machine.ts'
import { rich, t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { AskWords } from '../ui/AskWords.tsx'
import { PolicyLine, useLock } from '../ui/PolicyLine.tsx'
import { waits } from '../ui/use-ask.ts'
import { useExit } from '../ui/use-exit.ts'

export function ExitNotice(): ReactNode {
  const [page, running, portal, holding] = useSnapshot(useShallow((s) => [s.exitNodes, s.status?.BackendState === 'Running', s.warnings?.[HOLDS_PORTAL] !== undefined, s.machine?.State === 'holding'] as const))
  if (holding) return <Holding />
  if (!page || !running) return null
  if (page.Egress.Kind === 'paused') return <Paused page={page} />
  if (portal) return <Portal page={page} />
  return page.Egress.Kind === 'blocked' ? <Blocked page={page} /> : null
}

/** The tunnel is away and an exit node is chosen: whatever else is so, nothing goes out. */
function Holding(): ReactNode {
  const exit = useExit()
  const rule = useLock('ExitNodeID')
  return (
    <div className="notice bad asks" role="alert">
      <TriangleAlert size={20} strokeWidth={1.7} aria-hidden="true" />
      <div className="grow">
        <p className="strong-3">{t('machine.holding')}</p>
        <p className="t2">{t('machine.holding.more')}</p>
        <PolicyLine rule={rule} />
        <AskWords ask={exit.ask} />
      </div>
      {rule === undefined && <button type="button" className="button" aria-busy={waits(exit.ask)} onClick={() => void exit.clear()}>{t('machine.noExit')}</button>}
    </div>
  )
}

function Paused({ page }: { page: ExitNodesPage }): ReactNode {
  const nowMs = useSnapshot((s) => s.nowMs)
  const exit = useExit()
  const left = pauseLeft(page.Egress, nowMs)
  return (
    <div className="notice warn asks" role="status">
      <Clock size={20} strokeWidth={1.7} aria-hidden="true" />
      <div className="grow">
        <p><span className="strong-3">{rich<ReactNode>('exit.notice.paused', { name: <bdi key="name">{chosenName(page)}</bdi> })}</span> {left !== '' && <span className="t2 num" role="timer" aria-live="off">{t('exit.notice.pausedLeft', { left })}</span>}</p>
        <AskWords ask={exit.ask} />
      </div>
      <button type="button" className="button" aria-busy={waits(exit.ask)} onClick={() => void exit.pause(false)}>{t('exit.do.resume')}</button>
    </div>
  )
}

/** A network wants a sign-in whose page cannot be opened through the exit node. */
function Portal({ page }: { page: ExitNodesPage }): ReactNode {
  const exit = useExit()
  return (
    <div className="notice bad asks" role="alert">
      <TriangleAlert size={20} strokeWidth={1.7} aria-hidden="true" />
      <div className="grow">
        <p className="strong-3">{rich<ReactNode>('exit.notice.portal', { name: <bdi key="name">{chosenName(page)}</bdi> })}</p>
        <p className="t2">{t('exit.notice.portal.more')}</p>
        <AskWords ask={exit.ask} />
      </div>
      <button type="button" className="button ink" aria-busy={waits(exit.ask)} onClick={() => void exit.pause(true)}>{t('exit.do.pause')}</button>
    </div>
  )
}

function Blocked({ page }: { page: ExitNodesPage }): ReactNode {
  const whole = useSnapshot((s) => isWhole(s.machine))
  const exit = useExit()
  const rule = useLock('ExitNodeID')
  const next = rule === undefined ? nextExit(page) : undefined
  const name = chosenName(page)
  return (
    <div className="notice bad asks" role="alert">
      <TriangleAlert size={20} strokeWidth={1.7} aria-hidden="true" />
      <div className="grow">
        <p><span className="strong-3">{name === '' ? t(whole ? 'exit.notice.blockedNone' : 'exit.notice.blockedNone.apps') : rich<ReactNode>(whole ? 'exit.notice.blocked' : 'exit.notice.blocked.apps', { name: <bdi key="name">{name}</bdi> })}</span></p>
        <p className="t2 selectable">{blockedWhy(page.Egress)} {t('exit.notice.devices')}</p>
        <PolicyLine rule={rule} />
        <AskWords ask={exit.ask} />
      </div>
      {next && <button type="button" className="button ink" aria-busy={waits(exit.ask)} onClick={() => void exit.use(next.id)}><span className="cut" title={next.name}>{rich<ReactNode>('exit.do.use', { name: <bdi key="name">{next.name}</bdi> })}</span></button>}
      {rule === undefined && <button type="button" className="button" aria-busy={waits(exit.ask)} onClick={() => void exit.clear()}>{t('exit.do.off')}</button>}
    </div>
  )
}
