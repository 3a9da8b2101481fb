/**
 * Networks behind one device: each with whether it is used and why, and a switch to use it or leave it out.
 */
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { t } from '../../main/words/words.ts'
import { look, useLook } from '../state/looks.ts'
import { isNetwork, routesBehind, type RouteLine } from '../state/networks.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { Switch } from '../ui/Switch.tsx'
import { useAsk, waits } from '../ui/use-ask.ts'

const EVERY_MS = 2000

export function DeviceNetworks({ device }: { device: string }): ReactNode {
  const api = useApi()
  const [page, running] = useSnapshot(useShallow((s) => [s.routes, s.status?.BackendState === 'Running' && s.app.engine === 'running'] as const))
  useLook(api, 'routes', EVERY_MS)
  const lines = routesBehind(page, device).filter((line) => isNetwork(line.prefix))
  if (lines.length === 0) return null
  return (
    <section className="block" aria-label={t('device.networks')}>
      <h2>{t('device.networks')}</h2>
      {page?.Accept === false && <NotAccepted running={running} />}
      <ul className="plain lines">{lines.map((line) => <Line key={line.prefix} line={line} running={running} />)}</ul>
    </section>
  )
}

function NotAccepted({ running }: { running: boolean }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const accept = (): void => void ask.run(async () => {
    const answer = await api.call('useAllRoutes', {})
    return answer.ok ? look(api, 'routes') : answer
  })
  return (
    <div className="line-note">
      <p className="t2 grow">{t('device.networks.notAccepted')}</p>
      <button type="button" className="button" disabled={!running} aria-busy={waits(ask)} onClick={accept}>{t('device.networks.useAll')}</button>
      <AskWords ask={ask} />
    </div>
  )
}

function Line({ line, running }: { line: RouteLine; running: boolean }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const flip = (): void => void ask.run(async () => {
    const answer = await api.call('useRoute', { prefix: line.prefix, use: line.use !== true })
    return answer.ok ? look(api, 'routes') : answer
  })
  const id = `route-${line.prefix.replaceAll(/[^0-9a-f]/gi, '-')}`
  return (
    <li>
      <div className="grow">
        <p><span className="num strong-2 selectable">{line.prefix}</span> <span className={line.state === 'used' ? 't2' : line.state === 'skipped' || line.state === 'not-accepted' ? 't3' : 'warn-text'}>{line.words}</span></p>
        <p className="small t2 selectable" id={id}>{line.why}</p>
        <AskWords ask={ask} />
      </div>
      {line.use !== undefined && <Switch on={line.use} wait={ask.wait} label={t('device.networks.use', { network: line.prefix })} describedBy={id} disabled={!running} onFlip={flip} />}
    </li>
  )
}
