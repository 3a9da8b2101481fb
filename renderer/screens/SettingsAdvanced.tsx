/**
 * What few people need: relaying for others, and the device policy rule by rule.
 */
import type { ReactNode } from 'react'
import { policyText } from '../../main/localapi/policy.ts'
import { managerOf } from '../../main/words/held.ts'
import { rich, t } from '../../main/words/words.ts'
import { safeText } from '../../main/words/format.ts'
import { policyRows } from '../state/policy.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { Switch } from '../ui/Switch.tsx'
import { TableBox } from '../ui/TableBox.tsx'
import { useAsk } from '../ui/use-ask.ts'
import { describedBy, Row } from './SettingsRow.tsx'

/** Any free port. */
const ANY_PORT = 0

export function RelayRow(): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const prefs = useSnapshot((s) => s.prefs)
  const running = useSnapshot((s) => s.app.engine === 'running')
  const on = typeof prefs?.RelayServerPort === 'number'
  const flip = (): void => void ask.run(() => api.call('editPrefs', { RelayServerPort: on ? null : ANY_PORT, RelayServerPortSet: true }))
  return (
    <Row id="relay" ask={ask}>
      <Switch on={on} wait={ask.wait} label={t('settings.row.relay')} describedBy={describedBy('relay')} disabled={!running || !prefs} onFlip={flip} />
    </Row>
  )
}

export function PolicyRow(): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const policy = useSnapshot((s) => s.policy)
  const rows = policyRows(policy)
  const [caption, url] = [safeText(policyText(policy.Settings, 'ManagedByCaption'), 300), policyText(policy.Settings, 'ManagedByURL')]
  const words = rows.length === 0 ? t('settings.policy.none') : rich<ReactNode>('settings.policy.lead', { manager: <bdi key="manager">{managerOf(policy)}</bdi> })
  return (
    <Row id="policy" words={words} ask={ask} below={rows.length > 0 && (
      <>
        {caption !== '' && <p className="small t2 selectable"><bdi>{caption}</bdi></p>}
        <TableBox name={t('settings.row.policy')}>
          <table>
            <thead><tr><th scope="col">{t('settings.policy.rule')}</th><th scope="col">{t('settings.policy.value')}</th></tr></thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.key}><td className="selectable">{row.key}</td><td className="selectable">{row.fault === undefined ? <bdi>{row.value}</bdi> : <span className="warn-text">{rich<ReactNode>('settings.policy.fault', { why: <bdi key="why">{row.fault}</bdi> })}</span>}</td></tr>
              ))}
            </tbody>
          </table>
        </TableBox>
      </>
    )}>
      {url !== '' && <button type="button" className="button" onClick={() => void ask.run(() => api.call('openExternal', { url }))}>{t('settings.policy.help')}</button>}
    </Row>
  )
}
