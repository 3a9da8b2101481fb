/**
 * Who answered a name: every candidate is asked, and the one whose answer counts is marked.
 */
import { AtSign } from 'lucide-react'
import { useState, type FormEvent, type ReactNode } from 'react'
import type { DnsLookupPage } from '../../preload/contract.ts'
import { safeText, sentence } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { lookupRows, lookupTitle, RECORD_TYPES } from '../state/diagnose-names.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { TableBox } from '../ui/TableBox.tsx'
import { useAsk, waits } from '../ui/use-ask.ts'

export function DiagnoseNames({ running }: { running: boolean }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const [name, setName] = useState('')
  const [type, setType] = useState<(typeof RECORD_TYPES)[number]>('A')
  const [page, setPage] = useState<DnsLookupPage>()
  const look = (event: FormEvent): void => {
    event.preventDefault()
    const wanted = name.trim()
    if (wanted === '') return
    void ask.run(async () => {
      const answer = await api.call('dnsLookup', { name: wanted, type })
      setPage(answer.ok ? answer.value : undefined)
      return answer
    })
  }
  return (
    <section className="tool" aria-labelledby="names-title">
      <header className="tool-head"><AtSign size={16} strokeWidth={1.9} aria-hidden="true" /><div><h3 id="names-title">{t('diagnose.names.title')}</h3><p className="small t3">{t('diagnose.names.means')}</p></div></header>
      <form className="tool-form" onSubmit={look}>
        <label className="field grow"><span className="sr-only">{t('diagnose.names.label')}</span><input value={name} maxLength={253} spellCheck={false} autoComplete="off" placeholder={t('diagnose.names.label')} onChange={(event) => setName(event.target.value)} /></label>
        <label><span className="sr-only">{t('diagnose.names.type')}</span><select className="button" value={type} onChange={(event) => setType(event.target.value as typeof type)}>{RECORD_TYPES.map((one) => <option key={one}>{one}</option>)}</select></label>
        <button type="submit" className="button" disabled={!running} aria-busy={waits(ask)}>{t('diagnose.names.go')}</button>
      </form>
      <AskWords ask={ask} />
      {page && <Answer page={page} />}
    </section>
  )
}

function Answer({ page }: { page: DnsLookupPage }): ReactNode {
  const rows = lookupRows(page)
  return (
    <div className="tool-answer selectable">
      <p className="strong-2" role="status"><bdi>{lookupTitle(page)}</bdi></p>
      <p className="small t2"><bdi>{sentence(page.Why)}</bdi></p>
      {rows.length > 0 && (
        <TableBox name={t('diagnose.names.table')}>
          <table aria-label={t('diagnose.names.table')}>
            <thead><tr>{(['who', 'way', 'said', 'time'] as const).map((column) => <th key={column} scope="col">{t(`diagnose.names.${column}`)}</th>)}</tr></thead>
            <tbody>
              {rows.map((row, i) => (
                <tr key={i} className={row.used ? 'counts' : ''}>
                  <td><bdi>{row.who}</bdi>{row.used && <span className="small in-use-now"> {t('diagnose.names.counts')}</span>}</td>
                  <td><bdi>{row.way}</bdi></td><td><bdi>{row.said}</bdi></td><td className="num">{row.time}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableBox>
      )}
      {page.Notes.length > 0 && <ul className="plain small warn-text">{page.Notes.map((note) => <li key={note}><bdi>{safeText(note, 300)}</bdi></li>)}</ul>}
    </div>
  )
}
