/**
 * Above every place: the exit node does not answer and nothing goes out, or it is paused for a while, with the time that is left.
 */
import { Clock, TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import type { ExitNodesPage } from '../../preload/contract.ts'
import { blockedWhy, chosenName, nextExit, pauseLeft } from '../state/exit-nodes.ts'
import { HOLDS_PORTAL } from '../state/health.ts'
import { useSnapshot } from '../state/store.ts'
import { AskWords } from '../ui/AskWords.tsx'
import { waits } from '../ui/use-ask.ts'
import { useExit } from '../ui/use-exit.ts'

export function ExitNotice(): ReactNode {
  const [page, running, portal] = useSnapshot(useShallow((s) => [s.exitNodes, s.status?.BackendState === 'Running', s.warnings?.[HOLDS_PORTAL] !== undefined] as const))
  if (!page || !running) return null
  if (page.Egress.Kind === 'paused') return <Paused page={page} />
  if (portal) return <Portal page={page} />
  return page.Egress.Kind === 'blocked' ? <Blocked page={page} /> : null
}

function Paused({ page }: { page: ExitNodesPage }): ReactNode {
  const nowMs = useSnapshot((s) => s.nowMs)
  const exit = useExit()
  const left = pauseLeft(page.Egress, nowMs)
  return (
    <div className="notice warn asks" role="status">
      <Clock size={20} strokeWidth={1.7} aria-hidden="true" />
      <div className="grow">
        <p><span className="strong-3"><bdi>{chosenName(page)}</bdi> is paused, so internet traffic leaves by your own network.</span> {left !== '' && <span className="t2 num" role="timer" aria-live="off">In use again in {left}.</span>}</p>
        <AskWords ask={exit.ask} />
      </div>
      <button type="button" className="button" aria-busy={waits(exit.ask)} onClick={() => void exit.pause(false)}>Use it again now</button>
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
        <p className="strong-3">This network asks you to sign in, and its page cannot be opened through <bdi>{chosenName(page)}</bdi>.</p>
        <p className="t2">Pause it for this network and sign in there. It is used again by itself after that.</p>
        <AskWords ask={exit.ask} />
      </div>
      <button type="button" className="button ink" aria-busy={waits(exit.ask)} onClick={() => void exit.pause(true)}>Pause for 10 minutes</button>
    </div>
  )
}

function Blocked({ page }: { page: ExitNodesPage }): ReactNode {
  const apps = useSnapshot((s) => s.proxies?.Mode === 'apps')
  const exit = useExit()
  const next = nextExit(page)
  const name = chosenName(page)
  return (
    <div className="notice bad asks" role="alert">
      <TriangleAlert size={20} strokeWidth={1.7} aria-hidden="true" />
      <div className="grow">
        <p><span className="strong-3">{name === '' ? 'No exit node can be used' : <><bdi>{name}</bdi> cannot be used</>}, so {apps ? 'the internet traffic of apps that use Bowline' : 'your internet'} is blocked.</span></p>
        <p className="t2 selectable">{blockedWhy(page.Egress)} Your devices stay reachable.</p>
        <AskWords ask={exit.ask} />
      </div>
      {next && <button type="button" className="button ink" aria-busy={waits(exit.ask)} onClick={() => void exit.use(next.id)}><span className="cut" title={next.name}>Use <bdi>{next.name}</bdi></span></button>}
      <button type="button" className="button" aria-busy={waits(exit.ask)} onClick={() => void exit.clear()}>Turn off</button>
    </div>
  )
}
