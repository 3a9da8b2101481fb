/**
 * The network that this computer is in: whether direct paths are to be expected, the facts that say so, and the relays by round trip.
 * Looked at when the page opens, and again on demand.
 */
import { Check, CircleHelp, Info, RefreshCw, X } from 'lucide-react'
import { useEffect, useState, type ReactNode } from 'react'
import type { ThisNetwork } from '../../preload/contract.ts'
import { ageOf, ago, roundTrip, safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { networkFacts, networkVerdict, relayRows, type FactMark, type NetworkFact } from '../state/diagnose-network.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'

interface Look {
  readonly network: ThisNetwork | undefined
  readonly problem: string
  readonly busy: boolean
  readonly again: () => void
}

/** Looks at once and when it is asked to; what was seen before stays until there is something newer. */
function useThisNetwork(running: boolean): Look {
  const api = useApi()
  const [turn, setTurn] = useState(0)
  const [seen, setSeen] = useState<{ network: ThisNetwork | undefined; problem: string; turn: number }>({ network: undefined, problem: '', turn: -1 })
  useEffect(() => {
    if (!running) return undefined
    let stopped = false
    void api.call('thisNetwork', {}).then((answer) => {
      if (!stopped) setSeen((before) => (answer.ok ? { network: answer.value, problem: '', turn } : { network: before.network, problem: safeText(answer.message, 300), turn }))
    })
    return () => {
      stopped = true
    }
  }, [api, running, turn])
  return { network: seen.network, problem: seen.problem, busy: running && seen.turn !== turn, again: () => setTurn(turn + 1) }
}

export function DiagnoseNetwork(): ReactNode {
  const [running, nowMs] = [useSnapshot((s) => s.app.engine === 'running'), useSnapshot((s) => s.nowMs)]
  const { network, problem, busy, again } = useThisNetwork(running)
  const verdict = network && networkVerdict(network)
  return (
    <section className="diagnose-part" aria-labelledby="network-title">
      <header className="part-head">
        <h2 id="network-title">{t('diagnose.network.title')}</h2>
        <span className="grow" />
        <span className="small t3 num">{network && t('diagnose.network.checked', { age: ago(ageOf(network.Report.Now, nowMs)) })}</span>
        <button type="button" className="button ghost" aria-busy={busy} disabled={busy || !running} onClick={again}><RefreshCw className="turn" size={16} strokeWidth={1.9} aria-hidden="true" />{busy && network ? t('diagnose.network.checking') : t('action.checkAgain')}</button>
      </header>
      {problem !== '' && <p className="error-line" role="alert">{t('diagnose.network.failed', { why: problem })}</p>}
      {!running && !network && <p className="t2">{t('diagnose.reach.stopped')}</p>}
      {running && !network && problem === '' && <div aria-busy="true" aria-label={t('diagnose.network.loading')} role="img">{Array.from({ length: 8 }, (_, i) => <div className="fact skeleton" key={i}><span /></div>)}</div>}
      {network && verdict && (
        <div className="network-body">
          <div>
            <p className="network-said selectable" role="status"><span className="strong-3">{verdict.title}</span> <span className="t2">{verdict.more}</span></p>
            <dl>{networkFacts(network).map((fact) => <Fact key={fact.what} fact={fact} />)}</dl>
          </div>
          <Relays network={network} />
        </div>
      )}
    </section>
  )
}

const MARKS = { yes: Check, no: X, plain: Info, unknown: CircleHelp } as const satisfies Readonly<Record<FactMark, unknown>>

function Fact({ fact: { what, mark, words, more } }: { fact: NetworkFact }): ReactNode {
  const Icon = MARKS[mark]
  return (
    <div className="fact">
      <dt><Icon className={`fact-${mark}`} size={16} strokeWidth={1.9} aria-hidden="true" />{t(`diagnose.fact.${what}`)}</dt>
      <dd className="selectable"><bdi>{words}</bdi> <span className="t3"><bdi>{more}</bdi></span></dd>
    </div>
  )
}

function Relays({ network }: { network: ThisNetwork }): ReactNode {
  const rows = relayRows(network)
  const home = rows.find(({ isHome }) => isHome)
  return (
    <section aria-labelledby="relays-title">
      <h3 id="relays-title">{t('diagnose.relays.title')}</h3>
      {rows.length === 0 && <p className="t2 small">{t('diagnose.relays.none')}</p>}
      <ul className="plain relays">
        {rows.map((row) => (
          <li key={row.region} className={row.isHome ? 'home' : ''}>
            <span className="cut strong-2"><bdi>{row.code}</bdi></span>
            <span className="cut t2"><bdi>{row.name}</bdi>{row.isHome && <span className="sr-only"> ({t('diagnose.relays.isHome')})</span>}</span>
            <span className="relay-bar" aria-hidden="true"><span style={{ inlineSize: `${Math.max(4, Math.round(row.share * 100))}%` }} /></span>
            <span className="num right">{roundTrip(row.latencyMs)}</span>
          </li>
        ))}
      </ul>
      {rows.length > 0 && <p className="small t3">{home ? t('diagnose.relays.home', { relay: home.code }) : t('diagnose.relays.noHome')}</p>}
    </section>
  )
}
