/**
 * Above every place: the exit node does not answer and nothing goes out, or it is paused for a while, with the time that is left.
 */
import { Clock, TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { chosenName, nextExit, pauseLeft } from '../state/exit-nodes.ts'
import { sentence } from '../state/format.ts'
import { useSnapshot } from '../state/store.ts'
import { AskWords } from '../ui/AskWords.tsx'
import { useExit } from '../ui/use-exit.ts'

export function ExitNotice(): ReactNode {
  const [page, running, nowMs] = useSnapshot(useShallow((s) => [s.exitNodes, s.status?.BackendState === 'Running', s.nowMs] as const))
  if (!page || !running) return null
  if (page.Egress.Kind === 'blocked') return <Blocked />
  if (page.Egress.Kind !== 'paused') return null
  const left = pauseLeft(page.Egress, nowMs)
  return (
    <div className="notice warn asks" role="status">
      <Clock size={20} strokeWidth={1.7} aria-hidden="true" />
      <div className="grow">
        <p><span className="strong-3"><bdi>{chosenName(page)}</bdi> is paused, so internet traffic leaves by your own network.</span> <span className="t2 selectable">{sentence(page.Egress.Why)}</span></p>
      </div>
      {left !== '' && <span className="small t2 num" role="timer" aria-live="off">in use again in {left}</span>}
    </div>
  )
}

function Blocked(): ReactNode {
  const page = useSnapshot((s) => s.exitNodes)!
  const apps = useSnapshot((s) => s.proxies?.Mode === 'apps')
  const exit = useExit()
  const next = nextExit(page)
  const name = chosenName(page)
  const busy = exit.ask.wait === 'shown' || exit.ask.wait === 'long'
  return (
    <div className="notice bad asks" role="alert">
      <TriangleAlert size={20} strokeWidth={1.7} aria-hidden="true" />
      <div className="grow">
        <p><span className="strong-3">{name === '' ? 'No exit node can be used' : <><bdi>{name}</bdi> cannot be used</>}, so {apps ? 'the internet traffic of apps that use Bowline' : 'your internet'} is blocked.</span></p>
        <p className="t2 selectable">{page.Egress.Kind === 'blocked' ? sentence(page.Egress.Why) : ''} Your devices stay reachable.</p>
        <AskWords ask={exit.ask} />
      </div>
      {next && <button type="button" className="button ink" aria-busy={busy} onClick={() => void exit.use(next.id)}><span className="cut" title={next.name}>Use <bdi>{next.name}</bdi></span></button>}
      <button type="button" className="button" aria-busy={busy} onClick={() => void exit.clear()}>Turn off</button>
    </div>
  )
}
