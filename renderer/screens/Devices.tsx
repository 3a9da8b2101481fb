/**
 * The home place: every device in groups, a filter, one row each; with a device chosen, its page beside or over the list.
 *
 * Rows have a fixed height and only those in view are drawn. Arrow keys move, Enter opens, Escape goes back, "/" searches.
 */
import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { devicesOf, filterDevices, groupsOf, talkSummary, type Device } from '../state/devices.ts'
import { age, ageOf, clockTime, roundTrip, safeText } from '../../main/words/format.ts'
import { goTo, useRoute } from '../state/route.ts'
import { useSnapshot } from '../state/store.ts'
import { heardMs, spokenRow } from '../../main/words/states.ts'
import { KindIcon } from '../ui/KindIcon.tsx'
import { PathGlyph } from '../ui/PathGlyph.tsx'
import { SearchField } from '../ui/SearchField.tsx'
import { DevicePage } from './DevicePage.tsx'
import { MoreHealth } from './HealthList.tsx'

type Line = { readonly kind: 'group'; readonly name: string; readonly count: number } | { readonly kind: 'device'; readonly device: Device }

export function Devices(): ReactNode {
  const [app, status, paths, lastMs, stillIn] = useSnapshot(useShallow((s) => [s.app, s.status, s.paths, s.heardMs, s.stillIn] as const))
  const route = useRoute()
  const wanted = route.place === 'devices' ? route.device : undefined
  const [query, setQuery] = useState('')
  const running = app.engine === 'running'
  const past = !running || (status?.BackendState === 'NeedsLogin' && !stillIn)
  const live = running && (status?.BackendState === 'Running' || stillIn)
  const all = useMemo(() => devicesOf(status, paths, live), [status, paths, live])
  const shown = useMemo(() => filterDevices(all, query), [all, query])
  const chosen = all.find((device) => device.id === wanted)
  useEscape(chosen?.id)
  const lines = useMemo<readonly Line[]>(
    () => groupsOf(shown).flatMap((group) => [{ kind: 'group', name: group.name, count: group.devices.length } as const, ...group.devices.map((device) => ({ kind: 'device', device }) as const)]),
    [shown],
  )
  return (
    <div className={`devices ${chosen ? 'with-detail' : ''}`}>
      <section className="device-list" aria-label="Devices">
        <header className="bar">
          <h1>Devices</h1>
          {past && lastMs > 0 && <span className="small t3 num as-of">as of {clockTime(lastMs)}</span>}
          <div className="grow" />
          <SearchField value={query} onChange={setQuery} label="Search devices by name, owner, tag or address" placeholder={chosen === undefined ? 'Name, owner, tag or address' : 'Search'} />
        </header>
        {!status ? <Skeleton /> : all.length === 0 ? <Empty text="No list of devices yet." /> : shown.length === 0 ? (
          <Empty text={`No device matches “${safeText(query, 60)}”.`} action={<button type="button" className="button" onClick={() => setQuery('')}>Clear filter</button>} />
        ) : (
          <List lines={lines} chosen={chosen?.id} compact={chosen !== undefined} past={past ? lastMs : undefined} />
        )}
        {all.length === 1 && !past && query === '' && <p className="only t2">You are the only device here yet.</p>}
        <footer className="foot"><span className="grow cut">{!status ? '' : past && lastMs > 0 ? `${all.length} ${all.length === 1 ? 'device' : 'devices'}, as they were at ${clockTime(lastMs)}` : talkSummary(all)}</span>{live && <MoreHealth />}</footer>
      </section>
      {chosen && <DevicePage device={chosen} key={chosen.id} />}
    </div>
  )
}

