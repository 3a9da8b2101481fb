/**
 * The command palette: a field over a list, opened by Ctrl K. Arrows move, Enter does it, Tab goes on with the device, Escape closes.
 */
import {
  Activity, ArrowDownUp, Copy, DoorOpen, FolderOpen, Globe, Info, KeyRound, Keyboard, Laptop, LogOut, MonitorSmartphone, Plug, Plus, Power, RotateCw, Search, Send, Server, Settings, Stethoscope, UserRound, type LucideIcon,
} from 'lucide-react'
import { useId, useMemo, useState, type KeyboardEvent, type ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { paletteOf, type Item, type ItemGroup, type ItemIcon } from '../state/palette.ts'
import { ariaKeys, isKey, keyCaps } from '../ui/keys.ts'
import { PathGlyph } from '../ui/PathGlyph.tsx'
import { useDialog } from '../ui/use-dialog.ts'
import { usePaletteDoing, usePaletteSurroundings } from './palette-doing.ts'

const ICONS: Readonly<Record<ItemIcon, LucideIcon>> = {
  device: Laptop, server: Server, copy: Copy, explain: Stethoscope, details: Info, access: KeyRound, web: Globe, port: Plug, exit: DoorOpen, devices: MonitorSmartphone, transfers: ArrowDownUp, send: Send, inbox: FolderOpen, diagnose: Activity,
  settings: Settings, account: UserRound, add: Plus, power: Power, keyboard: Keyboard, restart: RotateCw, quit: LogOut,
}

export function Palette({ onClose, onKeyboard }: { onClose: () => void; onKeyboard: () => void }): ReactNode {
  const dialog = useDialog()
  const list = useId()
  const [typed, setTyped] = useState('')
  const [drilled, setDrilled] = useState<Device>()
  const [at, setAt] = useState(0)
  const around = usePaletteSurroundings()
  const groups = useMemo(() => paletteOf(typed, drilled, around), [typed, drilled, around])
  const items = useMemo(() => groups.flatMap((group) => group.items), [groups])
  const here = Math.min(at, items.length - 1)
  const current = items[here]
  const type = (text: string, into?: Device): void => {
    setTyped(text)
    setDrilled(into)
    setAt(0)
  }
  const doIt = usePaletteDoing(onKeyboard)
  const run = (item: Item): void => {
    if (item.doing.kind === 'type') return type(item.doing.text)
    dialog.current?.close()
    doIt(item.doing)
  }
  const press = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return
    const moves: Readonly<Record<string, number>> = { ArrowDown: here + 1, ArrowUp: here - 1, PageDown: Math.min(here + 8, items.length - 1), PageUp: Math.max(here - 8, 0) }
    const to = moves[event.key]
    if (to !== undefined && items.length > 0) setAt((to + items.length) % items.length)
    else if (event.key === 'Enter' && current) run(current)
    else if (event.key === 'Tab') {
      if (!event.shiftKey && current?.drill && !drilled) type('', current.drill)
      else if (event.shiftKey && drilled) type('')
    } else if (event.key === 'Backspace' && typed === '' && drilled) type('')
    else if (isKey(event.nativeEvent, 'Mod+K')) dialog.current?.close()
    else return
    event.preventDefault()
  }
  return (
    <dialog ref={dialog} className="palette" aria-label={t('palette.title')} onClose={onClose} onClick={(event) => event.target === dialog.current && dialog.current.close()}>
      <div className="palette-box">
        <div className="palette-field">
          <Search size={16} strokeWidth={1.9} aria-hidden="true" />
          {drilled && <span className="palette-drilled"><bdi>{drilled.name}</bdi></span>}
          <input value={typed} role="combobox" aria-expanded="true" aria-controls={list} aria-autocomplete="list" aria-activedescendant={current ? `${list}-${current.id}` : undefined} aria-label={t('palette.field')}
            placeholder={t('palette.placeholder')} spellCheck={false} autoComplete="off" autoFocus onChange={(event) => { setTyped(event.target.value); setAt(0) }} onKeyDown={press} />
          <kbd aria-hidden="true">Esc</kbd>
        </div>
        <Results id={list} groups={groups} current={current} onRun={run} />
        <p className="sr-only" role="status">{t('palette.count', { n: items.length })}</p>
        <footer className="palette-foot" aria-hidden="true">
          <span><kbd>↑</kbd> <kbd>↓</kbd> {t('palette.key.move')}</span><span><kbd>Enter</kbd> {t('palette.key.run')}</span>
          {current?.drill && !drilled && <span><kbd>Tab</kbd> {t('palette.key.drill')}</span>}
          <span className="grow" /><span className="palette-signs"><kbd>&gt;</kbd> {t('palette.sign.commands')} <kbd>@</kbd> {t('palette.sign.people')} <kbd>#</kbd> {t('palette.sign.tags')}</span>
        </footer>
      </div>
    </dialog>
  )
}

interface ResultsProps {
  readonly id: string
  readonly groups: readonly ItemGroup[]
  readonly current: Item | undefined
  readonly onRun: (item: Item) => void
}

function Results({ id, groups, current, onRun }: ResultsProps): ReactNode {
  return (
    <div id={id} role="listbox" aria-label={t('palette.results')} className="palette-list" tabIndex={-1}>
      {groups.length === 0 && <div role="option" aria-selected="false" aria-disabled="true" className="palette-none">{t('palette.none')}</div>}
      {groups.map((group) => (
        <div key={group.id} role="group" aria-labelledby={`${id}-${group.id}`}>
          <div id={`${id}-${group.id}`} role="presentation" className="palette-group"><bdi>{group.title}</bdi></div>
          {group.items.map((item) => <Result key={item.id} id={`${id}-${item.id}`} item={item} isCurrent={item.id === current?.id} onRun={onRun} />)}
        </div>
      ))}
    </div>
  )
}

function Result({ id, item, isCurrent, onRun }: { id: string; item: Item; isCurrent: boolean; onRun: (item: Item) => void }): ReactNode {
  const Icon = ICONS[item.icon]
  return (
    <div id={id} role="option" aria-selected={isCurrent} className="palette-item" ref={isCurrent ? (element) => element?.scrollIntoView({ block: 'nearest' }) : undefined}
      onClick={() => onRun(item)} {...(item.keys === undefined ? {} : { 'aria-keyshortcuts': ariaKeys(item.keys) })}>
      <Icon size={16} strokeWidth={1.9} aria-hidden="true" />
      <span className="cut palette-label"><bdi>{item.label}</bdi></span>
      {item.device && <PathGlyph kind={item.device.path.kind} />}
      <span className="cut t2 grow num"><bdi>{item.detail}</bdi></span>
      {item.keys !== undefined && <span className="palette-keys" aria-hidden="true">{keyCaps(item.keys).map((key) => <kbd key={key}>{key}</kbd>)}</span>}
    </div>
  )
}
