/**
 * The round trip of a device as far as this window saw it: a line in the colour of the path and labelled on itself, a bar below that
 * repeats the path by its shape, gaps where nothing was measured, columns where no reply came. Arrow keys walk the samples; it is a
 * table, too.
 */
import { line } from 'd3-shape'
import { useState, type KeyboardEvent, type ReactNode } from 'react'
import { clockTime, clockTimeSec, decimal, roundTrip } from '../../main/words/format.ts'
import { locale, t } from '../../main/words/words.ts'
import { chartOf, type Chart, type ChartPoint, type ChartRun } from '../state/chart.ts'
import type { Device } from '../state/devices.ts'
import { sumsOf, useSamples, type Sample } from '../state/samples.ts'
import { TableBox } from '../ui/TableBox.tsx'
import { useWidth } from '../ui/use-width.ts'

const HEIGHT = 80
const LEFT = 38
const TOP = 12
const BAR_Y = TOP + HEIGHT + 5
const TABLE_ROWS = 60
/** Under this, minutes alone would name two times alike. */
const SHORT_SPAN_MS = 300_000
const NONE: readonly Sample[] = []

export function PathChart({ device, measuring, nowMs }: { device: Device; measuring: boolean; nowMs: number }): ReactNode {
  const samples = useSamples((s) => s.get(device.id)) ?? NONE
  const [asTable, setAsTable] = useState(false)
  return (
    <section className="chart-section" aria-label={t('device.chart')}>
      <header className="chart-head">
        <h2>{t('device.chart.unit')}</h2>
        {samples.length > 0 && <Sums samples={samples} />}
      </header>
      {samples.length === 0 ? <p className="t3 small chart-empty">{t(measuring ? 'device.chart.waiting' : 'device.chart.empty')}</p> : asTable ? <SampleTable samples={samples} /> : <Drawing samples={samples} name={device.name} nowMs={nowMs} />}
      {samples.length > 0 && (
        <p className="chart-foot small t3">
          <span className="grow">{t('device.chart.kept')}</span>
          <button type="button" className="link" onClick={() => setAsTable(!asTable)}>{t(asTable ? 'device.chart.drawing' : 'device.chart.table')}</button>
        </p>
      )}
    </section>
  )
}

const short = (ms: number): string => (ms < 10 ? decimal(ms) : String(Math.round(ms)))
const percent = (share: number): string => new Intl.NumberFormat(locale(), { style: 'percent', maximumFractionDigits: 1 }).format(share)

function Sums({ samples }: { samples: readonly Sample[] }): ReactNode {
  const { nowMs, spreadMs, lost } = sumsOf(samples)
  return (
    <p className="small t2 num chart-sums">
      {nowMs !== undefined && <span>{t('device.chart.now', { ms: short(nowMs) })}</span>}
      {spreadMs !== undefined && <span>{t('device.chart.spread', { ms: short(spreadMs) })}</span>}
      <span>{t('device.chart.lost', { percent: percent(lost) })}</span>
    </p>
  )
}

const pathOf = (one: Pick<Sample, 'kind' | 'via'>): string => (one.kind === 'direct' ? t('path.direct') : one.kind === 'peer-relay' ? t('path.through.some') : one.via === '' ? t('path.relay') : t('path.relay.where', { relay: one.via }))

function sampleWords(one: Sample): string {
  const time = clockTimeSec(one.atMs)
  return one.ms === undefined ? t('device.chart.sample.lost', { time }) : t('device.chart.sample', { time, ms: roundTrip(one.ms), path: pathOf(one) })
}

function Drawing({ samples, name, nowMs }: { samples: readonly Sample[]; name: string; nowMs: number }): ReactNode {
  const [box, width] = useWidth<HTMLDivElement>()
  const [at, setAt] = useState<number>()
  const endMs = Math.max(nowMs, samples.at(-1)!.atMs)
  const chart = chartOf(samples, endMs, { width: Math.max(1, width - LEFT - 2), height: HEIGHT })
  // Older samples may have left the picture; they go from the front.
  const inView = samples.slice(-chart.points.length)
  const chosen = at === undefined ? undefined : Math.min(at, inView.length - 1)
  const walk = (event: KeyboardEvent): void => {
    const from = chosen ?? inView.length
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, ArrowDown: from - 1, ArrowUp: from + 1, Home: 0, End: inView.length - 1 }[event.key]
    if (to === undefined) return
    event.preventDefault()
    setAt(Math.max(0, Math.min(inView.length - 1, to)))
  }
  const said = sampleWords(inView[chosen ?? inView.length - 1]!)
  return (
    <div className="chart-box" ref={box}>
      <div className="chart-walk" role="slider" tabIndex={0} aria-label={t('device.chart.walk', { name })} aria-valuemin={1} aria-valuemax={inView.length} aria-valuenow={(chosen ?? inView.length - 1) + 1} aria-valuetext={said} aria-orientation="horizontal" onKeyDown={walk} onBlur={() => setAt(undefined)}>
        {width > 0 && <Picture chart={chart} width={width} endMs={endMs} chosen={chosen} />}
      </div>
      {chosen !== undefined && <p className="small num chart-said" aria-hidden="true">{said}</p>}
    </div>
  )
}

