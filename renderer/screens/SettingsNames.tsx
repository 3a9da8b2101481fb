/**
 * How names are resolved: whether by the network, by whom, and what is odd about it.
 */
import type { ReactNode } from 'react'
import { safeText, sentence } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { DnsPage } from '../../preload/contract.ts'
import { useLook } from '../state/looks.ts'
import { systemNamesWords } from '../state/machine.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { TableBox } from '../ui/TableBox.tsx'
import { OwnNames } from './OwnNames.tsx'
import { Row } from './SettingsRow.tsx'

const EVERY_MS = 5000

export function ResolversRow(): ReactNode {
  const api = useApi()
  const page = useSnapshot((s) => s.dns)
  useLook(api, 'dns', EVERY_MS)
  const words = page === undefined ? t('settings.unknown') : page.SystemNames ? <span className="selectable">{systemNamesWords(page.SystemNames)}</span>
    : page.System === '' ? t('settings.does.resolvers') : <span className="selectable">{sentence(page.System)}</span>
  return <Row id="resolvers" words={words} below={page && page.Routes.length > 0 && <Routes page={page} />} />
}

function Routes({ page }: { page: DnsPage }): ReactNode {
  return (
    <TableBox name={t('settings.row.resolvers')}>
      <table>
        <thead><tr><th scope="col">{t('settings.names.zone')}</th><th scope="col">{t('settings.names.who')}</th><th scope="col">{t('settings.names.why')}</th></tr></thead>
        <tbody>
          {page.Routes.map((route) => (
            <tr key={route.Suffix}>
              <td className="selectable"><bdi>{route.Suffix === '' ? t('settings.names.others') : safeText(route.Suffix, 200)}</bdi></td>
              <td className="selectable">{route.Resolvers.length === 0 ? t('settings.names.here') : <ul className="plain">{route.Resolvers.map((one) => <li key={one.Addr}><bdi>{safeText(one.Addr, 200)}</bdi>{one.Refused !== undefined && <span className="t2"> {sentence(one.Refused)}</span>}</li>)}</ul>}</td>
              <td className="selectable">{sentence(route.Why)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  )
}

export function OddRow(): ReactNode {
  const notes = useSnapshot((s) => s.dns?.Notes.length ?? 0)
  return <Row id="odd" words={notes === 0 ? t('settings.names.fine') : t('settings.does.odd')} below={<OwnNames />} />
}
