/**
 * The list by keyboard: arrows, Home, End and pages move; Left folds a group, Right opens it; Enter opens a device, Space selects it;
 * letters jump to a name; Ctrl C copies, Ctrl P pings, Ctrl U sends files and Ctrl D shows the path on its page, the Menu key opens its menu.
 */
import { useRef, type KeyboardEvent } from 'react'
import { fold } from '../state/devices.ts'
import type { Column } from '../state/devices-columns.ts'
import type { Line, Lines } from '../state/devices-groups.ts'
import { useAccountView } from '../state/devices-live.ts'
import { select, selectRange, setAnchor, setFolded, toggleSelected, useList } from '../state/devices-session.ts'
import { nicknameOf } from '../state/devices-view.ts'
import { useSnapshot } from '../state/store.ts'
import { mayReceive } from '../state/targets.ts'
import { meantBy, type DeviceActions } from './DevicesActions.tsx'
import type { GridFocus } from './DevicesGrid.tsx'
import { sortBy } from './DevicesHead.tsx'

export interface GridTarget {
  readonly lines: Lines
  readonly focus: GridFocus
  readonly grid: { readonly current: HTMLDivElement | null }
  /** Rows that a page has. */
  readonly pageRows: () => number
}

/** Letters that come quicker are one word. */
const WORD_MS = 700

export function useGridKeys(target: GridTarget, actions: DeviceActions): (event: KeyboardEvent<HTMLDivElement>) => void {
  const singleKeys = useSnapshot((s) => s.app.settings.singleKeys)
  const view = useAccountView()
  const typed = useRef({ text: '', atMs: 0 })
  return (event) => {
    if (event.defaultPrevented || event.altKey) return
    const { focus, lines } = target
    const handled = focus.current.startsWith('head ') ? onHead(event, target) : moves(event, target) || onLine(event, lines.at(lines.indexOf(focus.current) ?? -1), target, actions)
    if (handled) return event.preventDefault()
    const isLetter = singleKeys && !event.ctrlKey && !event.metaKey && /^[\p{L}\p{N}._-]$/u.test(event.key)
    if (!isLetter) return
    const nowMs = event.timeStamp
    const text = (nowMs - typed.current.atMs < WORD_MS ? typed.current.text : '') + fold(event.key)
    typed.current = { text, atMs: nowMs }
    const to = jump(text, target, (id) => fold(nicknameOf(view, id)))
    if (to !== undefined) focus.go(to)
  }
}

/** Where the arrows stop: devices, and groups that are folded; heads of open groups are reached from their devices. */
const isStop = (line: Line): boolean => line.kind === 'device' || line.isFolded

function nextStop(lines: Lines, from: number, by: number): number | undefined {
  const step = Math.sign(by)
  let [left, found] = [Math.abs(by), undefined as number | undefined]
  for (let i = from + step; i >= 0 && i < lines.length && left > 0; i += step) {
    if (!isStop(lines.at(i)!)) continue
    found = i
    left--
  }
  return found
}

/** Moves the focus; with Shift the selection goes along. */
function moves(event: KeyboardEvent, { lines, focus, grid, pageRows }: GridTarget): boolean {
  const at = lines.indexOf(focus.current) ?? 0
  const to = ((): number | undefined => {
    switch (event.key) {
      case 'ArrowDown':
        return nextStop(lines, at, 1)
      case 'ArrowUp':
        return nextStop(lines, at, -1)
      case 'Home':
        return nextStop(lines, -1, 1)
      case 'End':
        return nextStop(lines, lines.length, -1)
      case 'PageDown':
        return nextStop(lines, at, pageRows())
      case 'PageUp':
        return nextStop(lines, at, -pageRows())
      default:
        return undefined
    }
  })()
  if (to === undefined) {
    if (event.key !== 'ArrowUp' || event.shiftKey) return event.key.startsWith('Arrow') && event.key !== 'ArrowLeft' && event.key !== 'ArrowRight'
    const head = grid.current?.querySelector<HTMLElement>('[data-head]')
    head?.focus()
    return head !== null
  }
  const next = lines.at(to)!
  if (event.shiftKey) selectRange(lines, focus.current, next.key)
  else setAnchor(next.key)
  focus.go(next.key)
  return true
}

function onHead(event: KeyboardEvent, { lines, focus, grid }: GridTarget): boolean {
  const heads = [...(grid.current?.querySelectorAll<HTMLElement>('[data-head]') ?? [])]
  const at = heads.findIndex((head) => `head ${head.dataset['head']}` === focus.current)
  switch (event.key) {
    case 'ArrowLeft':
    case 'ArrowRight':
      heads[at + (event.key === 'ArrowLeft' ? -1 : 1)]?.focus()
      return true
    case 'ArrowDown': {
      const first = nextStop(lines, -1, 1)
      if (first !== undefined) focus.go(lines.at(first)!.key)
      return true
    }
    case 'Enter':
    case ' ':
      if (heads[at]) sortBy(heads[at].dataset['head'] as Column)
      return true
    default:
      return false
  }
}

/** Keys that do something with the line that has the focus. */
function onLine(event: KeyboardEvent, line: Line | undefined, { lines, focus, grid }: GridTarget, actions: DeviceActions): boolean {
  if (line === undefined) return false
  if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') return folds(event.key === 'ArrowLeft', line, lines, focus)
  if (event.key === 'Escape') return clears()
  if (line.kind === 'group') return false
  const id = line.key
  if (event.key === 'Enter') return done(() => actions.open(id))
  if (event.key === ' ') return done(() => { setAnchor(id); toggleSelected(id) })
  if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
    const box = grid.current?.querySelector(`[data-line="${CSS.escape(id)}"]`)?.getBoundingClientRect()
    return done(() => actions.menu(id, (box?.left ?? 0) + 40, box?.bottom ?? 0))
  }
  if (!event.ctrlKey && !event.metaKey) return false
  switch (event.key.toLowerCase()) {
    case 'a':
      return done(() => select(lines.devicesOf()))
    case 'c':
      return event.shiftKey || (window.getSelection()?.toString() ?? '') !== '' ? false : done(() => actions.copyAddresses(meantBy(id)))
    case 'p':
      return done(() => actions.ping(id))
    case 'u':
      return mayReceive(line.device) ? done(() => actions.send(id)) : false
    case 'd':
      return done(() => actions.open(id))
    default:
      return false
  }
}

function done(act: () => void): true {
  act()
  return true
}

/** Left on a device goes to the head of its group, on a head folds it; Right opens it. */
function folds(isLeft: boolean, line: Line, lines: Lines, focus: GridFocus): boolean {
  if (line.kind === 'group') {
    if (line.isFolded !== isLeft) setFolded(line.key.slice('group '.length), isLeft)
    return true
  }
  if (isLeft && lines.indexOf(line.group) !== undefined) focus.go(line.group)
  return true
}

function clears(): boolean {
  if (useList.getState().selected.size === 0) return false
  select([])
  return true
}

/** The next device whose name begins so: from the present one on, while a word grows; else behind it. */
function jump(text: string, { lines, focus }: GridTarget, nickname: (id: string) => string): string | undefined {
  const at = lines.indexOf(focus.current) ?? -1
  const isSame = Array.from(text).every((letter) => letter === text[0])
  const wanted = isSame ? text[0]! : text
  const start = isSame ? at + 1 : Math.max(at, 0)
  for (let i = 0; i < lines.length; i++) {
    const line = lines.at((start + i) % lines.length)!
    if (line.kind === 'device' && (nickname(line.key) || fold(line.device.name)).startsWith(wanted)) return line.key
  }
  return undefined
}
