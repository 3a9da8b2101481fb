/**
 * The path of one device: the engine's own sentence, since when, the drawing, what both ends are like, what would help,
 * and on demand the evidence. Nothing here was not measured or said.
 */
import { Check, CircleHelp, ClipboardCopy, X } from 'lucide-react'
import { useState, type ReactNode } from 'react'
import type { PathPage } from '../../preload/contract.ts'
import { kindOf, pathTicket } from '../../main/localapi/path-ticket.ts'
import type { Device } from '../state/devices.ts'
import { age, ageOf, clockTime, roundTrip, safeText } from '../../main/words/format.ts'
import { usePathPage, type PathLook } from '../state/path-page.ts'
import { useSnapshot } from '../state/store.ts'
import { pathKindWords } from '../../main/words/states.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { PathDrawing } from '../ui/PathDrawing.tsx'
import { PathEvidence } from './PathEvidence.tsx'

const CONFIDENCE: Readonly<Record<PathPage['reason']['confidence'], string>> = { high: 'high', likely: 'likely', unknown: 'unknown' }

export function PathSection({ device, nowMs }: { device: Device; nowMs: number }): ReactNode {
  const api = useApi()
  const running = useSnapshot((s) => s.app.engine === 'running' && s.status?.BackendState === 'Running')
  const look = usePathPage(api, device.peer.PublicKey, running)
  const [open, setOpen] = useState(false)
  const page = running ? look?.page : undefined
  const sentence = running ? (device.row?.why ?? page?.why) : undefined
  return (
    <section className="path-section" aria-label="Path">
      <p className="verdict">{sentence === undefined ? 'path unknown' : safeText(sentence, 300)}</p>
      <Since device={device} page={page} running={running} nowMs={nowMs} />
      <PathDrawing kind={device.path.kind} via={safeText(device.path.kind === 'peer-relay' ? (device.row?.via ?? '') : (device.row?.regionCode ?? ''), 20)} name={device.name} tried={page?.candidates.filter((one) => one.unanswered > 0).length} />
      {page && <Sides page={page} />}
      {page && page.reason.steps.length > 0 && <Steps steps={page.reason.steps} />}
      {look && page && open && <PathEvidence look={look} nowMs={nowMs} />}
      {look && page && <Foot device={device} look={look} open={open} onOpen={() => setOpen(!open)} />}
    </section>
  )
}

/** Since when, what it was before, the round trip, how sure. */
function Since({ device: { row, path }, page, running, nowMs }: { device: Device; page: PathPage | undefined; running: boolean; nowMs: number }): ReactNode {
  if (!running || !row) return <p className="t2 small">{path.words}</p>
  const since = ageOf(row.since, nowMs)
  const change = page?.events.findLast((event) => event.part === 'path' && event.kind === 'path')
  const before = change && kindOf(change, 'from')
  return (
    <p className="t2 small">
      {path.words}{since === undefined ? '' : `, since ${clockTime(Date.parse(row.since))} (${age(since)})`}
      {before === undefined || before === 'none' || before === row.kind ? '' : `; ${pathKindWords(before)} before`}
      {path.latencyMs === undefined ? '' : `. Round trip ${roundTrip(path.latencyMs)}`}.
      {page && <span className="t3"> Confidence: {CONFIDENCE[page.reason.confidence]}.</span>}
    </p>
  )
}

function Sides({ page }: { page: PathPage }): ReactNode {
  return (
    <div className="sides">
      {(['here', 'there'] as const).map((side) => (
        <section key={side} aria-label={side === 'here' ? 'Your side' : 'Their side'}>
          <h2>{side === 'here' ? 'Your side' : 'Their side'}</h2>
          <ul className="plain">
            {page.sides.map((row) => (
              <li key={row.label}><Mark state={row[side].state} /><span className="grow">{row.label}</span><span className="t3 small">{row[side].value}</span></li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  )
}

const MARK_WORDS = { yes: 'Yes:', no: 'No:', unknown: 'Not known:' } as const

function Mark({ state }: { state: keyof typeof MARK_WORDS }): ReactNode {
  const Icon = { yes: Check, no: X, unknown: CircleHelp }[state]
  return <><Icon className={`mark mark-${state}`} size={16} strokeWidth={1.9} aria-hidden="true" /><span className="sr-only">{MARK_WORDS[state]} </span></>
}

function Steps({ steps }: { steps: PathPage['reason']['steps'] }): ReactNode {
  return (
    <section className="block" aria-label="What would help">
      <h2>What would help, easiest first</h2>
      <ol className="plain help-steps">
        {steps.map(({ step, who }, i) => <li key={step}><span className="t3 num">{i + 1}</span><span className="grow">{step}</span><span className="t3 small">{who}</span></li>)}
      </ol>
    </section>
  )
}

function Foot({ device, look, open, onOpen }: { device: Device; look: PathLook; open: boolean; onOpen: () => void }): ReactNode {
  const api = useApi()
  const [named, setNamed] = useState(false)
  const [copied, setCopied] = useState(false)
  const [tries, setTries] = useState<'no' | 'now' | 'done'>('no')
  const isDirect = device.row?.kind === 'direct'
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(pathTicket(look.page, named))
    setCopied(true)
    setTimeout(() => setCopied(false), 1500)
  }
  const tryAgain = async (): Promise<void> => {
    setTries('now')
    await api.call('ping', { ip: device.address, type: 'disco' })
    setTries('done')
  }
  return (
    <div className="path-foot">
      <button type="button" className="link" aria-expanded={open} onClick={onOpen}>{open ? 'Hide the evidence' : 'Show the evidence'}</button>
      <span className="grow" />
      <label className="tick small t2"><input type="checkbox" checked={named} onChange={(event) => setNamed(event.target.checked)} />with names</label>
      <button type="button" className="button" onClick={() => void copy()}><ClipboardCopy size={16} strokeWidth={1.9} aria-hidden="true" />{copied ? 'Copied' : 'Copy for ticket'}</button>
      {!isDirect && <button type="button" className="button ink" disabled={tries === 'now'} aria-busy={tries === 'now'} onClick={() => void tryAgain()}>{tries === 'now' ? 'Trying…' : 'Try direct again'}</button>}
      <span className="sr-only" role="status">{tries === 'done' ? `${device.path.words}.` : ''}</span>
    </div>
  )
}