/** Escape goes from a device back to the list, to the row that was left. */
function useEscape(device: string | undefined): void {
  useEffect(() => {
    if (device === undefined) return
    const back = (event: globalThis.KeyboardEvent): void => {
      if (event.key === 'Escape' && !event.defaultPrevented && !(event.target as Element).closest?.('input, dialog')) goTo(undefined)
    }
    window.addEventListener('keydown', back)
    return () => {
      window.removeEventListener('keydown', back)
      focusRow(device)
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

/** `past` = when the facts were last true, while the engine tells nothing new. */
function List({ lines, chosen, compact, past }: { lines: readonly Line[]; chosen: string | undefined; compact: boolean; past: number | undefined }): ReactNode {
  const scroller = useRef<HTMLDivElement>(null)
  const [focused, setFocused] = useState<string>()
  const rows = useVirtualizer({ count: lines.length, getScrollElement: () => scroller.current, estimateSize: () => 32, overscan: 8 })
  const devices = useMemo(() => lines.flatMap((line, index) => (line.kind === 'device' ? [{ id: line.device.id, index }] : [])), [lines])
  const current = focused !== undefined && devices.some((entry) => entry.id === focused) ? focused : (chosen ?? devices[0]?.id)

  const move = (event: KeyboardEvent): void => {
    const at = devices.findIndex((entry) => entry.id === current)
    const step: Readonly<Record<string, number>> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: devices.length - 1, PageDown: at + 10, PageUp: at - 10 }
    const to = step[event.key]
    if (to === undefined) return
    event.preventDefault()
    const next = devices[Math.max(0, Math.min(devices.length - 1, to))]
    if (!next) return
    setFocused(next.id)
    rows.scrollToIndex(next.index)
    requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-device="${CSS.escape(next.id)}"]`)?.focus())
  }
  return (
    <>
      {!compact && (
        <div className="row head" aria-hidden="true">
          <span>Name</span><span>Owner or tag</span><span>Address</span><span>Path</span><span className="right">Round trip</span><span className="right">Since</span><span className="right">{past === undefined ? 'Heard' : 'Known at'}</span>
        </div>
      )}
      <div ref={scroller} className="scroll" role="grid" aria-label="Devices" aria-rowcount={lines.length} onKeyDown={move} tabIndex={-1}>
        <div className="rows" role="rowgroup" style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map((item) => {
            const line = lines[item.index]!
            const style = { transform: `translateY(${item.start}px)` }
            return line.kind === 'group' ? (
              <div key={`group-${line.name}`} className="row group" role="row" aria-rowindex={item.index + 1} style={style}>
                <span role="gridcell">{line.name} <span className="n num">{line.count}</span></span>
              </div>
            ) : (
              <Row key={line.device.id} device={line.device} rowIndex={item.index + 1} compact={compact} past={past} selected={line.device.id === chosen}
                tabbable={line.device.id === current} onFocus={() => setFocused(line.device.id)} style={style} />
            )
          })}
        </div>
      </div>
    </>
  )
}

interface RowProps {
  readonly device: Device
  readonly rowIndex: number
  readonly compact: boolean
  readonly past: number | undefined
  readonly selected: boolean
  readonly tabbable: boolean
  readonly onFocus: () => void
  readonly style: { readonly transform: string }
}

function Row({ device, rowIndex, compact, past, selected, tabbable, onFocus, style }: RowProps): ReactNode {
  const nowMs = useSnapshot((s) => s.nowMs)
  const heard = device.isSelf ? undefined : heardMs(device.peer, nowMs)
  const open = (): void => goTo(device.id)
  return (
    <div className={`row device ${selected ? 'selected' : ''} ${device.path.kind === 'offline' || past !== undefined ? 'offline' : ''}`} role="row" aria-rowindex={rowIndex} aria-selected={selected}
      aria-label={spokenRow(device.name, device.path, heard)} data-device={device.id} tabIndex={tabbable ? 0 : -1} onFocus={onFocus} onClick={open}
      onKeyDown={(event) => event.key === 'Enter' && open()} style={style}>
      <span className="name" role="gridcell"><KindIcon os={device.peer.OS} tagged={device.tagged} /><span className="cut"><bdi>{device.name}</bdi></span></span>
      {!compact && <span className="cut t2" role="gridcell"><bdi>{device.owner}</bdi></span>}
      {!compact && <span className="num t2" role="gridcell">{device.address}</span>}
      <span className={`path path-${device.path.kind}`} role="gridcell">
        <PathGlyph kind={device.path.kind} />{compact ? <span className="sr-only">{device.path.words}</span> : <span className="cut">{device.path.words}</span>}
      </span>
      {!compact && <span className="right num t2" role="gridcell">{roundTrip(device.path.latencyMs)}</span>}
      {!compact && <span className="right num t3" role="gridcell">{past === undefined ? pathAge(device, nowMs) : ''}</span>}
      {!compact && <span className="right num t3" role="gridcell">{past !== undefined ? clockTime(past) : age(heard)}</span>}
    </div>
  )
}

/** Since when packets go that way; "" while none do. */
function pathAge({ path, row }: Device, nowMs: number): string {
  return path.kind === 'direct' || path.kind === 'relay' || path.kind === 'peer-relay' || path.kind === 'trying' ? age(ageOf(row?.since, nowMs)) : ''
}

function Empty({ text, action }: { text: string; action?: ReactNode }): ReactNode {
  return <div className="empty"><p>{text}</p>{action}</div>
}

function Skeleton(): ReactNode {
  return <div className="scroll" aria-busy="true" aria-label="Getting the list of devices">{Array.from({ length: 6 }, (_, i) => <div className="row skeleton" key={i}><span /></div>)}</div>
}
