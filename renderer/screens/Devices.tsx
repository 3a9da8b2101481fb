/**
 * The home place: every device in groups, a search, one row each; with a device chosen, its page beside or over the list.
 *
 * Rows have a fixed height and only those in view are drawn. Arrow keys move, Enter opens, Escape goes back, "/" searches.
 */
import { useEffect, useMemo, useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { clockTime } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { groupingOf, groupsOf, Lines } from '../state/devices-groups.ts'
import { isLive, noteOpened, useAccountView, useDevices } from '../state/devices-live.ts'
import { filterDevices, type Marks } from '../state/devices-query.ts'
import { setQuery, useList } from '../state/devices-session.ts'
import { blockedToday } from '../state/devices-talk.ts'
import { byShownName } from '../state/devices-view.ts'
import { useLook } from '../state/looks.ts'
import { goTo, useRoute } from '../state/route.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { DeviceGone } from './DeviceGone.tsx'
import { DevicePage } from './DevicePage.tsx'
import { Alone, NoList, NoMatch } from './DevicesEmpty.tsx'
import { DevicesFilters } from './DevicesFilters.tsx'
import { DevicesFoot } from './DevicesFoot.tsx'
import { DevicesGrid } from './DevicesGrid.tsx'
import { DevicesSearch } from './DevicesSearch.tsx'
import { DevicesSelection } from './DevicesSelection.tsx'
import { DevicesViewButton } from './DevicesView.tsx'
import { useDeviceActions } from './DevicesActions.tsx'
import { useColumns } from './devices-width.ts'
import { useOrder } from './devices-held.ts'

const BLOCKED_EVERY_MS = 30_000

export function Devices(): ReactNode {
  const api = useApi()
  const [hasStatus, past, live] = useSnapshot(useShallow((s) => {
    const isPast = s.app.engine !== 'running' || (s.status?.BackendState === 'NeedsLogin' && !s.stillIn)
    return [s.status !== undefined, isPast ? s.heardMs : undefined, isLive(s)] as const
  }))
  const route = useRoute()
  const wanted = route.place === 'devices' ? route.device : undefined
  const all = useDevices()
  const chosen = useMemo(() => all.find((device) => device.id === wanted), [all, wanted])
  useEscape(chosen?.id)
  const opened = chosen?.id
  useEffect(() => {
    if (opened !== undefined) noteOpened(api, opened)
  }, [api, opened])
  useLook(api, 'blocked', BLOCKED_EVERY_MS)
  const view = useAccountView()
  const marks = useMarks()
  const [query, folded, selected] = useList(useShallow((s) => [s.query, s.folded, s.selected] as const))
  const named = useMemo(() => byShownName(all, view), [all, view])
  const shown = useMemo(() => filterDevices(named, query, marks), [named, query, marks])
  const order = useOrder(shown)
  const lines = useMemo(() => new Lines(groupsOf(order.devices, groupingOf(view.groupBy), marks.pinned), folded), [order.devices, view.groupBy, marks.pinned, folded])
  const picked = useMemo(() => (selected.size === 0 ? [] : all.filter((device) => selected.has(device.id))), [all, selected])
  const [section, setSection] = useState<HTMLElement | null>(null)
  const columns = useColumns(section, view.columns)
  const actions = useDeviceActions(all)
  const isGone = wanted !== undefined && chosen === undefined && all.length > 0
  const isCompact = chosen !== undefined || isGone
  return (
    <div className={`devices ${isCompact ? 'with-detail' : ''}`}>
      <section className="device-list" aria-label={t('devices.title')} ref={setSection}>
        <header className="bar">
          <h1>{t('devices.title')}</h1>
          {past !== undefined && past > 0 && <span className="small t3 num as-of">{t('devices.asOf', { time: clockTime(past) })}</span>}
          <div className="grow" />
          <DevicesSearch devices={all} isShort={isCompact} found={query === '' ? undefined : shown.length} />
          {!isCompact && <DevicesViewButton actions={actions} />}
        </header>
        {!isCompact && picked.length > 0 ? <DevicesSelection devices={picked} actions={actions} /> : !isCompact && all.length > 1 && <DevicesFilters devices={all} marks={marks} />}
        {!hasStatus ? <NoList /> : all.length === 0 ? <NoList isKnown /> : shown.length === 0 ? (
          <NoMatch query={query} hidden={marks.hidden.size} />
        ) : (
          <DevicesGrid lines={lines} order={order} columns={columns} chosen={chosen?.id} isCompact={isCompact} past={past} actions={actions} />
        )}
        {all.length === 1 && past === undefined && query === '' && hasStatus && <Alone self={all[0]!} />}
        <DevicesFoot devices={all} hidden={marks.hidden.size} past={past} live={live} said={actions.said} />
      </section>
      {chosen && <DevicePage device={chosen} key={chosen.id} />}
      {isGone && <DeviceGone />}
      {actions.overlay}
    </div>
  )
}

/** What the person and today's blocks say of devices, for filters and groups. */
function useMarks(): Marks {
  const view = useAccountView()
  const [blocked, today] = useSnapshot(useShallow((s) => [s.blocked, new Date(s.nowMs).setHours(0, 0, 0, 0)] as const))
  return useMemo(
    () => ({ pinned: new Set(view.pinned), hidden: new Set(view.hidden), nicknames: view.nicknames, blocked: blockedToday(blocked, today).peers }),
    [view, blocked, today],
  )
}

/** Escape goes from a device back to the list, to the row that was left; in the list it empties the search. */
function useEscape(device: string | undefined): void {
  useEffect(() => {
    const back = (event: globalThis.KeyboardEvent): void => {
      if (event.key !== 'Escape' || event.defaultPrevented || (event.target as Element).closest?.('input, textarea, dialog, [role=menu]')) return
      if (device !== undefined) goTo(undefined)
      else setQuery('')
    }
    window.addEventListener('keydown', back)
    return () => {
      window.removeEventListener('keydown', back)
      if (device !== undefined) focusRow(device)
    }
  }, [device])
}

/** Gives a row the focus that was lost with the device's page; the list needs some frames to draw its rows again. */
function focusRow(device: string, framesLeft = 20): void {
  requestAnimationFrame(() => {
    if (document.activeElement !== document.body && document.activeElement !== null) return
    const row = document.querySelector<HTMLElement>(`[data-device="${CSS.escape(device)}"]`)
    if (row) row.focus()
    else if (framesLeft > 0) focusRow(device, framesLeft - 1)
  })
}
