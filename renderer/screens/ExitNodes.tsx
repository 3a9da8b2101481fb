/**
 * The exit-node place: the one in use with its proofs, the local network, what happens when it stops working, the list to choose
 * from, and this device's own offer. Controls move when the engine says so.
 */
import { useEffect, useMemo, useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import type { ExitNodesPage } from '../../preload/contract.ts'
import { devicesOf } from '../state/devices.ts'
import { exitGroups, filterExits } from '../state/exit-nodes.ts'
import { safeText } from '../../main/words/format.ts'
import { rich, t } from '../../main/words/words.ts'
import { takeExitNodes } from '../state/looks.ts'
import { isWhole } from '../state/machine.ts'
import { useSnapshot } from '../state/store.ts'
import { networkName } from '../../main/words/states.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { SearchField } from '../ui/SearchField.tsx'
import { ExitEmpty } from './ExitEmpty.tsx'
import { ExitInUse } from './ExitInUse.tsx'
import { ExitList } from './ExitList.tsx'
import { ExitOffer } from './ExitOffer.tsx'
import { ExitRules } from './ExitRules.tsx'
import { ModeDialog } from './ModeDialog.tsx'

export function ExitNodes(): ReactNode {
  const [page, running, past] = useSnapshot(useShallow((s) => [s.exitNodes, s.status?.BackendState === 'Running' || s.stillIn, s.app.engine !== 'running'] as const))
  const [query, setQuery] = useState('')
  useMeasuredOnce(running)
  const isEmpty = page !== undefined && page.Nodes.length === 0 && page.Chosen.Kind === 'none'
  return (
    <section className="exit-page" aria-labelledby="exit-title">
      <header className="bar">
        <h1 id="exit-title">{t('exit.title')}</h1>
        <div className="grow" />
        {page !== undefined && page.Nodes.length > 1 && <SearchField value={query} onChange={setQuery} label={t('exit.find')} placeholder={t('exit.find.hint')} />}
      </header>
      <div className="page-body">
        <Means />
        {past ? <p className="t2 only-line">{t('exit.noEngine')}</p> : page === undefined ? <Loading running={running} /> : (
          <>
            {(!isEmpty || !running) && <ExitInUse page={page} running={running} />}
            {!isEmpty && <ExitRules page={page} />}
            {isEmpty && running ? <ExitEmpty /> : <Nodes page={page} running={running} query={query} onClear={() => setQuery('')} />}
          </>
        )}
      </div>
      {page !== undefined && !past && <ExitOffer page={page} />}
    </section>
  )
}

/** Opening the page has the way to each of them measured once. */
function useMeasuredOnce(running: boolean): void {
  const api = useApi()
  useEffect(() => {
    if (!running) return
    void api.call('checkExitNode', {}).then((answer) => {
      if (answer.ok) takeExitNodes(answer.value)
    })
  }, [api, running])
}

/** What an exit node does here, in this mode. */
function Means(): ReactNode {
  const whole = useSnapshot((s) => isWhole(s.machine))
  const [open, setOpen] = useState(false)
  if (whole) return <p className="t2 means">{t('exit.means')}</p>
  return (
    <>
      <p className="t2 means">
        {rich<ReactNode>('exit.means.apps', { apps: <button key="apps" type="button" className="link" onClick={() => setOpen(true)}>{t('exit.means.apps.link')}</button> })}
      </p>
      {open && <ModeDialog onClose={() => setOpen(false)} />}
    </>
  )
}

function Nodes({ page, running, query, onClear }: { page: ExitNodesPage; running: boolean; query: string; onClear: () => void }): ReactNode {
  const [status, paths] = useSnapshot(useShallow((s) => [s.status, s.paths] as const))
  const groups = useMemo(() => exitGroups(page, devicesOf(status, paths, running), networkName(status)), [page, status, paths, running])
  const shown = useMemo(() => filterExits(groups, query), [groups, query])
  if (shown.length === 0 && query !== '') {
    return <div className="empty"><p>{t('exit.noMatch', { query: safeText(query, 60) })}</p><button type="button" className="button" onClick={onClear}>{t('exit.clearFilter')}</button></div>
  }
  return <ExitList page={page} groups={shown} running={running} withAuto={query === ''} key={query} />
}

function Loading({ running }: { running: boolean }): ReactNode {
  if (!running) return <p className="t2 only-line">{t('exit.notConnected')}</p>
  return <div aria-busy="true" aria-label={t('exit.loading')}>{Array.from({ length: 4 }, (_, i) => <div className="exit-row skeleton" key={i}><span /></div>)}</div>
}
