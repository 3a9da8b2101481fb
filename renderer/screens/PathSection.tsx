/**
 * The path of one device: the verdict, since when and how sure, the drawing, the round trip, what both ends are like, what would help,
 * how it changed, and on demand the evidence. Nothing here was not measured or said.
 */
import { Check, CircleHelp, X } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import type { PathPage } from '../../preload/contract.ts'
import { kindOf } from '../../main/localapi/path-ticket.ts'
import { age, ageOf, clockTime, clockTimeSec, roundTrip, safeText } from '../../main/words/format.ts'
import { pathKindWords } from '../../main/words/states.ts'
import { t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import type { PathLook } from '../state/path-page.ts'
import { costMs, useSamples } from '../state/samples.ts'
import { useSnapshot } from '../state/store.ts'
import { sideLabel, sideValue, stepWords, verdict, whoWords } from '../state/verdict.ts'
import { PathDrawing } from '../ui/PathDrawing.tsx'
import { Said } from '../ui/Said.tsx'
import type { Probe } from '../ui/use-probe.ts'
import { DevicePings } from './DevicePings.tsx'
import { PathChart } from './PathChart.tsx'
import { PathEvidence } from './PathEvidence.tsx'
import { PathFoot } from './PathFoot.tsx'

const CHANGES = 5
const THROUGH: readonly string[] = ['relay', 'peer-relay']

interface Props {
  readonly device: Device
  readonly look: PathLook | undefined
  readonly probe: Probe
  readonly running: boolean
  readonly nowMs: number
}

export function PathSection({ device, look, probe, running, nowMs }: Props): ReactNode {
  const [open, setOpen] = useState(false)
  const page = running ? look?.page : undefined
  const kind = device.path.kind
  return (
    <section aria-label={t('device.tab.path')}>
      <p className="verdict" tabIndex={-1} aria-busy={running && page === undefined}>
        {page ? <Said parts={verdict<ReactNode>(page, kind, (name) => <bdi>{name}</bdi>, <HardNat />)} /> : t(running ? 'device.loading' : 'device.verdict.none')}
      </p>
      <Since device={device} page={page} running={running} nowMs={nowMs} />
      <DevicePings probe={probe} />
      <PathDrawing kind={kind} via={safeText(kind === 'peer-relay' ? (device.row?.via ?? '') : (device.row?.regionCode ?? ''), 20)} name={device.name} tried={page?.candidates.filter((one) => one.unanswered > 0).length} />
      <PathChart device={device} measuring={probe.pinging} nowMs={nowMs} />
      {page && <Sides page={page} />}
      {page && <Help page={page} isThrough={THROUGH.includes(kind)} />}
      {page && <Changes page={page} />}
      {look && page && open && <PathEvidence look={look} nowMs={nowMs} />}
      {look && page && <PathFoot device={device} page={page} open={open} onOpen={() => setOpen(!open)} />}
    </section>
  )
}

function HardNat(): ReactNode {
  return <abbr className="hard-word" tabIndex={0} title={t('reason.hardNat.means')} aria-label={`${t('reason.hardNat')}: ${t('reason.hardNat.means')}`} role="note">{t('reason.hardNat')}</abbr>
}

/** Since when, what it was before, the round trip, what it costs, how sure. */
function Since({ device: { id, row, path }, page, running, nowMs }: { device: Device; page: PathPage | undefined; running: boolean; nowMs: number }): ReactNode {
  const heardMs = useSnapshot((s) => s.heardMs)
  const cost = costMs(useSamples((s) => s.get(id)) ?? [])
  if (!running) return <p className="t2 small">{heardMs === 0 ? '' : t('device.verdict.stopped', { time: clockTime(heardMs) })}</p>
  const since = row && ageOf(row.since, nowMs)
  if (!row || since === undefined) return <p className="t2 small">{path.words}.</p>
  const change = changesOf(page).at(-1)
  const before = change && kindOf(change, 'from')
  const said = { path: path.words, time: clockTime(Date.parse(row.since)), age: age(since) }
  return (
    <p className="t2 small since">
      <span>{before === undefined || before === 'none' || before === row.kind ? t('device.since', said) : t('device.since.before', { ...said, before: pathKindWords(before) })}</span>{' '}
      {path.latencyMs !== undefined && <span className="num">{t('device.trip', { ms: roundTrip(path.latencyMs) })} </span>}
      {cost !== undefined && THROUGH.includes(path.kind) && <span className="num">{t('device.costs', { ms: roundTrip(cost) })} </span>}
      {page && <span className="t3">{t(`device.confidence.${page.reason.confidence}`)}</span>}
    </p>
  )
}

function Sides({ page }: { page: PathPage }): ReactNode {
  return (
    <div className="sides">
      {(['here', 'there'] as const).map((side) => (
        <section key={side} aria-label={t(side === 'here' ? 'device.yours' : 'device.theirs')}>
          <h2>{t(side === 'here' ? 'device.yours' : 'device.theirs')}</h2>
          <ul className="plain">
            {page.sides.map((row) => (
              <li key={row.label}><Mark state={row[side].state} /><span className="grow">{sideLabel(row.label)}</span><span className="t3 small side-value">{sideValue(row[side].value)}</span></li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  )
}

const MARKS = { yes: Check, no: X, unknown: CircleHelp } as const

function Mark({ state }: { state: keyof typeof MARKS }): ReactNode {
  const Icon = MARKS[state]
  return <><Icon className={`mark mark-${state}`} size={16} strokeWidth={1.9} aria-hidden="true" /><span className="sr-only">{t(`device.mark.${state}`)} </span></>
}

function Help({ page: { reason: { steps } }, isThrough }: { page: PathPage; isThrough: boolean }): ReactNode {
  if (steps.length === 0 && !isThrough) return null
  return (
    <section className="block" aria-label={t('device.help')}>
      <h2>{t('device.help.title')}</h2>
      {steps.length === 0 ? <p className="t2">{t('device.help.nothing')}</p> : (
        <ol className="plain help-steps">
          {steps.map((step, i) => <li key={step.step}><span className="t3 num">{i + 1}</span><span className="grow">{stepWords(step)}</span><span className="t3 small">{whoWords(step.who)}</span></li>)}
        </ol>
      )}
    </section>
  )
}

const changesOf = (page: PathPage | undefined): PathPage['events'] => page?.events.filter((event) => event.part === 'path' && event.kind === 'path' && kindOf(event, 'from') !== kindOf(event, 'to')) ?? []

/** How the path changed lately and why, as the engine kept it. */
function Changes({ page }: { page: PathPage }): ReactNode {
  const changes = changesOf(page).slice(-CHANGES).toReversed()
  if (changes.length === 0) return null
  return (
    <section className="block" aria-label={t('device.changes')}>
      <h2>{t('device.changes')}</h2>
      <ul className="plain changes">
        {changes.map((event) => (
          <li key={event.seq}><span className="num t3">{clockTimeSec(Date.parse(event.at))}</span><span>{t('device.changes.line', { from: pathKindWords(kindOf(event, 'from')), to: pathKindWords(kindOf(event, 'to')) })}</span><span className="t3 small grow selectable">{safeText(event.why ?? '', 300) || t('device.changes.noCause')}</span></li>
        ))}
      </ul>
    </section>
  )
}
