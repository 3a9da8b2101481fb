/**
 * What can be done with a transfer, from a button, a key or its menu; and the menu and question that it opens. The engine does it, and
 * the row changes when its news come; what it refuses is said at the foot of the window.
 */
import { Copy, FolderOpen, ListX, MonitorSmartphone, Pause, Play, RotateCw, SquareArrowOutUpRight, Trash2, X } from 'lucide-react'
import { useMemo, useState, type ReactNode } from 'react'
import type { Answer, BowlineApi, WindowTransferAction } from '../../preload/contract.ts'
import { isMoving, isOver, type TransferRow } from '../../main/localapi/transfers.ts'
import { byteCount, safeText } from '../../main/words/format.ts'
import { rich, t } from '../../main/words/words.ts'
import { goTo } from '../state/route.ts'
import { useSnapshot } from '../state/store.ts'
import { isMany, type Entry } from '../state/transfers.ts'
import { setOpen, useTransfersSession } from '../state/transfers-session.ts'
import { titleOf } from '../state/transfers-words.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { PopupMenu, type MenuItem } from '../ui/PopupMenu.tsx'
import { say } from '../ui/toast.ts'
import { useDialog } from '../ui/use-dialog.ts'

/** What is meant: a whole entry, or one row of an open batch. */
export type Meant = Pick<Entry, 'row' | 'rows' | 'key'>

export interface TransferActions {
  /** Menu and question, drawn above everything else. */
  readonly overlay: ReactNode
  pause(meant: Meant): void
  resume(meant: Meant): void
  retry(meant: Meant): void
  /** Asks first where bytes have arrived. */
  cancel(meant: Meant): void
  /** Opens a received file, a batch, or the device. */
  open(meant: Meant): void
  show(meant: Meant): void
  menu(meant: Meant, x: number, y: number): void
}

/** Rows of it that can be paused, resumed, tried again, canceled. */
export const canPause = ({ Direction, State }: TransferRow): boolean => Direction === 'out' && State !== 'paused' && State !== 'stopped' && State !== 'delivered' && State !== 'canceled'
export const canResume = ({ State }: TransferRow): boolean => State === 'paused'
export const canRetry = ({ Direction, State }: TransferRow): boolean => Direction === 'out' && State === 'stopped'
/** What is over is sent anew: the engine has kept where it lies. In a browser it was uploaded, and is not kept. */
const canSendAgain = ({ Direction, State }: TransferRow): boolean => Direction === 'out' && (State === 'delivered' || State === 'canceled')
export const canCancel = (row: TransferRow): boolean => !isOver(row) && row.State !== 'stopped'
/** A received one lies in a folder of this computer. */
export const isThere = ({ State, SavedIn }: TransferRow): boolean => State === 'received' && SavedIn !== undefined && SavedIn !== ''

export function useTransferActions(): TransferActions {
  const api = useApi()
  const inApp = useSnapshot((s) => s.app.host === 'electron')
  const [menu, setMenu] = useState<{ readonly meant: Meant; readonly x: number; readonly y: number }>()
  const [asked, setAsked] = useState<Meant>()
  const acts = useMemo(() => actionsOf(api, inApp, setMenu, setAsked), [api, inApp])
  return {
    ...acts,
    overlay: (
      <>
        {menu && <PopupMenu label={t('transfers.menu', { name: titleOf(menu.meant) })} x={menu.x} y={menu.y} items={menuItems(menu.meant, acts, api, inApp)} onClose={() => setMenu(undefined)} />}
        {asked && <CancelDialog meant={asked} onCancel={() => void act(api, { Do: 'cancel', ID: asked.row.ID })} onClose={() => setAsked(undefined)} />}
      </>
    ),
  }
}

type Acts = Omit<TransferActions, 'overlay'>

