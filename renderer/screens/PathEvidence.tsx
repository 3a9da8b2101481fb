/**
 * The evidence for a path: what the rule rests on, every address that was tried, our own addresses, and what happened lately.
 */
import type { ReactNode } from 'react'
import type { PathPage } from '../../preload/contract.ts'
import { kindOf } from '../../main/localapi/path-ticket.ts'
import { ago, clockTimeSec, roundTrip, safeText } from '../../main/words/format.ts'
import type { PathLook } from '../state/path-page.ts'
import { pathKindWords } from '../../main/words/states.ts'

export function PathEvidence({ look: { page, atMs }, nowMs }: { look: PathLook; nowMs: number }): ReactNode {
  const passedMs = Math.max(0, nowMs - atMs)
  const since = (ms: number | undefined): string => (ms === undefined ? 'never' : ago(ms + passedMs))
  return (
    <section className="block evidence" aria-label="Evidence">
      <h2>Evidence</h2>
      <dl className="facts">
        {page.reason.evidence.map(({ label, value }) => <div key={label}><dt>{label}</dt><dd className="num selectable">{safeText(value, 200)}</dd></div>)}
        <div><dt>Rule</dt><dd className="mono selectable">{page.reason.rule}</dd></div>
      </dl>
      {page.candidates.length === 0 ? <p className="t2">No address of it is known to this computer yet.</p> : (
        <Table head={['Its address', 'Learnt from', 'Last ping', 'Last reply', 'Round trip']} name="Addresses of the device">
          {page.candidates.map((one) => (
            <tr key={one.addr} className={one.inUse ? 'in-use' : ''}>
              <td className="selectable num">{one.addr}{one.inUse && <span className="t3"> in use</span>}{one.carries === 'small' && <span className="t3"> loses full-size packets</span>}</td>
              <td>{one.sources.map(sourceWords).join(', ')}</td>
              <td className="num">{since(one.lastPingAgoMs)}</td>
              <td className="num">{since(one.lastPongAgoMs)}</td>
              <td className="num right">{roundTrip(one.latencyMs) || '–'}</td>
            </tr>
          ))}
        </Table>
      )}
      {page.refused.length > 0 && (
        <Table head={['Never tried', 'Why']} name="Addresses that are never tried">
          {page.refused.map(({ addr, why }) => <tr key={addr}><td className="selectable num">{safeText(addr, 60)}</td><td>{safeText(why, 200)}</td></tr>)}
        </Table>
      )}
      {page.ownAddresses.length > 0 && (
        <Table head={['Our address', 'How it is known']} name="Addresses of this computer">
          {page.ownAddresses.map(({ addr, how }) => <tr key={addr}><td className="selectable num">{addr}</td><td>{how}</td></tr>)}
        </Table>
      )}
      {page.events.length > 0 && (
        <Table head={['When', 'What', 'Why']} name="What happened lately">
          {page.events.toReversed().map((event) => <tr key={event.seq}><td className="num">{clockTimeSec(Date.parse(event.at))}</td><td>{eventWords(event)}</td><td>{safeText(event.why ?? '', 300)}</td></tr>)}
        </Table>
      )}
    </section>
  )
}

function Table({ head, name, children }: { head: readonly string[]; name: string; children: ReactNode }): ReactNode {
  return (
    <div className="table-box" tabIndex={0} role="region" aria-label={name}>
      <table aria-label={name}>
        <thead><tr>{head.map((text) => <th key={text} scope="col" className={text === 'Round trip' ? 'right' : ''}>{text}</th>)}</tr></thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  )
}

const SOURCES: Readonly<Record<string, string>> = { map: 'the server', 'call-me-maybe': 'itself over the relay', ping: 'its own ping', 'peer-relay': 'a peer relay' }
const sourceWords = (source: string): string => SOURCES[source] ?? safeText(source, 40)

const EVENTS: Readonly<Record<string, string>> = {
  'path/candidates': 'addresses learnt', 'path/first-pong': 'first reply', 'path/pong-missed': 'reply missed', 'disco/call-me-maybe-in': 'it asked us to try', 'disco/call-me-maybe-out': 'we asked it to try',
  'magicsock/endpoints': 'our addresses', 'magicsock/network-change': 'network changed', 'netmon/network-change': 'network changed', 'netcheck/home': 'home relay chosen', 'derp/peer-gone': 'not at the relay',
}

function eventWords(event: PathPage['events'][number]): string {
  if (event.part === 'path' && event.kind === 'path') return `${pathKindWords(kindOf(event, 'from'))} to ${pathKindWords(kindOf(event, 'to'))}`
  return EVENTS[`${event.part}/${event.kind}`] ?? safeText(event.kind.replaceAll('-', ' '), 60)
}
