/**
 * One device in the list. It follows the clock itself, so that ages move without the list being drawn again.
 */
import { Copy, Ellipsis, Gauge, Send } from 'lucide-react'
import { memo, useState, type ReactNode } from 'react'
import { age, ageOf, clockTime, roundTrip, safeText, sentence } from '../../main/words/format.ts'
import { heardMs, spokenRow, STALE_MS } from '../../main/words/states.ts'
import { locale, t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import type { Column } from '../state/devices-columns.ts'
import { useSnapshot } from '../state/store.ts'
import { mayReceive } from '../state/targets.ts'
import { KindIcon } from '../ui/KindIcon.tsx'
import { PathGlyph } from '../ui/PathGlyph.tsx'

export interface RowProps {
  readonly device: Device
  readonly rowIndex: number
  /** Distance from the top of the list in px. */
  readonly start: number
  readonly columns: readonly Column[]
  readonly isCompact: boolean
  readonly past: number | undefined
  readonly isChosen: boolean
  readonly isSelected: boolean
  readonly isFocused: boolean
  readonly nickname: string
}

/** A measured value that is older says nothing of now. */
const GONE_MS = 5 * 60_000

export const DevicesRow = memo(function DevicesRow(props: RowProps): ReactNode {
  const { device, rowIndex, start, columns, isCompact, past, isChosen, isSelected, isFocused, nickname } = props
  const nowMs = useSnapshot((s) => s.nowMs)
  const [isHot, setHot] = useState(false)
  const heard = device.isSelf ? undefined : heardMs(device.peer, device.row, nowMs)
  const isGrey = device.path.kind === 'offline' || past !== undefined
  const shownName = nickname === '' ? device.name : t('devices.nickname.real', { nickname, name: device.name })
  return (
    <div className={`row device ${isChosen || isSelected ? 'selected' : ''} ${isGrey ? 'offline' : ''}`} role="row" aria-rowindex={rowIndex} aria-selected={isSelected || isChosen}
      aria-label={spokenRow(shownName, device.path, heard)} data-device={device.id} data-line={device.id} tabIndex={isFocused ? 0 : -1} style={{ transform: `translateY(${start}px)` }}
      onPointerEnter={() => setHot(true)} onPointerLeave={() => setHot(false)}>
      {isCompact ? (
        <>
          <NameCell device={device} nickname={nickname} />
          <span className={`path path-${device.path.kind}`} role="gridcell" title={device.path.words}><PathGlyph kind={device.path.kind} /><span className="sr-only">{device.path.words}</span></span>
        </>
      ) : columns.map((column) => <Cell key={column} column={column} device={device} nickname={nickname} nowMs={nowMs} heard={heard} past={past} />)}
      {!isCompact && (isHot || isFocused) && <RowActions device={device} />}
    </div>
  )
})

function NameCell({ device, nickname }: { device: Device; nickname: string }): ReactNode {
  return (
    <span className="name" role="gridcell" title={nickname === '' ? device.name : t('devices.nickname.real', { nickname, name: device.name })}>
      <KindIcon os={device.peer.OS} tagged={device.tagged} />
      <span className="cut"><bdi>{nickname === '' ? device.name : nickname}</bdi>{nickname !== '' && <bdi className="t3 real-name">{device.name}</bdi>}</span>
    </span>
  )
}

interface CellProps {
  readonly column: Column
  readonly device: Device
  readonly nickname: string
  readonly nowMs: number
  readonly heard: number | undefined
  readonly past: number | undefined
}

function Cell({ column, device, nickname, nowMs, heard, past }: CellProps): ReactNode {
  const { path, peer, row } = device
  switch (column) {
    case 'name':
      return <NameCell device={device} nickname={nickname} />
    case 'owner':
      return <span className="cut t2" role="gridcell" title={device.owner}><bdi>{device.owner}</bdi></span>
    case 'address':
      return <span className="cut num t2" role="gridcell">{device.address}</span>
    case 'path':
      return <span className={`path path-${path.kind}`} role="gridcell" title={past === undefined && row && locale() === 'en' ? sentence(row.why) : path.words}><PathGlyph kind={path.kind} /><span className="cut">{path.words}</span></span>
    case 'roundTrip':
      return <span className={`right num ${heard !== undefined && heard > STALE_MS ? 't3' : 't2'}`} role="gridcell">{heard !== undefined && heard > GONE_MS ? '' : roundTrip(path.latencyMs)}</span>
    case 'heard':
      return <span className="right num t3" role="gridcell">{past !== undefined && past > 0 ? clockTime(past) : age(heard)}</span>
    case 'since':
      return <span className="right num t3" role="gridcell">{past === undefined ? pathAge(device, nowMs) : ''}</span>
    case 'server':
      return <span className="cut t2" role="gridcell">{device.isSelf ? '' : t(peer.Online ? 'devices.server.online' : 'devices.server.offline')}</span>
    case 'os':
      return <span className="cut t2" role="gridcell"><bdi>{safeText(peer.OS, 30)}</bdi></span>
  }
}

/** Since when packets go that way; "" while none do. */
function pathAge({ path, row }: Device, nowMs: number): string {
  return path.kind === 'direct' || path.kind === 'relay' || path.kind === 'peer-relay' || path.kind === 'trying' ? age(ageOf(row?.since, nowMs)) : ''
}

/** Over the end of the row, so that nothing moves. Keys and the menu do the same, so Tab passes them by. */
function RowActions({ device }: { device: Device }): ReactNode {
  const { name } = device
  const action = (act: string, label: string, icon: ReactNode): ReactNode => <button type="button" className="icon-button" tabIndex={-1} data-act={act} aria-label={label} title={label}>{icon}</button>
  return (
    <span className="row-actions" role="gridcell">
      {action('copy', t('devices.action.copy', { name }), <Copy size={16} strokeWidth={1.9} aria-hidden="true" />)}
      {mayReceive(device) && action('send', t('devices.action.send', { name }), <Send size={16} strokeWidth={1.9} aria-hidden="true" />)}
      {!device.isSelf && action('ping', t('devices.action.ping', { name }), <Gauge size={16} strokeWidth={1.9} aria-hidden="true" />)}
      {action('more', t('devices.action.more', { name }), <Ellipsis size={16} strokeWidth={1.9} aria-hidden="true" />)}
    </span>
  )
}
