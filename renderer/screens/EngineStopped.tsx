/**
 * Above the list while the engine does not run: what that means for the person, whether traffic is held back, a way to start it again, a
 * report to hand on, and what happened for who asks. Restarts are counted aloud once.
 */
import { ChevronDown, ClipboardCopy, Info, TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { chosenName } from '../state/exit-nodes.ts'
import { keepsIn } from '../state/machine.ts'
import { engineReport, storyLines } from '../state/engine-story.ts'
import { clockTime, safeText } from '../../main/words/format.ts'
import { rich, t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { networkName } from '../../main/words/states.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { useAsk, waits } from '../ui/use-ask.ts'

/** Takes away what keeps traffic in, whoever left it. */
const CLEAN_UP = 'sudo bowline daemon --cleanup'

export function EngineStopped(): ReactNode {
  const api = useApi()
  const [app, story, nowMs] = useSnapshot(useShallow((s) => [s.app, s.story, s.nowMs] as const))
  const ask = useAsk()
  const lines = storyLines(story)
  return (
    <section className="notice bad engine-stopped" aria-label={t('engine.stopped')}>
      <TriangleAlert size={20} strokeWidth={1.7} aria-hidden="true" />
      <div className="grow">
        <EngineWords />
        <div className="buttons">
          {app.engineHost !== 'other' && app.host === 'electron' && (
            <button type="button" className="button ink" aria-busy={waits(ask)} onClick={() => void ask.run(() => api.call('restartEngine', {}))}>{t('stopped.restart')}</button>
          )}
          <CopyButton text={engineReport(app, story, nowMs)} className="button" icon={ClipboardCopy}>{t('stopped.report')}</CopyButton>
          <span className="grow" />
          <span className="small t2 num">{t('stopped.since', { time: clockTime(app.sinceMs) })}</span>
        </div>
        <AskWords ask={ask} />
        {app.restarts > 0 && <p className="small t2" {...(app.restarts === 1 ? { role: 'status' } : {})}>{t('stopped.count', { n: app.restarts })}</p>}
        {lines.length > 0 && (
          <details className="what-happened">
            <summary className="small t2"><ChevronDown size={14} aria-hidden="true" />{t('stopped.what')}</summary>
            <pre className="mono selectable" tabIndex={0} aria-label={t('stopped.what')}>{lines.join('\n')}</pre>
          </details>
        )}
      </div>
    </section>
  )
}

/** The sentences, spoken at once. */
function EngineWords(): ReactNode {
  const [app, status, exit, held] = useSnapshot(useShallow((s) => [s.app, s.status, s.exitNodes, keepsIn(s.machine)] as const))
  const exitName = exit && exit.Chosen.Kind !== 'none' ? chosenName(exit) : ''
  const otherUser = app.code === 'access-denied' || (app.engine === 'running' && status?.BackendState === 'InUseOtherUser')
  const title = otherUser ? 'stopped.title.otherUser' : app.engine === 'keeps-stopping' ? 'stopped.title.again' : 'stopped.title'
  return (
    <div role="alert">
      <p className="strong-3">{t(title)}</p>
      {!otherUser && (
        <p className="t2">
          {rich('stopped.means', { network: <bdi key="network">{networkName(status) || t('frame.yourNetwork')}</bdi> })}{' '}
          {held ? t('machine.engineAway') : exitName !== '' ? rich('stopped.exit.apps', { exit: <bdi key="exit">{safeText(exitName)}</bdi> }) : exit ? t('stopped.exit.none') : ''}
        </p>
      )}
      {held && !otherUser && <p className="t2">{t('machine.engineAway.way')} <code className="mono selectable">{CLEAN_UP}</code></p>}
      <p className="t2">{otherUser ? '' : `${t('stopped.stays')} `}{t(app.engineHost === 'app' ? 'stopped.byItself' : app.engineHost === 'service' ? 'stopped.service' : 'stopped.waits')}</p>
    </div>
  )
}

/** Engine and window are of different versions, as after an update of one of them. */
export function OtherVersion(): ReactNode {
  const [window, engine] = useSnapshot(useShallow((s) => [s.app.version, s.app.engineVersion] as const))
  if (engine === undefined) return null
  return (
    <div className="notice quiet" role="status">
      <Info size={16} strokeWidth={1.9} aria-hidden="true" />
      <p className="grow">{t('stopped.otherVersion', { engine: safeText(engine, 40), window })}</p>
    </div>
  )
}
