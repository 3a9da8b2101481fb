/**
 * What the app may say outside its window: each kind as a notification, as a mark on the tray, or not at all.
 */
import type { ReactNode } from 'react'
import { NOTICE_LEVELS, type NoticeCategory, type NoticeLevel } from '../../main/localapi/app-settings.ts'
import { t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { AppChoiceRow, Row } from './SettingsRow.tsx'

export type ShownCategory = Extract<NoticeCategory, 'sign-in' | 'exit-node' | 'incoming-files' | 'delivered-files' | 'connection-lost' | 'blocked' | 'updates'>

export function NoticeRow({ category }: { category: ShownCategory }): ReactNode {
  const level = useSnapshot((s) => s.app.settings.notifications[category])
  return (
    <AppChoiceRow id={`notice.${category}`} value={level} choices={NOTICE_LEVELS.map((value) => ({ value, label: t(`settings.level.${value}`) }))}
      patch={(value) => ({ notifications: { [category]: value as NoticeLevel } })} />
  )
}

/** What was to be a notification stands in the window then. */
export function RefusedRow(): ReactNode {
  return <Row id="noticesRefused" />
}
