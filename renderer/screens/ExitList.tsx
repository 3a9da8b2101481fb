/**
 * The exit nodes to choose from: the automatic choice, the suggested one with its reason, then by owner. Arrow keys move, Enter or
 * Space uses. Rows hold still while the pointer or the focus is in the list. A choice of the device policy is shown and cannot be moved.
 */
import { useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'
import type { ExitNodesPage } from '../../preload/contract.ts'
import { chosenName, heldStill, spokenExit, type ExitGroup, type ExitRow } from '../state/exit-nodes.ts'
import { roundTrip } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { AskWords } from '../ui/AskWords.tsx'
import { PathGlyph } from '../ui/PathGlyph.tsx'
import { PolicyLine, useLock } from '../ui/PolicyLine.tsx'
import { waits } from '../ui/use-ask.ts'
import { useExit } from '../ui/use-exit.ts'

/** Drawn at once; the rest on demand. */
const SHOWN = 300

interface ListProps {
  readonly page: ExitNodesPage
  readonly groups: readonly ExitGroup[]
  readonly running: boolean
  /** The automatic choice is offered too. */
  readonly withAuto: boolean
}

const AUTO = 'auto'

export function ExitList({ page, groups, running, withAuto }: ListProps): ReactNode {
  const exit = useExit()
  const rule = useLock('ExitNodeID')
  const [asked, setAsked] = useState<string>()
  const [held, setHeld] = useState(false)
  const [all, setAll] = useState(false)
  const shown = useHeld(groups, held)
  const cut = useMemo(() => (all ? shown : firstRows(shown, SHOWN)), [shown, all])
  const box = useRef<HTMLDivElement>(null)
  const chosen = page.Chosen.Kind === 'auto' ? AUTO : page.Chosen.Kind === 'node' ? page.Chosen.ID : undefined
  const [focused, setFocused] = useState<string>()
  const ids = [...(withAuto ? [AUTO] : []), ...cut.flatMap((group) => group.rows.map((row) => row.id))]
  const tabbable = [focused, chosen, ids[0]].find((id) => id !== undefined && ids.includes(id))
  const total = shown.reduce((sum, group) => sum + group.rows.length, 0)

  const choose = (id: string, possible: boolean): void => {
    if (!possible || !running || id === chosen || rule !== undefined) return
    setAsked(id)
    void exit.use(id === AUTO ? undefined : id).then(() => setAsked(undefined))
  }
  const move = (event: KeyboardEvent): void => {
    const at = ids.indexOf(tabbable ?? '')
    const to = ({ ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: ids.length - 1, PageDown: at + 10, PageUp: at - 10 } as Readonly<Record<string, number>>)[event.key]
    if (to === undefined) return
    event.preventDefault()
    const next = ids[Math.max(0, Math.min(ids.length - 1, to))]!
    setFocused(next)
    box.current?.querySelector<HTMLElement>(`[data-exit="${CSS.escape(next)}"]`)?.focus()
  }
  const radio = (id: string): RadioState => ({
    checked: id === chosen, held: rule !== undefined, waiting: id === asked && waits(exit.ask), tabbable: id === tabbable, onFocus: () => setFocused(id),
  })
  return (
    <>
      <AskWords ask={exit.ask} />
      <PolicyLine id="exit-rule" rule={rule} />
      <div ref={box} className="exit-list" role="radiogroup" aria-label={t('exit.list')} aria-describedby={rule === undefined ? undefined : 'exit-rule'} onKeyDown={move} onPointerEnter={() => setHeld(true)} onPointerLeave={() => setHeld(false)}>
        {withAuto && <AutoRow page={page} state={radio(AUTO)} onChoose={() => choose(AUTO, true)} />}
        {cut.map((group) => (
          <div key={group.name} role="group" aria-label={group.name}>
            <h3><bdi>{group.name}</bdi></h3>
            {group.rows.map((row) => <NodeRow key={row.id} row={row} where={row.place || (group.name === t('exit.suggested') ? row.owner : '')} state={radio(row.id)} onChoose={() => choose(row.id, row.unavailable === '')} />)}
          </div>
        ))}
      </div>
      {!all && total > SHOWN && <p className="only-line"><button type="button" className="button" onClick={() => setAll(true)}>{t('exit.list.more', { n: total - SHOWN })}</button></p>}
    </>
  )
}

/** The groups, in the layout they had when the list was last let go. */
function useHeld(groups: readonly ExitGroup[], held: boolean): readonly ExitGroup[] {
  const last = useRef(groups)
  const shown = held ? heldStill(last.current, groups) : groups
  last.current = shown
  return shown
}

function firstRows(groups: readonly ExitGroup[], limit: number): readonly ExitGroup[] {
  let left = limit
  return groups.flatMap((group) => {
    const rows = group.rows.slice(0, left)
    left -= rows.length
    return rows.length === 0 ? [] : [{ name: group.name, rows }]
  })
}

interface RadioState {
  readonly checked: boolean
  /** Somebody else decides. */
  readonly held: boolean
  readonly waiting: boolean
  readonly tabbable: boolean
  readonly onFocus: () => void
}

interface RadioProps {
  readonly id: string
  readonly label: string
  readonly state: RadioState
  readonly unavailable?: boolean
  readonly onChoose: () => void
  readonly children: ReactNode
}

function Radio({ id, label, state, unavailable = false, onChoose, children }: RadioProps): ReactNode {
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' && event.key !== ' ') return
    event.preventDefault()
    onChoose()
  }
  return (
    <div role="radio" aria-checked={state.checked} aria-disabled={unavailable || state.held} aria-busy={state.waiting} aria-label={label} data-exit={id} tabIndex={state.tabbable ? 0 : -1}
      className={`exit-row ${unavailable ? 'unavailable' : ''} ${state.held ? 'held' : ''}`} onFocus={state.onFocus} onClick={onChoose} onKeyDown={onKey}>
      <span className="radio" />
      {children}
    </div>
  )
}

function AutoRow({ page, state, onChoose }: { page: ExitNodesPage; state: RadioState; onChoose: () => void }): ReactNode {
  const name = chosenName(page)
  const now = page.Chosen.Kind === 'auto' && name !== '' ? t('exit.auto.now', { name }) : ''
  return (
    <Radio id={AUTO} label={t('exit.auto.spoken', { now: now === '' ? '' : `${now}.` }).trimEnd()} state={state} onChoose={onChoose}>
      <span className="cut"><span className="strong-2">{t('exit.auto')}</span> <span className="small t3"><bdi>{now}</bdi></span></span>
      <span className="t2 exit-means">{t('exit.auto.means')}</span>
    </Radio>
  )
}

function NodeRow({ row, where, state, onChoose }: { row: ExitRow; where: string; state: RadioState; onChoose: () => void }): ReactNode {
  const cannot = row.unavailable !== ''
  return (
    <Radio id={row.id} label={spokenExit(row)} state={state} unavailable={cannot} onChoose={onChoose}>
      <span className="cut" title={row.name}><span className="strong-2"><bdi>{row.name}</bdi></span> {row.inUse && !row.chosen ? <span className="small in-use-now">{t('exit.row.now')}</span> : row.note !== '' && <span className="small t3">{row.note}</span>}</span>
      <span className="t2 cut exit-where"><bdi>{where}</bdi></span>
      {cannot ? <span className="t3 exit-cannot">{row.unavailable}</span> : (
        <>
          <span className={`path path-${row.path.kind}`}><PathGlyph kind={row.path.kind} /><span className="cut">{row.path.words}</span></span>
          <span className="right num t2">{roundTrip(row.latencyMs)}</span>
        </>
      )}
    </Radio>
  )
}
