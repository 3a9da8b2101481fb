/**
 * The evidence for a path: what the rule rests on, every address that was tried, our own addresses, and what happened lately.
 */
import type { ReactNode } from 'react'
import type { PathPage } from '../../preload/contract.ts'
import { kindOf } from '../../main/localapi/path-ticket.ts'
import { ago, clockTimeSec, roundTrip, safeText } from '../../main/words/format.ts'
import type { PathLook } from '../state/path-page.ts'
import { pathKindWords } from '../../main/words/states.ts'
import { isWord, t } from '../../main/words/words.ts'
import { TableBox } from '../ui/TableBox.tsx'

export function PathEvidence({ look: { page, atMs }, nowMs }: { look: PathLook; nowMs: number }): ReactNode {
  const passedMs = Math.max(0, nowMs - atMs)
  const since = (ms: number | undefined): string => (ms === undefined ? t('device.evidence.never') : ago(ms + passedMs))
  return (
    <section className="block evidence" aria-label={t('device.evidence')}>
      <h2>{t('device.evidence')}</h2>
      <dl className="facts">
        {page.reason.evidence.map(({ label, value }) => <div key={label}><dt>{label}</dt><dd className="num selectable">{safeText(value, 200)}</dd></div>)}
        <div><dt>{t('device.evidence.rule')}</dt><dd className="mono selectable">{page.reason.rule}</dd></div>
      </dl>
      {page.candidates.length === 0 ? <p className="t2">{t('device.evidence.noAddress')}</p> : (
        <Table head={[t('device.evidence.address'), t('device.evidence.from'), t('device.evidence.ping'), t('device.evidence.reply'), t('device.evidence.trip')]} name={t('device.evidence.addresses')}>
          {page.candidates.map((one) => (
            <tr key={one.addr} className={one.inUse ? 'in-use' : ''}>
              <td className="selectable num">{one.addr}{one.inUse && <span className="t3"> {t('device.evidence.inUse')}</span>}{one.carries === 'small' && <span className="t3"> {t('device.evidence.small')}</span>}</td>
              <td>{one.sources.map(sourceWords).join(', ')}</td>
              <td className="num">{since(one.lastPingAgoMs)}</td>
              <td className="num">{since(one.lastPongAgoMs)}</td>
              <td className="num right">{roundTrip(one.latencyMs) || '–'}</td>
            </tr>
          ))}
        </Table>
      )}
      {page.refused.length > 0 && (
        <Table head={[t('device.evidence.neverTried'), t('device.evidence.why')]} name={t('device.evidence.refused')}>
          {page.refused.map(({ addr, why }) => <tr key={addr}><td className="selectable num">{safeText(addr, 60)}</td><td>{safeText(why, 200)}</td></tr>)}
        </Table>
      )}
      {page.ownAddresses.length > 0 && (
        <Table head={[t('device.evidence.ours'), t('device.evidence.how')]} name={t('device.evidence.own')}>
          {page.ownAddresses.map(({ addr, how }) => <tr key={addr}><td className="selectable num">{addr}</td><td>{how}</td></tr>)}
        </Table>
      )}
      {page.events.length > 0 && (
        <Table head={[t('device.evidence.when'), t('device.evidence.what'), t('device.evidence.why')]} name={t('device.evidence.lately')}>
          {page.events.toReversed().map((event) => <tr key={event.seq}><td className="num">{clockTimeSec(Date.parse(event.at))}</td><td>{eventWords(event)}</td><td>{safeText(event.why ?? '', 300)}</td></tr>)}
        </Table>
      )}
    </section>
  )
}

function Table({ head, name, children }: { head: readonly string[]; name: string; children: ReactNode }): ReactNode {
  return (
    <TableBox name={name}>
      <table aria-label={name}>
        <thead><tr>{head.map((text) => <th key={text} scope="col" className={text === t('device.evidence.trip') ? 'right' : ''}>{text}</th>)}</tr></thead>
        <tbody>{children}</tbody>
      </table>
    </TableBox>
  )
}

function sourceWords(source: string): string {
  const id = `device.source.${source}`
  return isWord(id) ? t(id) : safeText(source, 40)
}

function eventWords(event: PathPage['events'][number]): string {
  if (event.part === 'path' && event.kind === 'path') return t('device.changes.line', { from: pathKindWords(kindOf(event, 'from')), to: pathKindWords(kindOf(event, 'to')) })
  const id = `device.event.${event.part}/${event.kind}`
  return isWord(id) ? t(id) : safeText(event.kind.replaceAll('-', ' '), 60)
}