const lineOf = line<ChartPoint>((point) => point.x, (point) => point.y)

function Picture({ chart, width, endMs, chosen }: { chart: Chart; width: number; endMs: number; chosen: number | undefined }): ReactNode {
  const inner = width - LEFT - 2
  const time = endMs - chart.fromMs < SHORT_SPAN_MS ? clockTimeSec : clockTime
  const cursor = chosen === undefined ? undefined : chart.points[chosen]
  return (
    <svg className="chart" width={width} height={TOP + HEIGHT + 28} aria-hidden="true" fill="none">
      {[0, 0.5, 1].map((share) => (
        <g key={share} transform={`translate(0 ${TOP + HEIGHT * (1 - share)})`}>
          <path className="grid" d={`M${LEFT} 0.5H${width}`} />
          <text x={LEFT - 8} y="4" textAnchor="end">{short(chart.topMs * share).replace(/[.,]0$/, '')}</text>
        </g>
      ))}
      <g transform={`translate(${LEFT} ${TOP})`}>
        {chart.losses.map(({ x, width: wide }) => <rect key={x} className="loss" x={x} y={0} width={Math.min(wide, inner - x + 2)} height={HEIGHT} />)}
        {chart.runs.map((run) => <path key={run.fromX} className={`run run-${run.kind}`} d={lineOf(run.points.length === 1 ? [run.points[0]!, { x: run.toX, y: run.points[0]!.y }] : [...run.points]) ?? ''} />)}
        {chart.spikes.map(({ x, ms }) => <g key={x} className="spike" transform={`translate(${x} 0)`}><path d="M-3 -1L0 -5L3 -1Z" /><text x={x > inner - 40 ? -5 : 5} y="-2" textAnchor={x > inner - 40 ? 'end' : 'start'}>{short(ms)}</text></g>)}
        {chart.runs.map((run) => run.label && <text key={run.fromX} className={`run-label label-${run.kind}`} x={run.label.x} y={run.label.y} textAnchor="end">{pathOf(run)}</text>)}
        {cursor && <><path className="cursor" d={`M${cursor.x} 0V${HEIGHT}`} /><circle className="cursor-dot" cx={cursor.x} cy={cursor.y} r="3" /></>}
      </g>
      <g transform={`translate(${LEFT} ${BAR_Y})`}>{chart.runs.map((run) => <Bar key={run.fromX} run={run} />)}</g>
      <text x={LEFT} y={TOP + HEIGHT + 24}>{time(chart.fromMs)}</text>
      <text x={LEFT + inner / 2} y={TOP + HEIGHT + 24} textAnchor="middle">{time((chart.fromMs + endMs) / 2)}</text>
      <text x={width} y={TOP + HEIGHT + 24} textAnchor="end">{t('device.chart.time.now')}</text>
    </svg>
  )
}

/** Direct is filled, relayed an outline, through a device two lines. */
function Bar({ run: { kind, fromX, toX } }: { run: ChartRun }): ReactNode {
  if (kind === 'peer-relay') return <path className={`bar-${kind}`} d={`M${fromX} 1H${toX}M${fromX} 5H${toX}`} />
  return kind === 'direct' ? <rect className="bar-direct" x={fromX} y={1} width={toX - fromX} height={4} /> : <rect className="bar-relay" x={fromX + 0.5} y={1.5} width={Math.max(1, toX - fromX - 1)} height={3.5} />
}

function SampleTable({ samples }: { samples: readonly Sample[] }): ReactNode {
  return (
    <TableBox className="chart-table" name={t('device.chart.samples')}>
      <table aria-label={t('device.chart.samples')}>
        <thead><tr><th scope="col">{t('device.evidence.when')}</th><th scope="col" className="right">{t('device.evidence.trip')}</th><th scope="col">{t('device.tab.path')}</th></tr></thead>
        <tbody>
          {samples.slice(-TABLE_ROWS).toReversed().map((one) => (
            <tr key={one.atMs}><td className="num">{clockTimeSec(one.atMs)}</td><td className="num right">{one.ms === undefined ? t('device.chart.noReply') : roundTrip(one.ms)}</td><td>{one.ms === undefined ? '' : pathOf(one)}</td></tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  )
}
