/**
 * Connect and disconnect: it moves when the engine says so, shows that it waits, and says when no answer comes.
 */
import type { ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { connect, setConnected } from '../ui/connect.ts'
import { ariaKeys, useKeys, withKey } from '../ui/keys.ts'
import { PolicyLine, useLock } from '../ui/PolicyLine.tsx'
import { useAsk, waits } from '../ui/use-ask.ts'

export const CONNECT_KEYS = 'Mod+Shift+C'

export function ConnectionSwitch(): ReactNode {
  const api = useApi()
  const [app, status, prefs] = useSnapshot(useShallow((s) => [s.app, s.status, s.prefs] as const))
  const ask = useAsk()
  const state = status?.BackendState
  const there = app.engine === 'running' && (state === 'Running' || state === 'Starting' || state === 'Stopped')
  const on = prefs?.WantRunning ?? state !== 'Stopped'
  // Only disconnecting is forbidden.
  const rule = useLock('WantRunning')
  const locked = on && rule !== undefined
  const flip = (): void => void (locked || ask.run(() => setConnected(api, !on)))
  useKeys(there ? { [CONNECT_KEYS]: () => void ask.run(() => connect(api, !on)) } : {})
  if (!there) return null
  return (
    <>
      <button type="button" role="switch" aria-checked={on} aria-label={t(on ? 'frame.switch.on' : 'frame.switch.off')} aria-busy={waits(ask)} aria-keyshortcuts={ariaKeys(CONNECT_KEYS)}
        title={withKey(t(on ? 'frame.disconnect' : 'frame.connect'), CONNECT_KEYS)} className={`switch ${on ? 'on' : ''}`} onClick={flip} {...(locked ? { 'aria-disabled': true, 'aria-describedby': 'connection-rule' } : {})} />
      <span className="connection-words"><PolicyLine id="connection-rule" rule={locked ? rule : undefined} /><AskWords ask={ask} /></span>
    </>
  )
}
