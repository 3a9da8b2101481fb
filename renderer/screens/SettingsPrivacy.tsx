/**
 * What leaves this computer, and where what is kept lies.
 */
import type { ReactNode } from 'react'
import { safeText } from '../../main/words/format.ts'
import { rich, t } from '../../main/words/words.ts'
import { useLook } from '../state/looks.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { Row } from './SettingsRow.tsx'

const EVERY_MS = 30_000

export function LeavesRow(): ReactNode {
  return <Row id="leaves" />
}

export function KeysRow(): ReactNode {
  const storage = useStorage()
  if (!storage) return <Row id="keys" words={t('settings.unknown')} />
  const why = storage.Why === undefined ? '' : safeText(storage.Why, 200)
  return <Row id="keys" words={why === '' ? t(`settings.keys.${storage.Keys}`) : rich<ReactNode>('settings.keys.fileWhy', { why: <bdi key="why">{why}</bdi> })} />
}

export function FilesRow(): ReactNode {
  const storage = useStorage()
  const places = [[t('settings.files.state'), storage?.State], [t('settings.files.journal'), storage?.Journal]] as const
  const there = places.filter((place): place is readonly [string, string] => place[1] !== undefined)
  return (
    <Row id="files" words={storage && there.length === 0 ? t('settings.files.none') : t('settings.does.files')} below={there.length > 0 && (
      <dl className="facts">{there.map(([name, path]) => <div key={name}><dt>{name}</dt><dd className="selectable"><bdi>{safeText(path, 400)}</bdi></dd></div>)}</dl>
    )} />
  )
}

function useStorage(): ReturnType<typeof useSnapshot.getState>['storage'] {
  useLook(useApi(), 'storage', EVERY_MS)
  return useSnapshot((s) => s.storage)
}