function actionsOf(api: BowlineApi, inApp: boolean, setMenu: (menu: { meant: Meant; x: number; y: number }) => void, setAsked: (meant: Meant) => void): Acts {
  const simple = (Do: 'pause' | 'resume' | 'retry') => (meant: Meant) => void act(api, { Do, ID: meant.row.ID })
  return {
    pause: simple('pause'),
    resume: simple('resume'),
    retry: simple('retry'),
    cancel: (meant) => {
      if (meant.rows.some((row) => isMoving(row) || row.Done > 0)) setAsked(meant)
      else void act(api, { Do: 'cancel', ID: meant.row.ID })
    },
    open: (meant) => {
      if (isMany(meant)) return setOpen(meant.key, !useTransfersSession.getState().open.has(meant.key))
      if (isThere(meant.row) && inApp) return void answered(api.call('openReceived', { id: meant.row.ID, how: 'open' }))
      goTo(meant.row.Peer, 'path')
    },
    show: (meant) => void answered(api.call('openReceived', { id: (meant.rows.find(isThere) ?? meant.row).ID, how: 'show' })),
    menu: (meant, x, y) => setMenu({ meant, x, y }),
  }
}

const ICON = { size: 16, strokeWidth: 1.9, 'aria-hidden': true } as const

function menuItems(meant: Meant, acts: Acts, api: BowlineApi, inApp: boolean): readonly MenuItem[] {
  const { row, rows } = meant
  const received = inApp && rows.some(isThere)
  const copy = (): void => void navigator.clipboard.writeText(rows.map(({ Name }) => Name).join('\n')).then(() => say(t('transfers.copied', { what: titleOf(meant) })))
  const has = (may: (row: TransferRow) => boolean): boolean => rows.some(may)
  return [
    ...(received && !isMany(meant) ? [{ words: t('transfers.act.open'), icon: <SquareArrowOutUpRight {...ICON} />, act: () => acts.open(meant) }] : []),
    ...(received ? [{ words: t('transfers.act.show'), icon: <FolderOpen {...ICON} />, act: () => acts.show(meant) }] : []),
    ...(has(canPause) ? [{ words: t('transfers.act.pause'), icon: <Pause {...ICON} />, act: () => acts.pause(meant) }] : []),
    ...(has(canResume) ? [{ words: t('transfers.act.resume'), icon: <Play {...ICON} />, act: () => acts.resume(meant) }] : []),
    ...(has(canRetry) ? [{ words: t('transfers.act.retry'), icon: <RotateCw {...ICON} />, act: () => acts.retry(meant) }] : []),
    ...(inApp && rows.every(canSendAgain) ? [{ words: t('transfers.act.sendAgain'), icon: <RotateCw {...ICON} />, act: () => acts.retry(meant) }] : []),
    ...(has(canCancel) ? [{ words: t('transfers.act.cancel'), icon: <X {...ICON} />, act: () => acts.cancel(meant) }] : []),
    { words: t('transfers.act.copyName'), icon: <Copy {...ICON} />, act: copy },
    { words: t('transfers.act.device'), icon: <MonitorSmartphone {...ICON} />, act: () => goTo(row.Peer) },
    ...(has(canCancel) ? [] : [{ words: t('transfers.act.remove'), icon: <Trash2 {...ICON} />, act: () => void act(api, { Do: 'forget', ID: row.ID }) }]),
    { words: t('transfers.act.clear'), icon: <ListX {...ICON} />, act: () => void act(api, { Do: 'forget' }) },
  ]
}

const act = (api: BowlineApi, action: WindowTransferAction): Promise<boolean> => answered(api.call('transferAction', action))

async function answered(answer: Promise<Answer<unknown>>): Promise<boolean> {
  const { ok, ...rest } = await answer
  if (!ok) say(safeText((rest as { message: string }).message, 200))
  return ok
}

function CancelDialog({ meant, onCancel, onClose }: { meant: Meant; onCancel: () => void; onClose: () => void }): ReactNode {
  const dialog = useDialog()
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="cancel-title" onClose={onClose}>
      <h2 id="cancel-title">{rich('transfers.cancel.title', { name: <bdi key="name">{titleOf(meant)}</bdi> })}</h2>
      <p className="t2">{t('transfers.cancel.means', { bytes: byteCount(meant.row.Done) })}</p>
      <div className="buttons end">
        <button type="button" className="button lg" autoFocus onClick={() => dialog.current?.close()}>{t('transfers.cancel.keep')}</button>
        <button type="button" className="button ink lg" onClick={() => { onCancel(); dialog.current?.close() }}>{t('transfers.cancel.do')}</button>
      </div>
    </dialog>
  )
}
