/**
 * What the list says where it has nothing to list: none yet, none that matches, none but this device.
 */
import { useEffect, useState, type ReactNode } from 'react'
import { safeText } from '../../main/words/format.ts'
import { networkName } from '../../main/words/states.ts'
import { rich, t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { setQuery } from '../state/devices-session.ts'
import { useSnapshot } from '../state/store.ts'
import { CopyButton } from '../ui/CopyButton.tsx'

/** Skeletons for shorter would only flicker. */
const SKELETON_AFTER_MS = 200

/** `isKnown`: the engine has said that there is none. */
export function NoList({ isKnown = false }: { isKnown?: boolean }): ReactNode {
  const [late, setLate] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), SKELETON_AFTER_MS)
    return () => clearTimeout(timer)
  }, [])
  if (isKnown) return <div className="empty"><p>{t('devices.none')}</p></div>
  return (
    <div className="scroll" role="group" aria-busy="true" aria-label={t('devices.loading')}>
      {late && Array.from({ length: 8 }, (_, i) => <div className="row skeleton" key={i}><span /><span /><span /></div>)}
    </div>
  )
}

export function NoMatch({ query, hidden }: { query: string; hidden: number }): ReactNode {
  const isTyped = query.trim() !== ''
  return (
    <div className="empty">
      <p>{isTyped ? rich('devices.noMatch', { query: <bdi key="query">{safeText(query, 60)}</bdi> }) : t('devices.allHidden')}</p>
      <div className="buttons">
        {isTyped && <button type="button" className="button" onClick={() => setQuery('')}>{t('devices.clearFilter')}</button>}
        {!isTyped && hidden > 0 && <button type="button" className="button" onClick={() => setQuery('is:hidden')}>{t('devices.showHidden')}</button>}
      </div>
    </div>
  )
}

/** Whether nobody else has joined or the rules show nobody: the engine cannot know, and both have a next step. */
export function Alone({ self }: { self: Device }): ReactNode {
  const [network, server] = [useSnapshot((s) => networkName(s.status)), useSnapshot((s) => s.prefs?.ControlURL ?? '')]
  return (
    <div className="only">
      <p className="strong-2">{t('devices.alone')}</p>
      <p className="t2">{t('devices.alone.why')}</p>
      <div className="buttons">
        {server !== '' && <CopyButton text={server} className="button">{t('devices.alone.copyServer')}</CopyButton>}
        <CopyButton text={t('devices.alone.request', { name: self.name, address: self.address, network })} className="button">{t('devices.alone.copyRequest')}</CopyButton>
      </div>
    </div>
  )
}
