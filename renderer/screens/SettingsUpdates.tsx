/**
 * Newer versions, where this build knows a place to ask for them.
 */
import type { ReactNode } from 'react'
import { choiceOf } from '../../main/localapi/policy.ts'
import { safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { useLock } from '../ui/PolicyLine.tsx'
import { Switch } from '../ui/Switch.tsx'
import { useAsk } from '../ui/use-ask.ts'
import { describedBy, Row } from './SettingsRow.tsx'

export function CheckUpdatesRow(): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const own = useSnapshot((s) => s.app.settings.checkForUpdates)
  const held = useSnapshot((s) => choiceOf(s.policy.Settings, 'CheckUpdates'))
  const lock = useLock('AutoUpdate')
  const on = held ?? own
  return (
    <Row id="checkUpdates" ask={ask} lock={lock}>
      <Switch on={on} wait={ask.wait} label={t('settings.row.checkUpdates')} describedBy={describedBy('checkUpdates', lock)} locked={lock !== undefined} onFlip={() => void ask.run(() => api.call('editSettings', { checkForUpdates: !on }))} />
    </Row>
  )
}

export function NewerRow(): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const newer = useSnapshot((s) => s.app.updates?.newer)
  if (!newer) return null
  return (
    <Row id="newer" ask={ask} words={t('settings.newer.is', { version: safeText(newer.version, 40) })}>
      <button type="button" className="button" onClick={() => void ask.run(() => api.call('openExternal', { url: newer.page }))}>{t('settings.newer.page')}</button>
    </Row>
  )
}
