/**
 * Where files can go: a box to drop on, devices used last, all others, and those that cannot receive with the reason. Pressing a device
 * sends it what is chosen, or asks for files first. Only what is in view is drawn.
 */
import { FileUp } from 'lucide-react'
import { useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import type { TransferTarget } from '../../main/localapi/transfers.ts'
import { t } from '../../main/words/words.ts'
import { deviceCount, type Device } from '../state/devices.ts'
import { useDevices } from '../state/devices-live.ts'
import { useLook } from '../state/looks.ts'
import { chooseToSend, sendOffer, useSending } from '../state/sending.ts'
import { useSnapshot } from '../state/store.ts'
import { reasonWords, targetLines, type TargetLine } from '../state/targets.ts'
import { useTransfersSession } from '../state/transfers-session.ts'
import { named } from '../state/transfers-words.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { KindIcon } from '../ui/KindIcon.tsx'
import { SearchField } from '../ui/SearchField.tsx'
import { say } from '../ui/toast.ts'
import { useLines } from '../ui/use-lines.ts'
import { TargetWhy } from './TransfersWhy.tsx'

const EVERY_MS = 30_000
/** With more of them there is a field to search. */
const MANY = 8
const SECTION_PX = 34
const TARGET_PX = 48

export function TransfersTargets(): ReactNode {
  const api = useApi()
  const [page, running, status, devices] = useSnapshot(useShallow((s) => [s.transferTargets, s.app.engine === 'running', s.status?.BackendState, deviceCount(s.status)] as const))
  const typed = useTransfersSession((s) => s.typed)
  const [why, setWhy] = useState<TransferTarget>()
  useLook(api, 'transferTargets', EVERY_MS, `${status} ${devices}`)
  const lines = useMemo(() => targetLines(page, typed), [page, typed])
  const count = page?.Targets.length ?? 0
  return (
    <aside className="targets" aria-label={t('transfers.targets.region')} data-region="">
      <div className="drop-box">
        <FileUp size={20} strokeWidth={1.7} aria-hidden="true" />
        <p className="strong-2">{t('transfers.drop.title')}</p>
        <p className="small t3">{t('transfers.drop.or')}</p>
      </div>
      {running && count > MANY && <SearchField value={typed} onChange={(text) => useTransfersSession.setState({ typed: text })} label={t('transfers.targets.search')} placeholder={t('transfers.targets.search')} />}
      {running && lines.length > 0 ? <Targets lines={lines} onWhy={setWhy} /> : (
        <p className="small t2 targets-none">{!running || status !== 'Running' ? t('transfers.targets.off') : page === undefined ? '' : count === 0 ? t('transfers.targets.empty') : t('transfers.targets.none')}</p>
      )}
      {why && <TargetWhy target={why} onClose={() => setWhy(undefined)} />}
    </aside>
  )
}

function Targets({ lines, onWhy }: { lines: readonly TargetLine[]; onWhy: (target: TransferTarget) => void }): ReactNode {
  const api = useApi()
  const devices = useDevices()
  const byId = useMemo(() => new Map(devices.map((device) => [device.id, device])), [devices])
  const scroller = useRef<HTMLDivElement>(null)
  const list = useMemo(() => ({ keys: lines.map(({ key }) => key), tops: topsOf(lines), isStop: (index: number) => lines[index]!.kind === 'target' }), [lines])
  const drawn = useLines(list, scroller)
  const press = (target: TransferTarget): void => {
    if (!target.Usable) return onWhy(target)
    const { offer } = useSending.getState()
    void (offer ? sendOffer(api, offer, target.ID, say) : chooseToSend(api, false, target.ID, say))
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const moves: Readonly<Record<string, () => number>> = {
      ArrowDown: () => drawn.stop(drawn.current, 1), ArrowUp: () => drawn.stop(drawn.current, -1), Home: () => drawn.stop(-1, 1), End: () => drawn.stop(lines.length, -1),
      PageDown: () => drawn.stop(drawn.current, drawn.page()), PageUp: () => drawn.stop(drawn.current, -drawn.page()),
    }
    const move = moves[event.key]
    if (!move || event.ctrlKey || event.altKey || event.metaKey) return
    event.preventDefault()
    drawn.go(move())
  }
  return (
    <div ref={scroller} className="target-scroll" onKeyDown={onKeyDown} onFocus={(event) => drawn.took(event.target)} onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && drawn.left()}>
      <ul className="plain target-lines" style={{ blockSize: list.tops.at(-1)! }}>
        {drawn.places.map((place) => {
          const line = lines[place]!
          const style = { transform: `translateY(${list.tops[place]!}px)`, blockSize: list.tops[place + 1]! - list.tops[place]! }
          return (
            <li key={line.key} style={style} aria-setsize={lines.length} aria-posinset={place + 1}>
              {line.kind === 'section' ? <h2>{t(`transfers.targets.${line.id}`)}</h2> : <Target target={line.target} device={byId.get(line.key)} isFocused={place === drawn.current} onPress={press} />}
            </li>
          )
        })}
      </ul>
    </div>
  )
}

function topsOf(lines: readonly TargetLine[]): readonly number[] {
  const tops = [0]
  for (const line of lines) tops.push(tops.at(-1)! + (line.kind === 'section' ? SECTION_PX : TARGET_PX))
  return tops
}

function Target({ target, device, isFocused, onPress }: { target: TransferTarget; device: Device | undefined; isFocused: boolean; onPress: (target: TransferTarget) => void }): ReactNode {
  const sending = useSending((s) => s.toPeer === target.ID)
  const name = named(target.Name, 60)
  const words = target.Usable ? (device?.path.words ?? t(target.Online ? 'path.idle' : 'path.offline')) : reasonWords(target)
  return (
    <button type="button" className={`target ${target.Usable ? '' : 'cannot'}`} data-line={target.ID} tabIndex={isFocused ? 0 : -1} aria-busy={sending}
      {...(target.Usable ? { 'data-drop': target.ID } : { 'aria-haspopup': 'dialog' })} onClick={() => onPress(target)}>
      <KindIcon os={target.OS} tagged={device?.tagged ?? false} />
      <span className="grow cut-box"><bdi className="cut strong-2 target-name" title={name}>{name}</bdi> <span className="cut small t3" title={words}>{words}</span></span>
    </button>
  )
}
