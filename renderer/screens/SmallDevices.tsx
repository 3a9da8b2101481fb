/**
 * The devices of the small window: a field to find one, and a short list. Arrow keys move, Enter opens the device in the main window.
 */
import { useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { roundTrip, safeText } from '../../main/words/format.ts'
import { heardMs, spokenRow, type PathWords } from '../../main/words/states.ts'
import { t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { isLive, useAccountView, useDevices } from '../state/devices-live.ts'
import { smallDevices } from '../state/small.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { KindIcon } from '../ui/KindIcon.tsx'
import { PathGlyph } from '../ui/PathGlyph.tsx'
import { SearchField } from '../ui/SearchField.tsx'

export function SmallDevices(): ReactNode {
  const [status, live, nowMs] = useSnapshot(useShallow((s) => [s.status, isLive(s), s.nowMs] as const))
  const [query, setQuery] = useState('')
  const list = useRef<HTMLUListElement>(null)
  const all = useDevices()
  const view = useAccountView()
  // The clock alone changes no order.
  const shown = useMemo(() => smallDevices(all, view, query, useSnapshot.getState().nowMs), [all, view, query])
  const move = (event: KeyboardEvent): void => {
    const buttons = [...(list.current?.querySelectorAll('button') ?? [])]
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement)
    const to = event.key === 'ArrowDown' ? at + 1 : event.key === 'ArrowUp' ? at - 1 : undefined
    if (to === undefined || buttons.length === 0) return
    event.preventDefault()
    if (to < 0) list.current?.parentElement?.querySelector('input')?.focus()
    else buttons[Math.min(to, buttons.length - 1)]!.focus()
  }
  if (all.length < 2) return <div className="small-empty t2">{status && all.length === 1 ? t('small.alone') : ''}</div>
  return (
    <section className="small-devices" aria-label={t('tray.devices')} onKeyDown={move}>
      <SearchField value={query} onChange={setQuery} label={t('small.find')} placeholder={t('small.find')} />
      {shown.length === 0 ? <p className="small-empty t2">{t('small.noMatch', { query: safeText(query, 40) })}</p> : (
        <ul className="plain small-list" ref={list}>{shown.map((device) => <Row key={device.id} device={device} nowMs={nowMs} past={!live} />)}</ul>
      )}
    </section>
  )
}

function Row({ device, nowMs, past }: { device: Device; nowMs: number; past: boolean }): ReactNode {
  const api = useApi()
  const { path } = device
  return (
    <li>
      <button type="button" data-drop-device={device.id} className={`small-row ${path.kind === 'offline' || past ? 'offline' : ''}`}
        onClick={() => void api.call('showMain', { hash: `#/devices/${encodeURIComponent(device.id)}` })}>
        <span className="sr-only">{spokenRow(device.name, path, heardMs(device.peer, device.row, nowMs))}</span>
        <KindIcon os={device.peer.OS} tagged={device.tagged} />
        <span className="cut grow" aria-hidden="true"><bdi>{safeText(device.name, 60)}</bdi></span>
        <span className={`small num cut path-${path.kind}`} aria-hidden="true">{pathText(path)}</span>
        <PathGlyph kind={path.kind} />
      </button>
    </li>
  )
}

/** The round trip says enough of a good path; of another one, the words too. */
function pathText({ kind, words, latencyMs }: PathWords): string {
  const time = roundTrip(latencyMs)
  if (time === '') return words
  return kind === 'relay' || kind === 'trying' ? t('small.path', { path: words, roundTrip: time }) : time
}
